"""Start the page, and end it in good order."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from sow.errors import UsageError
from sow.service.service import Service
from sow.studio.access import Account, check_access, free_port, is_local
from sow.studio.app import build
from sow.studio.components import PAGE
from sow.studio.examples import Start
from sow.studio.guard import MAX_BODY, Guard
from sow.studio.session import MAX_SESSIONS
from sow.studio.studio import Studio

FONT = ("system-ui", "sans-serif")
MONO = ("ui-monospace", "monospace")
SWEEP = 60.0
"""Seconds between two looks for sessions that are idle."""


@dataclass(frozen=True)
class Served:
    """A page that is served.

    Attributes:
        url: its address on this machine.
        share_url: its public address, if it has one.
        studio: what it does.
        folder: where Gradio puts files, of programs only.
    """

    url: str
    share_url: str | None
    studio: Studio
    folder: Path


@contextlib.contextmanager
def serve(
    service: Service,
    out: Path,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    accounts: Sequence[Account] = (),
    share: bool = False,
    start: Start | None = None,
    **options: Any,
) -> Iterator[Served]:
    """Serve the page while the block runs; afterwards nothing of what people brought is left.

    Args:
        service: makes plans and pictures.
        out: the folder of the results.
        host: the address to listen on.
        port: 0 takes a free one, None the first that is free from 7860.
        accounts: who may use it; all who can reach it, if there are none.
        share: also give it a public address, through Gradio's servers.
        start: what every page begins with.
        options: of `gr.Blocks.launch`.

    Raises:
        UsageError: if others could use it without a password, the address cannot be had,
            or the results would go into a file.
    """
    check_access(host, share, accounts)
    if os.path.lexists(out) and not out.is_dir():
        raise UsageError(f"out={out} is not a folder", "choose another")
    port = free_port(host, port)
    studio = Studio(service, out, shared=not accounts)
    with _private_gradio() as folder:
        blocks = build(studio, start)
        blocks.queue(default_concurrency_limit=None, api_open=False)
        # System fonts: a page that loads nothing from elsewhere tells nobody who looks at it.
        theme = gr.themes.Base(font=FONT, font_mono=MONO)
        guard = Middleware(Guard, only_local=is_local(host) and not share)
        # With `share`, Gradio prints why there is no public address.
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            _, url, share_url = blocks.launch(
                server_name=host,
                server_port=port,
                auth=list(accounts) or None,
                share=share,
                quiet=True,
                prevent_thread_lock=True,
                footer_links=[],
                theme=theme,
                css_paths=PAGE / "theme.css",
                app_kwargs={"middleware": [guard]},
                max_threads=2 * MAX_SESSIONS,  # a page that waits holds one
                max_file_size=MAX_BODY,
                run_history=False,
                enable_monitoring=False,
                mcp_server=False,
                ssr_mode=False,
                pwa=False,
                num_workers=0,
                inline=False,
                **options,
            )
        ended = threading.Event()
        threading.Thread(target=_sweep, args=(studio, ended), daemon=True).start()
        try:
            if share and not share_url:
                why = " ".join(printed.getvalue().split())
                raise UsageError(f"there is no public address: {why}", "leave out share=")
            yield Served(url, share_url, studio, folder)
        finally:
            ended.set()
            studio.sessions.end_all()
            blocks.close(verbose=False)


@contextlib.contextmanager
def _private_gradio() -> Iterator[Path]:
    """Give Gradio a folder for files that nobody else can read, and none of the user's variables.

    `GRADIO_SHARE`, `GRADIO_ALLOWED_PATHS` and others would open what is closed here.
    """
    before = {name: text for name, text in os.environ.items() if name.startswith("GRADIO_")}
    folder = Path(tempfile.mkdtemp(prefix="sow-studio-"))  # 0700
    for name in before:
        del os.environ[name]
    os.environ.update(
        GRADIO_TEMP_DIR=str(folder),
        GRADIO_EXAMPLES_CACHE=str(folder / "examples"),
        GRADIO_ANALYTICS_ENABLED="False",
        GRADIO_HEARTBEAT_INTERVAL="5",  # a program that leaves says so at the next one
    )
    try:
        yield folder
    finally:
        for name in [name for name in os.environ if name.startswith("GRADIO_")]:
            del os.environ[name]
        os.environ.update(before)
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(studio: Studio, ended: threading.Event) -> None:
    while not ended.wait(SWEEP):
        studio.sessions.end_idle()
