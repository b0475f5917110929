"""`sow graph`: find a scene graph in a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sow.cli.options import Device, Dtype, Force, Json, ModelName, Quiet, Revision
from sow.cli.output import print_json, print_note, report
from sow.cli.paths import check_no_overwrite
from sow.utils.files import unused_path


def graph(
    picture: Annotated[Path, typer.Argument(help="Picture to read.", show_default=False)],
    labels: Annotated[str, typer.Option(help="Comma-separated things to find: person,dog,ball.")],
    condition: Annotated[
        str | None,
        typer.Option(help="Which of them to plant when the graph is laid out again."),
    ] = None,
    model: ModelName = "auto",
    revision: Revision = None,
    draw: Annotated[
        Path | None,
        typer.Option(
            help="PNG to draw the graph in. Default: <picture>-graph.png, numbered if it exists."
        ),
    ] = None,
    no_draw: Annotated[bool, typer.Option("--no-draw", help="Do not draw the graph.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write the JSON to this file instead of printing it."),
    ] = None,
    force: Force = False,
    json: Json = False,
    device: Device = "auto",
    dtype: Dtype = "auto",
    quiet: Quiet = False,
) -> None:
    """Find things in a picture, and where they are relative to one another.

    \b
    sow graph photo.png --labels "person,dog" --condition person --out scene.json
    sow generate --face img.png --prompt "a person in the snow" --graph scene.json
    """
    from sow.service.scene_reading import parse_labels
    from sow.service.service import Service
    from sow.utils.files import check_output_path, write_png

    names = parse_labels(labels)
    target = None if no_draw else draw or unused_path(Path(f"{picture.stem}-graph.png"), force)
    service = Service(model, revision=revision, device=device, dtype=dtype, report=report)
    check_no_overwrite([picture, Path(model)], [target, out])
    for path in (target, out):
        if path is not None:
            check_output_path(path, force)
    if quiet:
        service.pipe.set_progress_bar_config(disable=True)
    found = service.graph(picture, names, condition)
    if target is not None:
        write_png(found.draw(), target, force=force)
        print_note(f"drawn: {target}")
    if out is not None:
        found.save(out, force=force)
        print_note(f"written: {out}")
    if json:
        print_json({"canvas": list(found.picture.size), **found.to_dict()})
    elif out is None:
        print_json(found.to_dict())
