"""`sow study`: experiments that show how the method works."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sow.cli.options import Device, Dtype, Force, Json, ModelName, Quiet, Revision
from sow.cli.output import print_json, report, say

app = typer.Typer(help="Experiments that show how the method works.")


@app.callback(invoke_without_command=True)
def _studies(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def interference(
    model: ModelName = "auto",
    revision: Revision = None,
    steps: Annotated[int, typer.Option(min=2, max=100, help="States of the trajectory.")] = 10,
    strength: Annotated[
        float, typer.Option(min=0, max=1, help="How far attention is enhanced or suppressed.")
    ] = 0.8,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The .png to write; the numbers go beside it, .md.")
    ] = Path("interference.png"),
    force: Force = False,
    json: Json = False,
    device: Device = "auto",
    dtype: Dtype = "auto",
    quiet: Quiet = False,
) -> None:
    """Two flat pictures merged at every state and denoised: the paper's Fig. 4."""
    from sow.errors import DeviceError, UsageError
    from sow.files import check_free, write_png, write_text

    if out.suffix.lower() != ".png":
        raise UsageError(f"{str(out)!r} is no .png file", "choose another name")
    table = out.with_suffix(".md")
    for target in (out, table):
        check_free(target, force)

    from sow.benchmarks.figures.studies.interference import KINDS
    from sow.benchmarks.figures.studies.interference import interference as run
    from sow.models import out_of_memory
    from sow.service.service import Service

    service = Service(model, revision=revision, device=device, dtype=dtype, report=report)
    pipe, found = service.pipe, service.model
    try:
        result = run(pipe, steps, strength)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise DeviceError(
            f"{pipe.device} has too little memory for {steps} pictures at a time",
            "try fewer --steps, dtype=float16 or device=cpu",
        ) from None
    write_png(result.sheet(), out, force=force)
    title = f"Two flat pictures merged at every state: {found.name}, strength {strength:g}"
    write_text("\n".join([f"# {title}", "", *result.table(), ""]), table, force=force)
    say(f"{out} and {table}")
    if json:
        moved = {kind: result.moved[kind].tolist() for kind in KINDS}
        print_json(
            {
                "file": str(out),
                "model": found.name,
                "revision": found.revision,
                "steps": steps,
                "strength": strength,
                "moved": moved,
            }
        )
