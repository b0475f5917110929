"""The page: its layout, and which method of `Studio` each event calls."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from sow.errors import SowError
from sow.pictures.inputs import as_mask
from sow.pictures.loading import open_image
from sow.studio import components
from sow.studio.asking import plan_for_me
from sow.studio.examples import EXAMPLES, find_example
from sow.studio.form import about, model_line, wish_of, words_of
from sow.studio.guard import owner_of
from sow.studio.job import Moment
from sow.studio.placing import read_placing
from sow.studio.session import Session
from sow.studio.studio import Studio
from sow.studio.views import (
    empty_view,
    from_data_url,
    moment_view,
    pictures_view,
    placing_view,
    stage_view,
)
from sow.studio.wording import error_text

DELETE = (600, 3600)
"""How often Gradio looks for files that programs sent, and from what age it deletes them, in s."""


def build(studio: Studio) -> gr.Blocks:
    """Return the page."""
    page = Page(studio)
    blocks: gr.Blocks
    with gr.Blocks(title="SOW Studio", analytics_enabled=False, delete_cache=DELETE) as blocks:
        page.lay_out()
        page.wire()
        blocks.unload(page.leave)
    return blocks


class Page:
    """The components of the page and what happens when they are used."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._jobs = itertools.count()

    def lay_out(self) -> None:
        """Make the components."""
        model = self.studio.service.model

        def words(said: Any) -> dict[str, Any]:  # no method: Gradio marks it with an attribute
            return words_of(model, said if isinstance(said, dict) else {})

        components.header(model_line(model))
        with gr.Row(elem_id="studio"):  # a grid, by theme.css
            self.stage = components.stage(value=empty_view(), elem_id="stage")
            self.form = components.form(
                elem_id="form",
                about=about(model),
                server_functions=[words],
            )
            self.look = components.look(elem_id="look")

    @property
    def controls(self) -> list[Any]:
        """The components that a wish is read from, in the order of `wish_of`."""
        return [self.stage, self.form]

    def wire(self) -> None:
        """Say what is called when."""
        hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        for event, does in (
            (self.stage.bring, self.bring),
            (self.stage.choose, self.choose),
            (self.stage.turn, self.turn),
            (self.stage.paint, self.paint),
            (self.stage.placed, self.placed),
            (self.form.reshape, self.place),
        ):
            event(does, self.controls, self.stage, **hidden)
        self.stage.example(self.example, self.controls, [self.stage, self.form], **hidden)
        self.form.plan(self.plan, self.controls, [self.stage, self.form], **hidden)
        self.form.make(
            self.make, self.controls, [self.stage, self.look, self.form],
            concurrency_limit=None, **hidden,
        )  # fmt: skip
        self.form.cancel(self.cancel, None, None, **hidden)

    # ------------------------------------------------------------------ events

    def bring(self, event: gr.EventData, request: gr.Request, *controls: Any) -> Any:
        """A picture was dropped, pasted, chosen or taken."""
        session = self._session(request)

        def bring() -> None:
            data = from_data_url(_sent(event, "data"))
            self.studio.bring(session, data, str(_sent(event, "name") or "picture"))

        return self._plant(session, controls, bring)

    def example(self, event: gr.EventData, request: gr.Request, *controls: Any) -> Any:
        """One of the pictures to start with was clicked."""
        session, example = self._session(request), find_example(_sent(event, "name"))
        stage, form = controls
        form = form if isinstance(form, dict) else {}
        # Its prompt is used if nothing else was written than that of another example.
        if form.get("prompt", "") in ("", *(one.prompt for one in EXAMPLES)):
            form = {**form, "prompt": example.prompt}
        view = self._plant(
            session, (stage, form), lambda: self.studio.bring(session, example.read(), example.name)
        )
        return view, form

    def choose(self, event: gr.EventData, request: gr.Request, *controls: Any) -> Any:
        """One of the faces was clicked, or all of the picture."""
        session, face = self._session(request), _sent(event, "face")
        index = face if isinstance(face, int) and face >= 0 else None
        return self._plant(session, controls, lambda: self.studio.choose(session, index))

    def turn(self, request: gr.Request, *controls: Any) -> Any:
        """The picture was turned."""
        session = self._session(request)
        return self._plant(session, controls, lambda: self.studio.turn(session))

    def paint(self, event: gr.EventData, request: gr.Request, *controls: Any) -> Any:
        """Somebody painted what is planted; without a mask, the outline that was found is used."""
        session, painted = self._session(request), _sent(event, "mask")

        def paint() -> None:
            mask = None
            if painted is not None:
                with open_image(io.BytesIO(from_data_url(painted)), "the mask", ("PNG",)) as image:
                    mask = as_mask(image)
            self.studio.place(session, read_placing(controls[0]))
            self.studio.paint(session, mask)

        with session.lock:
            return stage_view(self.studio, session, _problem_of(paint))

    def placed(self, event: gr.EventData, request: gr.Request, *controls: Any) -> Any:
        """The piece or a region was moved."""
        session, edit = self._session(request), _sent(event, "edit")
        with session.lock:
            problem = _problem_of(lambda: self.studio.place(session, read_placing(controls[0])))
            return placing_view(
                self.studio, session, problem, edit if isinstance(edit, int) else None
            )

    def place(self, request: gr.Request, *controls: Any) -> Any:
        """The format or the prompt was changed."""
        session = self._session(request)
        if session.picture is None:
            return gr.skip()
        view = self._plant(session, controls, lambda: None)
        del view["job"]  # a picture that is shown stays
        return view

    def _plant(self, session: Session, controls: Any, act: Callable[[], None]) -> dict[str, Any]:
        """Do something with the picture, plan again, and return what the stage shows."""
        with session.lock:
            problem = _problem_of(act)  # if there is one, what was there before stays
            if session.picture is not None:
                session.problem = _problem_of(lambda: self.studio.plan(session, wish_of(*controls)))
            return stage_view(self.studio, session, problem)

    def plan(self, event: gr.EventData, request: gr.Request, *controls: Any) -> Any:
        """`Plan for me` was clicked, or what it asks was agreed to."""
        session, turn = self._session(request), next(self._jobs)
        try:
            wish = wish_of(*controls)
            by_model, agreed_to = _sent(event, "by") == "model", str(_sent(event, "agreed_to"))
            said = plan_for_me(self.studio, session, wish, by_model, agreed_to)
        except SowError as error:
            said = {"problem": error_text(error)}
        view = stage_view(self.studio, session) if "prompt" in said else gr.skip()
        return view, gr.HTML(planned={**said, "id": turn})

    def make(self, request: gr.Request, *controls: Any) -> Iterator[Any]:
        """Generate was clicked."""
        session, job = self._session(request), next(self._jobs)
        for view, moment in self._moments(session, controls):
            shown = moment_view(moment)
            said = {key: shown[key] for key in ("stage", "place", "done", "message")}
            pictures = pictures_view(session.results) if moment.stage == "done" else gr.skip()
            yield {**view, "job": shown}, pictures, gr.HTML(job={**said, "id": job})

    def _moments(
        self, session: Session, controls: tuple[Any, ...]
    ) -> Iterator[tuple[dict[str, Any], Moment]]:
        """Yield the moments of a job, with what else the stage shows."""
        try:
            wish, view = wish_of(*controls), {}
            if session.picture is not None and not self.studio.is_planned(session, wish):
                view = self._plant(session, controls, lambda: None)
            for moment in self.studio.make(session, wish):
                yield view, moment
                view = {}
        except SowError as error:
            yield {}, Moment("failed", message=str(error))

    def cancel(self, request: gr.Request) -> None:
        """Cancel was clicked."""
        self.studio.cancel(self._session(request))

    def leave(self, request: gr.Request) -> None:
        """The page was closed."""
        self.studio.sessions.end(session_key(request))

    def _session(self, request: gr.Request) -> Session:
        return self.studio.sessions.get(session_key(request), person(request))


def session_key(request: gr.Request) -> str:
    """Return the name of a page's session: who knows Gradio's name of it cannot use it."""
    return f"{_browser(request)}/{request.session_hash}"


def person(request: gr.Request) -> str:
    """Return who stands in the line: a user, else a browser, else a machine."""
    client = request.client.host if request.client else ""
    return request.username or _browser(request) or client


def _browser(request: gr.Request) -> str:
    return owner_of(request.request.scope) if request.request else ""


def _problem_of(act: Callable[[], object]) -> str:
    """Do something, and return what was wrong with it as a sentence, or nothing."""
    try:
        act()
    except SowError as error:
        return error_text(error)
    return ""


def _sent(event: gr.EventData, name: str) -> Any:
    """Return a part of what an event of the page sent, or None; it may be anything."""
    data = event._data
    return data.get(name) if isinstance(data, dict) else None
