"""`sow study`: experiments that show how the method works."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sow.cli.groups import group
from sow.cli.options import Device, Dtype, Force, Json, ModelName, Quiet, Revision
from sow.cli.output import print_json, report, say

app = group("Experiments that show how the method works.")


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


@app.command()
def spatial(
    model: ModelName = "auto",
    revision: Revision = None,
    detector: Annotated[
        str, typer.Option(help="Who looks for the things: a folder or hub id of OWL-ViT or OWLv2.")
    ] = "google/owlv2-base-patch16-ensemble",
    num: Annotated[int, typer.Option("--num", "-n", min=1, max=100, help="Seeds each.")] = 1,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="The first of them.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many sentences.")] = 100,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The folder of the pictures and of spatial.md.")
    ] = Path("spatial"),
    force: Force = False,
    device: Device = "auto",
    dtype: Dtype = "auto",
    quiet: Quiet = False,
) -> None:
    """A hundred sentences of one thing left of, right of, above or below another.

    Each by the prompt alone and with layout. Pictures that are there already are not made again.
    """
    from sow.files import check_free, write_text

    table = out / "spatial.md"
    check_free(table, force)

    from sow.benchmarks.spatial import detector as load
    from sow.benchmarks.spatial import spatial as run
    from sow.service.service import Service

    service = Service(model, revision=revision, device=device, dtype=dtype, report=report)
    name = service.model.name
    find = load(detector, str(service.pipe.device))
    service.pipe.set_progress_bar_config(disable=True)
    lines = run(service, find, out, range(seed, seed + num), limit)
    title = f"# Spatial relations: {name}, {limit} sentences, seeds {seed} to {seed + num - 1}"
    write_text("\n".join([title, "", f"Found by {detector}.", "", *lines, ""]), table, force=force)
    say(f"{table}")
