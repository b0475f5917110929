"""`sow bench speed`: what pictures cost here, beside the bare UNet."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from sow.cli.options import Device, Dtype, Json, Quiet
from sow.cli.output import print_json, printable, say
from sow.cli.results import Changes
from sow.errors import INTERRUPTED
from sow.files import abandon, make_folder


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
            help="Comma-separated: calls, wall, presets, attention, batches, scaling, memory, "
            "hardware, start, compile. All of them; on a CPU compile only if it is named, or with "
            "--compile, and presets of sd21-random only if it is named."
        ),
    ] = None,
    presets: Annotated[
        str | None,
        typer.Option(help="Comma-separated: those that the section presets draws. Default: all."),
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
        Path,
        typer.Option(
            "--out", "-o", help="The folder of speed.md and speed.json; run again, it goes on."
        ),
    ] = Path("speed"),
    force: Annotated[
        bool, typer.Option("--force", help="Start anew: what is in the folder is overwritten.")
    ] = False,
    json: Json = False,
    device: Device = "auto",
    dtype: Dtype = "auto",
    quiet: Quiet = False,
) -> None:
    """What pictures cost: calls, seconds and memory beside the bare UNet's, section by section.

    What is measured is kept after each section, and of presets after each preset.
    """
    from sow.benchmarks.speed.keeping import Keeper
    from sow.benchmarks.speed.report import facts_of, targets_in
    from sow.benchmarks.speed.sections import SECTIONS, check_sections, measured, sections_of
    from sow.benchmarks.speed.subject import Subject
    from sow.settings import Settings

    batch_sizes = whole_numbers(sizes)
    check_sections(sections)  # a wrong name is told before a model is loaded
    for name in listed(presets):
        Settings.preset(name)
    make_folder(out, "give another out=")
    keeper = Keeper(out, tuple(SECTIONS), force)
    if quiet:
        from sow.benchmarks.desk import quieten

        quieten()
    with stopping(keeper.told):
        subject = Subject.load(model, device=device, dtype=dtype, changed=set_ or (),
                               compiled=compile_, bare_calls=bare_calls,
                               sizes=batch_sizes, only=listed(presets))  # fmt: skip
        names = sections_of(sections, subject.device.type == "cuda", compile_, model)
        keeper.begin(facts_of(subject, repeats))
        for section in measured(subject, names, repeats, keeper, say):
            if not json:
                typer.echo(section.markdown())
    if json:
        print_json(keeper.report.data())
    for path in targets_in(out):
        say(f"{path}")


@contextmanager
def stopping(told: Callable[[], str]) -> Iterator[None]:
    """While open, an interrupt ends the program at once and says in a line what is kept.

    As `sow.cli.entry.leave` does: raised as an exception it would come out of a library as a
    traceback. What is kept is whole on the disk already.
    """
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: FrameType | None) -> None:
        abandon()
        end = "\n" if os.isatty(2) else ""  # below a bar
        os.write(2, f"{end}sow: interrupted; {printable(told())}\n".encode(errors="replace"))
        os._exit(INTERRUPTED)

    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def listed(text: str | None) -> list[str]:
    """Names in a list with commas."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


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
