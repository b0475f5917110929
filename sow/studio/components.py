"""Our own components: HTML, CSS and JavaScript in `page/`, as Gradio's `gr.HTML` runs them.

A component's HTML is drawn once; its JavaScript draws what is in `props.value`, calls
`trigger("event", data)` for an event, and is told of new values by `watch("value", …)`.

They are functions: for a class of its own, Gradio would write a file beside the module.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

PAGE = Path(__file__).parent / "page"


def stage(**options: Any) -> gr.HTML:
    """Return the canvas: a picture is dropped, planted, placed, and becomes visible here.

    Value that it is sent: `sow.studio.views.empty_view`, then `stage_view`, and parts of it:
    `placing_view`, and `moment_view` as `job` while a picture is made. Value that it sends back:
    `box` and `regions` (boxes by label), both only if the user moved them, and the `version` that
    they were moved on.

    Events: `bring` (`data`, a data URL, and `name`), `example` (`name`), `choose` (`face`, an
    index, or -1 for all of the picture), `turn`, `paint` (`mask`, a data URL of the piece's size
    as the page shows it, or None), `placed` (`edit`, a number that comes back).
    """
    scripts = ("boxes", "bringing", "painting", "placing")
    return _component("stage", scripts, **options)


def look(**options: Any) -> gr.HTML:
    """Return the grid of finished pictures.

    Value: see `sow.studio.views.look_view`. Events: `open` (`name`), `search` (`query`), `more`.
    """
    return _component("look", **options)


def viewer(**options: Any) -> gr.HTML:
    """Return the large view of a picture.

    Value: see `sow.studio.views.picture_view`, with an `id` that no two openings share. Props:
    `job`, see `sow.studio.views.moment_view`, while a picture is explained.
    Events, all with `name`: `step` (`by`, 1 for the next and -1 for the one before), `vary`, `use`,
    `explain`.
    """
    return _component("viewer", job=None, **options)


def form(**options: Any) -> gr.HTML:
    """Return the controls: the prompt, Generate, and the choices.

    Value: see `sow.studio.form.FormValue`. Props: `about`, see `sow.studio.form.about`; `job`, see
    `sow.studio.views.moment_view`; `planned`, see `sow.studio.asking.plan_for_me`; both with an
    `id`, since the page takes no notice of what it has seen before. An event that returns
    `gr.HTML(job=…)` leaves the value, which is being typed, as it is.
    It asks the server's function `words` what the model makes of the prompt (`form.words_of`).
    Events: `make`, `cancel`, `reshape` (what the plan depends on was changed), `plan` (`by`,
    `rules` or `model`, and `agreed_to`, a host).
    """
    return _component("form", ("words", "planning"), job=None, planned=None, **options)


def header(model_line: str) -> gr.HTML:
    """Return the head of the page. Value: what the model is."""
    return _component("header", value=model_line, elem_id="header")


def _component(name: str, scripts: tuple[str, ...] = (), **options: Any) -> gr.HTML:
    """Return a component of `page/name.html`, `.css` and `.js`, with other scripts before it."""
    return gr.HTML(
        html_template=_part(f"{name}.html"),
        css_template=_part(f"{name}.css"),
        js_on_load="\n".join(_part(f"{script}.js") for script in (*scripts, name)),
        apply_default_css=False,
        **options,
    )


def _part(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")
