"""`sow study`: experiments that show how the method works."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sow.cli.common import Force, Json, ModelName, Revision, print_json, say

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
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    dtype: Annotated[str, typer.Option(help="auto, float32, float16 or bfloat16.")] = "auto",
) -> None:
    """Two flat pictures merged at every state and denoised: the paper's Fig. 4."""
    from sow.errors import DeviceError, UsageError
    from sow.recipe import check_free, write_png, write_text

    if out.suffix.lower() != ".png":
        raise UsageError(f"{str(out)!r} is no .png file", "choose another --out")
    table = out.with_suffix(".md")
    for target in (out, table):
        check_free(target, force)

    from sow.benchmarks.interference import KINDS
    from sow.benchmarks.interference import interference as run
    from sow.models import choose_device, choose_dtype, find_model, load_pipeline, out_of_memory

    half = choose_dtype(dtype, choose_device(device)).itemsize == 2
    found = find_model(model, revision=revision, half=half)
    for note in found.notes:
        say(f"note: {note}")
    pipe = load_pipeline(found, device=device, dtype=dtype)
    say(f"model: {found.name} ({found.revision}) on {pipe.device}")
    try:
        result = run(pipe, steps, strength)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise DeviceError(
            f"{pipe.device} has too little memory for {steps} pictures at a time",
            "try fewer --steps, --dtype float16 or --device cpu",
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
