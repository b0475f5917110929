"""What the page does: each event of it is a method here, which asks the service."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from sow.errors import SowError, UsageError
from sow.pictures.condition import Condition
from sow.pictures.inputs import as_mask, as_picture, as_picture_with_notes
from sow.pictures.loading import open_image, turned
from sow.pictures.recipe import pixels_sha256
from sow.pipeline.calls import Progress
from sow.plan.box import Box
from sow.plan.plan import Plan
from sow.planners.offline.faces import find_faces
from sow.service.arguments import consecutive_seeds
from sow.service.budget import never_agree
from sow.service.lazy_model import Report
from sow.service.names import source_of
from sow.service.notes import model_notes
from sow.service.planning import PlannerChoice, PlanningResult
from sow.service.request import Request
from sow.service.results import GenerationSpec, Picture
from sow.service.saved_picture import SavedPicture, find_model_differences
from sow.service.service import Service
from sow.studio.history import Entry, Folder, History
from sow.studio.job import Job, Moment, Work
from sow.studio.line import Line
from sow.studio.maker import Maker, aside
from sow.studio.placing import NOTHING_MOVED, Placing, placed, with_own_labels
from sow.studio.restoring import AS_MADE, Kept, form_of
from sow.studio.session import Session, Sessions

PLACEHOLDER = "a person"
"""The prompt of a plan that is made before anything is written."""
OFFLINE = PlannerChoice("offline")
MAX_NAME = 200
"""Letters that are kept of the name of a user's picture."""


@dataclass(frozen=True)
class Wish:
    """What the controls of the page say; None leaves a field open.

    Attributes:
        prompt, negative, setting, likeness, preset: as in `sow.Request`.
        canvas: its shape, such as `2:3`; None for the model's own.
        placing: what the user moved on the canvas.
        seed: of the first picture; None for a random one.
        num: how many pictures.
        explain: also make the sheet that explains each picture.
    """

    prompt: str = ""
    negative: str | None = None
    setting: str | None = None
    likeness: float | None = None
    preset: str | None = None
    canvas: str | None = None
    placing: Placing = NOTHING_MOVED
    seed: int | None = None
    num: int = 1
    explain: bool = False


