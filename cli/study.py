"""`sow study`: experiments that show how the method works."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sow.cli.common import Force, Json, ModelName, Revision, print_json, say

app = typer.Typer(help="Experiments that show how the method works.", no_args_is_help=True)


@app.callback()
def _studies() -> None:
    """Keeps `interference` a command of its own while it is the only one."""


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
    from sow.errors import UsageError
    from sow.recipe import check_free, write_png, write_text

    if out.suffix.lower() != ".png":
        raise UsageError(f"{str(out)!r} is no .png file", "choose another --out")
    table = out.with_suffix(".md")
    for target in (out, table):
        check_free(target, force)

    from sow.benchmarks.interference import KINDS
    from sow.benchmarks.interference import interference as run
    from sow.models import load_pipeline

    pipe = load_pipeline(model, device=device, dtype=dtype, revision=revision)
    result = run(pipe, steps, strength)
    write_png(result.sheet(), out, force=force)
    title = f"Two flat pictures merged at every state, {pipe.canvas[0]} px, strength {strength:g}"
    write_text("\n".join([f"# {title}", "", *result.table(), ""]), table, force=force)
    say(f"{out} and {table}")
    if json:
        moved = {kind: result.moved[kind].tolist() for kind in KINDS}
        print_json({"file": str(out), "steps": steps, "strength": strength, "moved": moved})
