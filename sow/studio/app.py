"""The page: its layout, and which method of `Studio` each event calls."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import gradio as gr

from sow.errors import SowError
from sow.studio import components
from sow.studio.form import about, model_line, wish_of, words_of
from sow.studio.guard import owner_of
from sow.studio.job import Moment
from sow.studio.session import Session
from sow.studio.studio import Studio
from sow.studio.views import from_data_url, moment_view, pictures_view, stage_view

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
            self.stage = components.stage(elem_id="stage")
            self.form = components.form(
                elem_id="form", about=about(model), server_functions=[words]
            )
            self.look = components.look(elem_id="look")

    @property
    def controls(self) -> list[Any]:
        """The components that a wish is read from, in the order of `wish_of`."""
        return [self.stage, self.form]

    def wire(self) -> None:
        """Say what is called when."""
        hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        self.stage.bring(self.bring, self.controls, self.stage, **hidden)
        self.form.reshape(self.place, self.controls, self.stage, **hidden)
        self.form.make(
            self.make, self.controls, [self.stage, self.look, self.form],
            concurrency_limit=None, **hidden,
        )  # fmt: skip
        self.form.cancel(self.cancel, None, None, **hidden)

    # ------------------------------------------------------------------ events

    def bring(self, event: gr.EventData, request: gr.Request, *controls: Any) -> Any:
        """A picture was dropped."""
        session = self._session(request)
        try:
            data = from_data_url(event.data)
            self.studio.bring(session, data, str(event.name))
            self.studio.plan(session, wish_of(*controls))
        except SowError as error:
            raise gr.Error(str(error)) from None
        return stage_view(self.studio, session)

    def place(self, request: gr.Request, *controls: Any) -> Any:
        """The format was changed."""
        session = self._session(request)
        if session.picture is not None:
            self.studio.plan(session, wish_of(*controls))
        return stage_view(self.studio, session)

    def make(self, request: gr.Request, *controls: Any) -> Iterator[Any]:
        """Generate was clicked."""
        session, job = self._session(request), next(self._jobs)
        view: dict[str, Any] = {}
        for moment in self._moments(session, controls):
            view = view or stage_view(self.studio, session)
            shown = moment_view(moment)
            said = {key: value for key, value in shown.items() if key != "preview"}
            yield {**view, "job": shown}, gr.skip(), gr.HTML(job={**said, "id": job})
        if moment.stage == "done":
            yield stage_view(self.studio, session), pictures_view(session.results), gr.skip()

    def _moments(self, session: Session, controls: tuple[Any, ...]) -> Iterator[Moment]:
        try:
            yield from self.studio.make(session, wish_of(*controls))
        except SowError as error:
            yield Moment("failed", message=str(error))

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
