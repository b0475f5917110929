"""The same for programs: the endpoints `/plan`, `/generate` and `/words` of Gradio's API.

What they are given comes from the network and may be anything: the service checks it, and here is
checked what could lead to a file.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import api
from gradio.utils import get_upload_folder

from sow.errors import SowError, UsageError
from sow.pictures.loading import load_image
from sow.pictures.recipe import recipe_png_bytes
from sow.pipeline.calls import Progress
from sow.service.request import Request
from sow.service.results import Picture
from sow.studio.form import MAX_PICTURES, words_of
from sow.studio.job import Moment
from sow.studio.session import Session
from sow.studio.studio import Studio
from sow.utils.files import png_bytes

SessionOf = Callable[[gr.Request], Session]


class Endpoints:
    """What programs can call.

    Args:
        studio: does it.
        session_of: returns whose call it is.
    """

    def __init__(self, studio: Studio, session_of: SessionOf) -> None:
        self._studio, self._session_of = studio, session_of

    def wire(self) -> None:
        """Add the endpoints to the page that is being built."""
        api(self.plan, api_name="plan", concurrency_limit=1)
        api(self.generate, api_name="generate", concurrency_limit=None)
        api(self.words, api_name="words", concurrency_limit=1)

    def plan(
        self,
        request: gr.Request,
        image: gr.FileData,
        prompt: str,
        canvas: str = "",
        setting: str = "",
    ) -> dict[str, Any]:
        """Plan where a picture's condition goes, by rules.

        Args:
            request: whose call it is.
            image: the picture.
            prompt: what should grow around it.
            canvas: a shape, such as 2:3, or a size, such as 512x768; empty for the model's own.
            setting: normal, attribute or style; empty to read it from the prompt.

        Returns:
            `plan`, as `sow plan` writes it, and `notes`.
        """
        with _told_to_programs():
            session = self._session_of(request)
            wanted = Request(
                image=load_image(_upload(session, image)),
                prompt=prompt,
                canvas=canvas or None,
                setting=setting or None,
            )
            planned = self._studio.make_plan(wanted)
            return {"plan": json.loads(planned.plan.to_json()), "notes": list(planned.notes)}

    def generate(
        self,
        request: gr.Request,
        image: gr.FileData,
        prompt: str = "",
        negative: str = "",
        setting: str = "",
        preset: str = "",
        likeness: float | None = None,
        canvas: str = "",
        box: list[int] | None = None,
        related: dict[str, list[int]] | None = None,
        plan: dict[str, Any] | None = None,
        seed: int = -1,
        num: int = 1,
        explain: bool = False,
    ) -> Iterator[tuple[list[gr.FileData], dict[str, Any]]]:
        """Grow pictures around what a picture shows.

        Args:
            request: whose call it is.
            image: the picture.
            prompt: what should grow around it; empty with a plan.
            negative: what must not be seen.
            setting: normal, attribute or style; empty to read it from the prompt.
            preset: empty for that of the setting.
            likeness: how much stays, 0 to 1; none for the preset's.
            canvas: a shape, such as 2:3, or a size, such as 512x768; empty for the model's own.
            box: where the condition goes, [x, y, width, height] in canvas pixels.
            related: the regions that belong to it: boxes by label.
            plan: a plan to carry out, such as one of /plan.
            seed: of the first picture; -1 draws one.
            num: how many pictures, at most 8.
            explain: also make the sheet that explains each picture, after it.

        Yields:
            The files, PNGs with recipes, once they are finished, and what is known: `stage`
            (`waiting`, `making`, `done`), `place` in the line, `done` (0 to 1), and at the end
            `plan`, `seeds` and `notes`.
        """
        with _told_to_programs():
            session = self._session_of(request)
            if type(num) is not int or not 1 <= num <= MAX_PICTURES:
                raise UsageError(f"num={num}", f"give 1 to {MAX_PICTURES}")
            if plan is not None and not isinstance(plan, dict):  # a text could be a path
                raise UsageError("plan= is no JSON object", "give what /plan returned")
            picture, notes = _upload(session, image), list[str]()

            def work(on_progress: Callable[[Progress], None]) -> tuple[Picture, ...]:
                wanted = Request(
                    image=load_image(picture),  # now, so that who waits takes no memory
                    prompt=prompt or None,
                    negative=negative or None,
                    setting=setting or None,
                    preset=preset or None,
                    likeness=likeness,
                    canvas=canvas or None,
                    box=box,
                    related=related,
                    plan=plan,
                )
                return self._studio.carry_out(
                    session, wanted, picture.name, seed, num, bool(explain), on_progress, notes
                )

            for moment in self._studio.follow(session, work, num):
                if moment.stage == "failed":
                    raise gr.Error(moment.message, print_exception=False)
                if moment.stage == "cancelled":
                    return
                yield _told(session, moment, notes)

    def words(self, prompt: str, subject: str = "") -> dict[str, Any]:
        """Tell which words of a prompt the model does not know.

        Args:
            prompt: what should grow around the condition.
            subject: what the condition is; empty for a face.

        Returns:
            `unknown` words, their places in `marks`, and `asked`, what the model is asked instead.
        """
        return words_of(self._studio.service.model, {"prompt": prompt, "subject": subject})


@contextlib.contextmanager
def _told_to_programs() -> Iterator[None]:
    """Mistakes in the block reach the program as one line."""
    try:
        yield
    except SowError as error:
        raise gr.Error(str(error), print_exception=False) from None


def _upload(session: Session, image: Any) -> Path:
    """Return where a picture is that was uploaded; it ends with the session.

    Gradio gives the same pictures of two sessions the same place, so this is another.

    Raises:
        UsageError: if it was not.
    """
    error = UsageError("there is no such upload", "send image=handle_file(...)")
    try:
        path = Path(image["path"]).resolve(strict=True)
    except (OSError, ValueError, LookupError, TypeError):
        raise error from None
    if Path(get_upload_folder()).resolve() not in path.parents or not path.is_file():
        raise error
    session.keep(path)
    own = _new_folder() / path.name
    try:
        shutil.copyfile(path, own)
    except OSError:  # it has just ended with another's session
        raise error from None
    session.keep(own)
    return own


def _new_folder() -> Path:
    """Return a folder whose name nobody can guess."""
    folder = Path(get_upload_folder()).resolve() / secrets.token_hex(16)
    folder.mkdir(mode=0o700)
    return folder


def _told(
    session: Session, moment: Moment, notes: list[str]
) -> tuple[list[gr.FileData], dict[str, Any]]:
    """Return what a program is told of a moment."""
    known: dict[str, Any] = {"stage": moment.stage, "place": moment.place, "done": moment.done}
    if moment.stage != "done":
        return [], known
    return [file for picture in moment.pictures for file in _files(session, picture)], {
        **known,
        "plan": json.loads(moment.pictures[0].recipe.plan.to_json()),
        "seeds": [picture.recipe.seed for picture in moment.pictures],
        "notes": [*notes, *(note for picture in moment.pictures for note in picture.notes)],
    }


def _files(session: Session, picture: Picture) -> Iterator[gr.FileData]:
    """Write a picture, and the sheet that explains it, to files."""
    folder = _new_folder()
    written = {"": recipe_png_bytes(picture.image, picture.recipe, picture.condition)}
    if picture.explained is not None:
        written[".explain"] = png_bytes(picture.explained)
    for ending, data in written.items():
        path = folder / f"{picture.recipe.seed}{ending}.png"
        path.write_bytes(data)
        session.keep(path)
        yield gr.FileData(path=str(path), orig_name=path.name, mime_type="image/png")
