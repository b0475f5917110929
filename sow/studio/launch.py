"""Start the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from sow.service.service import Service
from sow.studio.app import build
from sow.studio.components import PAGE
from sow.studio.studio import Studio

FONT = ("system-ui", "sans-serif")
MONO = ("ui-monospace", "monospace")


def launch(service: Service, out: Path, **options: Any) -> Any:
    """Start the page and return Gradio's app, its address and the public one if there is any.

    options: of `gr.Blocks.launch`.
    """
    blocks = build(Studio(service, out))
    blocks.queue(default_concurrency_limit=None)
    # System fonts: a page that loads nothing from elsewhere tells nobody who looks at it.
    theme = gr.themes.Base(font=FONT, font_mono=MONO)
    return blocks.launch(footer_links=[], theme=theme, css_paths=PAGE / "theme.css", **options)
