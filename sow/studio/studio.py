"""What the page does: each event of it is a method here, which asks the service."""

from __future__ import annotations

import io
import queue
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from sow.errors import SowError, UsageError
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
from sow.studio.line import Line
from sow.studio.session import Session, Sessions

PLACEHOLDER = "a person"
"""The prompt of a plan that is made before anything is written."""
OFFLINE = PlannerChoice("offline")
POLL = 0.1
"""Seconds between two looks at whether somebody cancelled."""


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


@dataclass(frozen=True)
class Moment:
    """Where a job is.

    Attributes:
        stage: `waiting` in the line, `making`, `done`, `cancelled` or `failed`.
        place: how many jobs are before it.
        done: the share of the UNet calls that were made, 0 to 1.
        preview: what the first picture looks like so far.
        message: what went wrong.
        pictures: the finished pictures.
    """

    stage: Literal["waiting", "making", "done", "cancelled", "failed"]
    place: int = 0
    done: float = 0.0
    preview: Image.Image | None = None
    message: str = ""
    pictures: tuple[Picture, ...] = ()


class Cancelled(Exception):
    """Raised inside of a call of the pipeline to end it."""


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
        session.cancelled.clear()
        with self.line.ticket(session.key) as ticket:
            while place := self.line.wait(ticket, POLL):
                if session.cancelled.is_set():
                    yield Moment("cancelled")
                    return
                yield Moment("waiting", place)
            yield from self._make(session, wish)

    def _make(self, session: Session, wish: Wish) -> Iterator[Moment]:
        """Make the pictures in a thread of their own, and tell what it says."""
        moments: queue.Queue[Moment] = queue.Queue()

        def on_progress(progress: Progress) -> None:
            if session.cancelled.is_set():
                raise Cancelled
            preview = progress.preview()[0] if progress.preview else None
            moments.put(Moment("making", done=progress.calls / progress.total, preview=preview))

        def work() -> None:
            try:
                pictures = self._pictures(session, wish, on_progress)
                moments.put(Moment("done", done=1.0, pictures=pictures))
            except Cancelled:
                moments.put(Moment("cancelled"))
            except SowError as error:
                moments.put(Moment("failed", message=str(error)))
            except Exception as error:
                moments.put(Moment("failed", message=f"something went wrong: {error}"))
                raise

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            while True:
                moment = moments.get()
                yield moment
                if moment.stage in ("done", "cancelled", "failed"):
                    return
        finally:  # also if nobody listens any more
            if thread.is_alive():
                session.cancelled.set()
            thread.join()

    def _pictures(self, session: Session, wish: Wish, on_progress: Any) -> tuple[Picture, ...]:
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
        session.results[:0] = pictures
        return pictures

    def cancel(self, session: Session) -> None:
        """End what is being made for a session, or leave the line."""
        session.cancelled.set()


def _planned_for(wish: Wish) -> tuple[object, ...]:
    """Return what of a wish a plan depends on."""
    return wish.prompt.strip(), wish.setting, wish.canvas


def _regions(related: Mapping[str, Box] | None) -> tuple[Region, ...] | None:
    if related is None:
        return None
    return tuple(Region(label=label, box=box) for label, box in related.items())
