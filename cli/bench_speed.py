"""`sow bench speed`: what pictures cost here, beside the bare UNet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sow.cli.options import Device, Dtype, Force, Json, Quiet
from sow.cli.output import print_json, say
from sow.cli.results import Changes
from sow.files import make_folder


def speed(
    model: Annotated[
        str,
        typer.Option(
            help="As for `sow generate`, or sd21-random: the architecture of Stable Diffusion 2.1 "
            "with random weights, which cost the same."
        ),
    ] = "figures",
    sections: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated: calls, wall, attention, batches, scaling, memory, hardware, "
            "start, compile. All of them; on a CPU compile only if it is named, or with --compile."
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds, of which medians are taken.")] = 5,
    set_: Changes = None,
    bare_calls: Annotated[
        int,
        typer.Option(min=1, help="Of each shape at most so many calls of the bare UNet a round."),
    ] = 1000,
    sizes: Annotated[
        str, typer.Option(help="Pictures in a call, in the sections batches and memory.")
    ] = "1,2,4,8,16",
    compile_: Annotated[
        bool, typer.Option("--compile", help="With the UNet's repeated blocks compiled.")
    ] = False,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The folder of speed.md and speed.json.")
    ] = Path("speed"),
    force: Force = False,
    json: Json = False,
    device: Device = "auto",
    dtype: Dtype = "auto",
    quiet: Quiet = False,
) -> None:
    """What pictures cost: calls, seconds and memory beside the bare UNet's, section by section."""
    from sow.benchmarks.speed import report as speed_report
    from sow.benchmarks.speed.subject import Subject

    batch_sizes = whole_numbers(sizes)
    speed_report.sections_of(sections, False)  # a wrong name is told before a model is loaded
    make_folder(out, "give another out=")
    speed_report.check_targets(out, force)
    subject = Subject.load(model, device=device, dtype=dtype, changed=set_ or (),
                           compiled=compile_, bare_calls=bare_calls,
                           sizes=batch_sizes)  # fmt: skip
    names = speed_report.sections_of(sections, subject.device.type == "cuda", compile_)
    found = []
    for section in speed_report.measured(subject, names, repeats, lambda name: say(f"{name} ...")):
        found.append(section)
        if not json:
            typer.echo(section.markdown())
    made = speed_report.Report(speed_report.facts_of(subject, repeats), found)
    if json:
        print_json(made.data())
    for path in made.write(out, force):
        say(f"{path}")


def whole_numbers(text: str) -> list[int]:
    """Numbers of pictures, in a list with commas.

    Raises:
        UsageError: if they are none.
    """
    from sow.errors import UsageError

    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and 0 < int(part[:4]) < 1000 for part in parts):
        raise UsageError(f"no sizes of batches: {text!r}", "give numbers such as --sizes 1,2,4")
    return [int(part) for part in parts]
