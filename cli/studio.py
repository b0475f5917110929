"""`sow studio`: the web page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sow.cli.options import Device, Dtype, ModelName
from sow.cli.output import report
from sow.errors import UsageError


def studio(
    model: ModelName = "auto",
    host: Annotated[
        str, typer.Option(help="Address to listen on. Default: this machine only.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port to listen on. Default: a free one from 7860."),
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the results.")] = Path(
        "studio"
    ),
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Start a web page where a picture is planted by hand (needs the extra studio)."""
    from sow.service.service import Service

    try:
        from sow.studio.launch import launch
    except ModuleNotFoundError as error:
        if error.name != "gradio":
            raise
        raise UsageError("sow studio needs Gradio", "run pip install 'sow[studio]'") from None
    service = Service(model, device=device, dtype=dtype, report=report)
    launch(service, out, server_name=host, server_port=port, inbrowser=open_page)
