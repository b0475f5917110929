"""What the page does: each event of it is a method here, which asks the service."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from PIL import Image

from sow.errors import UsageError
from sow.pictures.condition import Condition
from sow.pictures.inputs import as_mask
from sow.pictures.loading import check_size, open_image, upright_rgb
from sow.pipeline.calls import Progress
from sow.plan.box import Box
from sow.plan.plan import Region
from sow.planners.offline.faces import find_faces
from sow.service.arguments import consecutive_seeds
from sow.service.planning import PlannerChoice
from sow.service.request import Request
from sow.service.results import Picture
from sow.service.service import Service
from sow.studio.job import Job, Moment
from sow.studio.line import Line
from sow.studio.session import Session, Sessions

PLACEHOLDER = "a person"
"""The prompt of a plan that is made before anything is written."""
OFFLINE = PlannerChoice("offline")


@dataclass(frozen=True)
class Wish:
    """What the controls of the page say; None leaves a field open.

    Attributes:
        prompt, negative, setting, likeness, preset: as in `sow.Request`.
        canvas: its shape, such as `2:3`; None for the model's own.
        box: where the condition goes, in canvas pixels.
        related: the regions that belong to it, by label.
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
    box: Box | None = None
    related: Mapping[str, Box] | None = None
    seed: int | None = None
    num: int = 1
    explain: bool = False


class Studio:
    """The page's side of a service; threads may share it.

    Args:
        service: makes plans and pictures.
        out: the folder of the results.
    """

    def __init__(self, service: Service, out: Path) -> None:
        self.service, self.out = service, out
        self.sessions, self.line = Sessions(), Line()

    # ------------------------------------------------------------------ plant

    def bring(self, session: Session, data: bytes, name: str = "picture") -> None:
        """Take a user's picture, and look for faces.

        Raises:
            PictureError: if it cannot be read or used.
        """
        with open_image(io.BytesIO(data), repr(name[-80:])) as image:
            check_size(image.size, repr(name[-80:]))
            self.sessions.check_room(session, image.size)
            picture = upright_rgb(image)
        session.picture, session.name = picture, name
        session.faces = tuple(find_faces(picture))
        session.face_index = 0 if session.faces else None
        session.whole, session.mask, session.plan, session.planned_for = False, None, None, ()

    def choose(self, session: Session, face_index: int | None) -> None:
        """Plant one of the faces, or all of the picture.

        Raises:
            UsageError: if there is no such face.
        """
        if face_index is not None and not 0 <= face_index < len(session.faces):
            raise UsageError(f"there is no face {face_index}", "click one of the outlines")
        session.face_index, session.whole = face_index, face_index is None
        session.mask, session.plan = None, None

    def paint(self, session: Session, mask: Image.Image | None) -> None:
        """Plant what the user painted: white, in a mask of the planted part; None for the matte."""
        if mask is None or session.picture is None or session.plan is None:
            session.mask = None
            return
        crop = session.plan.crop or Box(
            x=0, y=0, width=session.picture.width, height=session.picture.height
        )
        whole = Image.new("L", session.picture.size, 0)
        whole.paste(as_mask(mask).resize((crop.width, crop.height)), (crop.x, crop.y))
        session.mask = whole

    # ------------------------------------------------------------------ place

    def plan(self, session: Session, wish: Wish, planner: PlannerChoice = OFFLINE) -> list[str]:
        """Make the plan of a wish, and return notes for the user.

        Raises:
            SowError: if there is no picture, or no plan.
        """
        request = replace(self._request(session, wish), box=None, related=None)
        planned = self.service.with_planner(planner).plan(request)
        session.plan, session.planned_for = planned.plan, _planned_for(wish)
        return list(planned.notes)

    def condition(self, session: Session) -> Condition:
        """Return what is planted.

        Raises:
            UsageError: if there is no plan.
        """
        if session.picture is None or session.plan is None:
            raise UsageError("no picture is planted", "drop a picture on the canvas")
        return Condition.prepare(session.picture, session.plan, session.mask)

    def _request(self, session: Session, wish: Wish) -> Request:
        if session.picture is None:
            raise UsageError("no picture is planted", "drop a picture on the canvas")
        return Request(
            image=session.picture,
            prompt=wish.prompt.strip() or PLACEHOLDER,
            canvas=wish.canvas,
            mask=session.mask,
            face_index=session.face_index if len(session.faces) > 1 else None,
            matte="none" if session.whole and session.mask is None else None,
            setting=wish.setting,
            box=wish.box,
            related=_regions(wish.related),
            negative=wish.negative or None,
            preset=wish.preset,
            likeness=wish.likeness,
        )

    # ------------------------------------------------------------------ generate

    def make(self, session: Session, wish: Wish) -> Iterator[Moment]:
        """Make the pictures of a wish, and tell where they are."""
        work = partial(self._pictures, session, wish)
        try:
            job = session.start(lambda: Job(self.line, session.owner, work))
        except UsageError as error:  # too much is waiting
            yield Moment("failed", message=str(error))
            return
        try:
            yield from job.moments()
        finally:  # also if nobody listens any more
            job.cancel()

    def _pictures(
        self, session: Session, wish: Wish, on_progress: Callable[[Progress], None]
    ) -> tuple[Picture, ...]:
        if session.plan is None or session.planned_for != _planned_for(wish):
            self.plan(session, wish)
        request = replace(
            self._request(session, wish), plan=session.plan, canvas=None, face_index=None,
            matte=None, prompt=None,
        )  # fmt: skip
        service = self.service.with_planner(OFFLINE)
        session.spec = service.resolve(request)
        seeds = consecutive_seeds(wish.seed, wish.num)
        pictures = tuple(
            service.make(session.spec, seeds, explain=wish.explain, on_progress=on_progress)
        )
        session.remember(pictures)
        return pictures

    def cancel(self, session: Session) -> None:
        """End what is being made for a session, or leave the line."""
        session.cancel()


def _planned_for(wish: Wish) -> tuple[object, ...]:
    """Return what of a wish a plan depends on."""
    return wish.prompt.strip(), wish.setting, wish.canvas


def _regions(related: Mapping[str, Box] | None) -> tuple[Region, ...] | None:
    if related is None:
        return None
    return tuple(Region(label=label, box=box) for label, box in related.items())
