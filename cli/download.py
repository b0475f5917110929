"""`sow download`: download a model into the local cache."""

from __future__ import annotations

from typing import Annotated

import typer

from sow.cli.options import Json, Quiet, Revision
from sow.cli.output import print_json, print_note


def download(
    model: Annotated[str, typer.Argument(help="sd2.1, sdxl or a hub id: owner/name.")] = "sd2.1",
    revision: Revision = None,
    half: Annotated[
        bool | None,
        typer.Option(
            "--half/--full",
            help="Download fp16 files (2.6 GB for SD2.1) or fp32 (5.2 GB). Default: fp16 with a "
            "GPU.",
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Download a model (by default Stable Diffusion 2.1) into the local cache (HF_HOME)."""
    from sow.models import choose_device, download_model

    checkpoint = download_model(
        model,
        revision=revision,
        half=(lambda: choose_device() != "cpu") if half is None else half,
    )
    if json:
        print_json(
            {
                "model": checkpoint.name,
                "revision": checkpoint.revision,
                "folder": str(checkpoint.source),
            }
        )
    else:
        print_note(f"{checkpoint.name} ({checkpoint.revision}) is in {checkpoint.source}")
