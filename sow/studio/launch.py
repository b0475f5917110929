"""Start the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sow.service.service import Service
from sow.studio.app import build
from sow.studio.studio import Studio


def launch(service: Service, out: Path, **options: Any) -> Any:
    """Start the page and return Gradio's app, its address and the public one if there is any.

    options: of `gr.Blocks.launch`.
    """
    blocks = build(Studio(service, out))
    blocks.queue(default_concurrency_limit=None)
    return blocks.launch(footer_links=[], **options)