class Studio:
    """The page's side of a service; threads may share it.

    Args:
        service: makes plans and pictures.
        out: the folder of the results.
        shared: whoever reaches the page sees all pictures in that folder, also those of before.
            Otherwise those who signed in have a folder each, and others see what they made.
    """

    def __init__(self, service: Service, out: Path, *, shared: bool = False) -> None:
        self.service, self.shared = service, shared
        self.sessions, self.history = Sessions(), History(out)
        self.line, self.maker = Line(), Maker()

    # ------------------------------------------------------------------ plant

    def bring(self, session: Session, data: bytes, name: str = "picture") -> None:
        """Take a user's picture, and look for faces.

        Raises:
            PictureError: if it cannot be read or used; then the one before stays.
        """
        with (
            open_image(io.BytesIO(data), repr(name[-80:])) as image,
            self.sessions.work_on(image.size),
        ):
            self.sessions.check_room(session, image.size)
            picture, notes = as_picture_with_notes(image)
            session.name, session.picture_notes = name[-MAX_NAME:], notes
            self._take(session, picture)

    def restore(self, session: Session, saved: SavedPicture) -> dict[str, Any]:
        """Work on what a finished picture came of, and return the form's value for it.

        The user's picture stays if it is the same; otherwise the planted piece is all there is.

        Raises:
            SowError: if nothing is planted in it, or its LoRAs and embeddings are not here.
        """
        recipe, model = saved.recipe, self.service.model
        if recipe.plan.text_only:
            raise UsageError("nothing is planted in this picture", "choose another")
        kept, plan = Kept(saved, saved.find_adapters()), with_own_labels(recipe.plan)
        own = session.picture
        if own is None or plan.turn or pixels_sha256(own) != recipe.picture_sha256:
            self._take(session, saved.condition.picture, faces=())
            session.name, session.picture_notes = source_of(saved.name, recipe), ()
            plan = plan.changed(turn=0, crop=None, matte=None, ellipse=None)
        session.whole, session.mask, session.problem = False, None, ""
        session.kept, session.plan, session.placing = kept, plan, NOTHING_MOVED
        session.notes = (*find_model_differences(recipe, model),)
        session.version += 1
        form = form_of(recipe, model)
        session.planned_for = (plan.prompt.strip(), plan.setting, form["canvas"] or None)
        return form

    def plant_finished(self, session: Session) -> None:
        """Take the finished picture that everything came from as a picture to plant."""
        if session.kept is not None:
            session.picture_notes = ()
            self._take(session, session.kept.saved.image)

    def _take(
        self, session: Session, picture: Image.Image, faces: tuple[Box, ...] | None = None
    ) -> None:
        """Make it the session's picture, and forget what was decided about the one before."""
        session.picture = picture
        session.faces = _faces_in(picture) if faces is None else faces
        session.face_index = 0 if session.faces else None
        session.whole, session.mask = False, None
        self._forget_plan(session)

    def _forget_plan(self, session: Session) -> None:
        session.plan, session.planned_for, session.placing = None, (), NOTHING_MOVED
        session.version += 1
        session.kept = None
        session.notes, session.problem = (), ""

    def choose(self, session: Session, face_index: int | None) -> None:
        """Plant one of the faces, or all of the picture.

        Raises:
            UsageError: if there is no such face.
        """
        if face_index is not None and not 0 <= face_index < len(session.faces):
            raise UsageError(f"there is no face {face_index}", "click one of the outlines")
        session.face_index, session.whole = face_index, face_index is None
        session.mask = None
        self._forget_plan(session)

    def turn(self, session: Session) -> None:
        """Turn the picture clockwise by 90 degrees, or a face upside down.

        A face on its side would be turned back: the planner makes it upright.
        """
        if session.picture is None:
            return
        whole = session.whole
        with self.sessions.work_on(session.picture.size):
            self._take(session, turned(session.picture, 180 if session.faces and not whole else 90))
        if whole:
            self.choose(session, None)

    def paint(self, session: Session, mask: Image.Image | None) -> None:
        """Plant what the user painted: white, in a mask of the planted part; None for the matte.

        Raises:
            PictureError: if it keeps nothing; then the mask before stays.
        """
        if mask is None or session.picture is None or session.plan is None:
            session.mask = None
            return
        crop = session.plan.crop or Box(
            x=0, y=0, width=session.picture.width, height=session.picture.height
        )
        whole, before = Image.new("L", session.picture.size, 0), session.mask
        whole.paste(as_mask(mask).resize((crop.width, crop.height)), (crop.x, crop.y))
        session.mask = whole
        try:
            self.condition(session)
        except SowError:
            session.mask = before
            raise

    # ------------------------------------------------------------------ place

    def plan(
        self,
        session: Session,
        wish: Wish,
        planner: PlannerChoice = OFFLINE,
        *,
        anew: bool = False,
    ) -> None:
        """Make the plan of a wish.

        What the user placed stays, if it is the same piece on the same canvas.

        Args:
            session, wish: what to plan, for whom.
            planner: makes the plan; it may take its time, so the session is not locked meanwhile.
            anew: make a new plan from a finished picture too, and place everything as it says.

        Raises:
            SowError: if there is no picture, no plan, or something else was chosen meanwhile.
        """
        if session.kept is not None and not anew:
            self._adapt_plan(session, wish)
            return
        version, request = session.version, self._plan_request(session, wish)
        planned = self.make_plan(request, planner)
        with session.lock:
            if session.version != version:
                raise UsageError("something else was chosen meanwhile", "plan again")
            self._take_plan(session, planned, wish, anew)

    def _take_plan(self, session: Session, planned: PlanningResult, wish: Wish, anew: bool) -> None:
        plan, before = with_own_labels(planned.plan), session.plan
        if plan.turn:  # from now on the page shows it as it is planted
            session.picture = turned(as_picture(session.picture), plan.turn)
            session.faces = _faces_in(session.picture)
            session.face_index = 0 if session.faces else None
            plan, session.mask = plan.changed(turn=0), None
        same = before is not None and (before.crop, before.canvas) == (plan.crop, plan.canvas)
        if anew or not same:
            session.placing = NOTHING_MOVED
        session.version += not same
        session.kept = None
        session.plan, session.planned_for = plan, _planned_for(wish)
        notes = model_notes(self.service.model, as_picture(session.picture))
        session.notes, session.problem = (*notes, *plan.notes, *planned.notes), ""
        if same and not anew:
            self.place(session, wish.placing)

    def _adapt_plan(self, session: Session, wish: Wish) -> None:
        """Change what a wish changes in the plan of a finished picture; the rest stays."""
        self.place(session, wish.placing)
        before, own = self.placed_plan(session), self.service.model.checkpoint_spec.canvas
        same = len(session.planned_for) == 3 and session.planned_for[2] == wish.canvas
        request = Request(
            image=session.picture,
            plan=before,
            prompt=wish.prompt.strip() or PLACEHOLDER,
            setting=wish.setting,
            canvas=before.canvas if same else wish.canvas or own,
        )
        planned = self.make_plan(request)
        session.plan, session.planned_for = planned.plan, _planned_for(wish)
        session.placing = NOTHING_MOVED
        session.version += planned.plan.canvas != before.canvas
        session.notes, session.problem = planned.notes, ""

    def is_planned(self, session: Session, wish: Wish) -> bool:
        """Return whether there is a plan, and it was made for this wish."""
        return session.plan is not None and session.planned_for == _planned_for(wish)

    def keep_plan_for(self, session: Session, wish: Wish) -> None:
        """Use the plan as it is for another wish too, such as that with the plan's prompt."""
        session.planned_for = _planned_for(wish)

    def what_is_sent(self, session: Session, wish: Wish, planner: PlannerChoice) -> dict[str, Any]:
        """Return exactly what a vendor would be sent for a plan; nothing is sent.

        Raises:
            SowError: if there is no picture, or the vendor cannot be asked.
        """
        request = self._plan_request(session, wish)
        return self.service.with_planner(planner).preview_request(request)

    def place(self, session: Session, placing: Placing) -> None:
        """Take where the user put the piece and its regions, unless another one came meanwhile.

        Raises:
            PlanError: if a box is not on the canvas.
        """
        if session.plan is None or placing.version not in (None, session.version):
            return
        placed(session.plan, placing, self.grid)
        session.placing = placing

    def placed_plan(self, session: Session) -> Plan:
        """Return the plan with what the user moved.

        Raises:
            UsageError: if there is no plan.
        """
        if session.plan is None:
            raise UsageError("no picture is planted", "drop a picture on the canvas")
        return placed(session.plan, session.placing, self.grid)

    def piece_notes(self, session: Session) -> list[str]:
        """Return what the service says of where the piece was put."""
        plan = self.placed_plan(session)
        request = Request(image=session.picture, plan=plan, canvas=plan.canvas, mask=_mask(session))
        return list(self.make_plan(request, report=lambda kind, line: None).notes)

    @property
    def grid(self) -> int:
        """The pixels that boxes are multiples of."""
        return self.service.model.checkpoint_spec.vae_scale_factor

    def condition(self, session: Session, larger: int = 1) -> Condition:
        """Return what is planted, or the same with this many times its pixels.

        Raises:
            UsageError: if there is no plan.
            PictureError: if the mask keeps nothing.
        """
        plan = self.placed_plan(session)
        if session.kept is not None and session.mask is None:
            return session.kept.condition(plan, larger)
        plan = plan.scaled((plan.canvas[0] * larger, plan.canvas[1] * larger))
        return Condition.prepare(session.picture, plan, _mask(session))

    def _plan_request(self, session: Session, wish: Wish) -> Request:
        """Return the request for a plan. What was painted changes no crop, so it is not in it."""
        if session.picture is None:
            raise UsageError("no picture is planted", "drop a picture on the canvas")
        return Request(
            image=session.picture,
            prompt=wish.prompt.strip() or PLACEHOLDER,
            canvas=wish.canvas,
            face_index=session.face_index if len(session.faces) > 1 else None,
            matte="none" if session.whole else None,
            setting=wish.setting,
        )

    def _make_request(self, session: Session, wish: Wish) -> Request:
        """Return the request for pictures of the plan as it was placed."""
        plan, kept = self.placed_plan(session), session.kept
        as_made = wish.preset == AS_MADE
        return Request(
            image=session.picture,
            plan=plan,
            canvas=plan.canvas,  # or it would be fitted to the model's shorter side
            mask=_mask(session),
            negative=wish.negative or ("" if kept else None),
            preset=None if as_made else wish.preset,
            settings=kept.saved.recipe.settings if as_made and kept else None,
            likeness=wish.likeness,
        )

    # ------------------------------------------------------------------ generate

    def make(self, session: Session, wish: Wish) -> Iterator[Moment]:
        """Make the pictures of a wish, and tell where they are.

        Raises:
            SowError: if there is no picture or no prompt, or it cannot be planted as the wish says.
        """
        with session.lock:
            if self.is_planned(session, wish):
                self.place(session, wish.placing)
            else:
                self.plan(session, wish)
            if not wish.prompt.strip():
                raise UsageError("nothing is written", "say what should grow around the picture")
            # Now, not when its turn comes: what is shown is what is made.
            work = partial(
                self.carry_out, session, self._make_request(session, wish), session.name,
                wish.seed, wish.num, wish.explain, **self._kept_parts(session),
            )  # fmt: skip
        yield from self.follow(session, work, wish.num)

    def follow(self, session: Session, work: Work, count: int = 1) -> Iterator[Moment]:
        """Let work wait for its turn, and tell where it is; it ends when nobody listens.

        count: how many pictures it makes.
        """

        def make(on_progress: Callable[[Progress], None]) -> tuple[Picture, ...]:
            return self.maker.do(partial(work, on_progress))

        try:
            job = session.start(lambda: Job(self.line, session.owner, make, count))
        except UsageError as error:  # too much is waiting
            yield Moment("failed", message=str(error))
            return
        try:
            yield from job.moments()
        finally:  # also if nobody listens any more
            job.cancel()

    def _kept_parts(self, session: Session) -> dict[str, Any]:
        """Return what of a spec is exactly as in the finished picture it came from."""
        if session.kept is None:
            return {}
        return {
            "condition": self.condition(session),
            "picture_sha256": session.kept.saved.recipe.picture_sha256,
            "adapters": session.kept.adapters,
        }

    def _save(
        self, session: Session, spec: GenerationSpec, pictures: Iterable[Picture], source: str
    ) -> tuple[Picture, ...]:
        """Save each picture as soon as it is made: what is given up later is kept.

        source: the name of what is planted, for theirs.
        """
        saved = []
        for picture in pictures:
            entry = self.folder_of(session).add(picture, spec, source)
            session.made.add(entry.name)
            saved.append(picture)
        return tuple(saved)

    def make_plan(
        self, request: Request, planner: PlannerChoice = OFFLINE, report: Report | None = None
    ) -> PlanningResult:
        """Return a plan: by rules, so that nobody else is asked and nobody's key is used, or not.

        Raises:
            SowError: if there is none.
        """
        return aside(lambda: self.service.with_planner(planner, report).plan(request))

    def carry_out(
        self,
        session: Session,
        request: Request,
        source: str,
        seed: int | None,
        num: int,
        explain: bool,
        on_progress: Callable[[Progress], None],
        notes: list[str] | None = None,
        **kept: Any,
    ) -> tuple[Picture, ...]:
        """Make the pictures of a request and save them.

        Args:
            session: whose they are.
            request: what they show.
            source: the name of what is planted, for theirs.
            seed, num, explain: as in `Wish`.
            on_progress: is called with the progress.
            notes: what is to be said about all of them is added here.
            kept: fields of the spec that stay as they are in a finished picture.

        Raises:
            SowError: if it cannot be made.
        """
        seeds = consecutive_seeds(seed, num)
        service = self.service.with_planner(OFFLINE)
        spec = replace(service.resolve(request), **kept)
        if notes is not None:
            notes += spec.notes
        pictures = service.make(spec, seeds, explain=explain, on_progress=on_progress)
        return self._save(session, spec, pictures, source)

    def cancel(self, session: Session) -> None:
        """End what is being made for a session, or leave the line."""
        session.cancel()

    # ------------------------------------------------------------------ look

    def folder_of(self, session: Session) -> Folder:
        """Return the folder in which a session's pictures are."""
        return self.history.folder(session.user)

    def pictures(self, session: Session, query: str = "") -> list[Entry]:
        """Return the pictures that a session may see, the newest first.

        query: words, all of which are in a picture's prompt, seed, notes or name.
        """
        entries = self.folder_of(session).entries()
        if not (self.shared or session.user):
            entries = [entry for entry in entries if entry.name in session.made]
        return [entry for entry in entries if entry.holds(query)]

    def picture(self, session: Session, name: object) -> Entry:
        """Return a picture by its name, which comes from a browser and may be anything.

        Raises:
            UsageError: if there is none that this session may see.
        """
        entry = self.folder_of(session).find(name)
        if entry is None or not (self.shared or session.user or entry.name in session.made):
            raise UsageError("this picture is gone", "choose another")
        return entry

    def saved(self, session: Session, entry: Entry) -> SavedPicture:
        """Read a picture whose recipe is to be carried out.

        Raises:
            SowError: if it is gone, or its recipe costs more than one may that is from anybody.
        """
        saved = self.folder_of(session).open(entry)
        if entry.name not in session.made:
            saved.check(never_agree)
        return saved

    def vary(
        self, session: Session, entry: Entry, num: int, *, explain: bool = False
    ) -> Iterator[Moment]:
        """Make more pictures with a picture's plan and planted pixels, with new seeds."""

        def work(on_progress: Callable[[Progress], None]) -> tuple[Picture, ...]:
            saved = self.saved(session, entry)
            spec = self.service.vary(saved, saved.find_adapters())
            seeds = consecutive_seeds(None, num)
            pictures = self.service.make(spec, seeds, explain=explain, on_progress=on_progress)
            return self._save(session, spec, pictures, source_of(saved.name, saved.recipe))

        yield from self.follow(session, work, num)

    def explain(self, session: Session, entry: Entry) -> Iterator[Moment]:
        """Make a picture again to see what its words and the condition did, and keep that."""

        def work(on_progress: Callable[[Progress], None]) -> tuple[Picture, ...]:
            saved = self.saved(session, entry)
            spec = self.service.reproduce(saved, saved.find_adapters())
            seeds = [saved.recipe.seed]
            for again in self.service.make(spec, seeds, explain=True, on_progress=on_progress):
                self.folder_of(session).explain(entry, again)
            return ()

        yield from self.follow(session, work)


def _faces_in(picture: Image.Image) -> tuple[Box, ...]:
    return tuple(aside(lambda: find_faces(picture)))


def _planned_for(wish: Wish) -> tuple[object, ...]:
    """Return what of a wish a plan depends on."""
    return wish.prompt.strip(), wish.setting, wish.canvas


def _mask(session: Session) -> Image.Image | None:
    """Return what the user painted, or all of an opaque picture if that is planted."""
    if session.mask is None and session.kept is not None and session.picture is not None:
        return Image.new("L", session.picture.size, 255)  # its own outline replaces it
    if session.mask is None and session.whole and session.picture is not None:
        return Image.new("L", session.picture.size, 255) if session.picture.mode == "RGB" else None
    return session.mask
