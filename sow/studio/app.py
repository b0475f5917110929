"""The page: its layout, and which method of `Studio` each event calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from sow.errors import SowError
from sow.plan.box import Box
from sow.studio import components
from sow.studio.session import Session
from sow.studio.studio import Studio, Wish
from sow.studio.views import from_data_url, moment_view, pictures_view, stage_view


def build(studio: Studio) -> gr.Blocks:
    """Return the page."""
    page = Page(studio)
    blocks: gr.Blocks
    with gr.Blocks(title="SOW Studio", analytics_enabled=False) as blocks:
        page.lay_out()
        page.wire()
        blocks.unload(page.leave)
    return blocks


class Page:
    """The components of the page and what happens when they are used."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def lay_out(self) -> None:
        """Make the components."""
        with gr.Row(elem_id="studio"):
            with gr.Column(scale=3):
                self.stage = components.stage(elem_id="stage")
                self.look = components.look(elem_id="look")
            with gr.Column(scale=2, min_width=320):
                self.prompt = gr.Textbox(label="What should grow around it?", lines=2)
                self.go = gr.Button("Generate", variant="primary", elem_id="generate")
                self.stop = gr.Button("Cancel", elem_id="cancel")
                self.canvas = gr.Radio(
                    [("square", ""), "2:3", "3:2", "9:16"], value="", label="Format"
                )
                self.num = gr.Slider(1, 8, 1, step=1, label="Pictures")
                self.seed = gr.Number(value=-1, precision=0, label="Seed (-1: a new one each time)")
                with gr.Accordion("More", open=False):
                    self.negative = gr.Textbox(label="It must not show")
                    self.setting = gr.Radio(
                        [("read from the prompt", ""), "normal", "attribute", "style"],
                        value="",
                        label="Setting",
                    )
                    self.likeness = gr.Slider(0, 1, label="Likeness")

    @property
    def controls(self) -> list[Any]:
        """The components that a wish is read from, in the order of `wish_of`."""
        return [
            self.stage, self.prompt, self.negative, self.setting, self.canvas, self.num, self.seed,
        ]  # fmt: skip

    def wire(self) -> None:
        """Say what is called when."""
        hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        self.stage.bring(self.bring, self.controls, self.stage, **hidden)
        self.canvas.change(self.place, self.controls, self.stage, **hidden)
        self.go.click(
            self.make, self.controls, [self.stage, self.look], concurrency_limit=None, **hidden
        )
        self.stop.click(self.cancel, None, None, **hidden)

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
        session = self._session(request)
        view: dict[str, Any] = {}
        for moment in self.studio.make(session, wish_of(*controls)):
            view = view or stage_view(self.studio, session)
            yield {**view, "job": moment_view(moment)}, gr.skip()
        if moment.stage == "done":
            yield stage_view(self.studio, session), pictures_view(session.results)

    def cancel(self, request: gr.Request) -> None:
        """Cancel was clicked."""
        self.studio.cancel(self._session(request))

    def leave(self, request: gr.Request) -> None:
        """The page was closed."""
        self.studio.sessions.end(str(request.session_hash))

    def _session(self, request: gr.Request) -> Session:
        return self.studio.sessions.get(str(request.session_hash))


def wish_of(
    stage: Any, prompt: str, negative: str, setting: str, canvas: str, num: float, seed: float
) -> Wish:
    """Return what the controls say; the stage's value comes from a browser and may be anything."""
    piece = (stage or {}).get("piece")
    return Wish(
        prompt=prompt or "",
        negative=negative or None,
        setting=setting or None,
        canvas=canvas or None,
        box=Box.model_validate(piece["box"]) if piece else None,
        seed=None if seed is None or seed < 0 else int(seed),
        num=int(num),
    )
