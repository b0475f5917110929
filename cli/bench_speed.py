"""`sow bench speed`: the cost of pictures on this machine, compared with the UNet alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sow.cli.long_runs import stop_on_interrupt
from sow.cli.options import Changes, Device, Dtype, Json, Quiet
from sow.cli.output import print_json, print_note
from sow.utils.files import make_folder


def speed(
    model: Annotated[
        str,
        typer.Option(
            help="As for `sow generate`, or sd21-random or sdxl-random: these architectures "
            "with random weights, at the same cost."
        ),
    ] = "figures",
    sections: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated: calls, wall, presets, attention, batches, scaling, memory, "
            "hardware, start, compile. Default: all; on a CPU without compile (unless --compile) "
            "and, for random weights, without presets."
        ),
    ] = None,
    presets: Annotated[
        str | None,
        typer.Option(help="Comma-separated presets for the section presets. Default: all."),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds; results are medians.")] = 5,
    set_: Changes = None,
    bare_calls: Annotated[
        int,
        typer.Option(min=1, help="Maximum number of UNet-only calls per input shape and round."),
    ] = 1000,
    sizes: Annotated[
        str, typer.Option(help="Batch sizes for the sections batches and memory.")
    ] = "1,2,4,8,16",
    compile_: Annotated[
        bool, typer.Option("--compile", help="Compile the UNet's repeated blocks.")
    ] = False,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="Folder for speed.md and speed.json. Run the same command again to resume.",
        ),
    ] = Path("speed"),
    force: Annotated[
        bool, typer.Option("--force", help="Start over and overwrite earlier results.")
    ] = False,
    json: Json = False,
    device: Device = "auto",
    dtype: Dtype = "auto",
    quiet: Quiet = False,
) -> None:
    """Measure the calls, seconds and memory of a picture, compared with the UNet alone.

    Results are saved after each section, and in the section presets after each preset.
    """
    from sow.benchmarks.speed.report import facts_of, targets_in
    from sow.benchmarks.speed.sections import SECTIONS, check_sections, measured, sections_of
    from sow.benchmarks.speed.store import ReportStore
    from sow.benchmarks.speed.subject import Subject
    from sow.settings.settings import Settings

    batch_sizes = batch_sizes_of(sizes)
    check_sections(sections)  # before a model is loaded
    for name in split_names(presets):
        Settings.preset(name)
    make_folder(out, "give another out=")
    store = ReportStore(out, tuple(SECTIONS), force)
    if quiet:
        from sow.benchmarks.output import hide_bars

        hide_bars()
    with stop_on_interrupt(store.summary):
        subject = Subject.load(
            model,
            device=device,
            dtype=dtype,
            changed=set_ or (),
            compiled=compile_,
            bare_calls=bare_calls,
            sizes=batch_sizes,
            only=split_names(presets),
        )
        names = sections_of(sections, subject.device.type == "cuda", compile_, model)
        store.begin(facts_of(subject, repeats))
        for section in measured(subject, names, repeats, store, print_note):
            if not json:
                typer.echo(section.markdown())
    if json:
        print_json(store.report.data())
    for path in targets_in(out):
        print_note(f"{path}")


def split_names(text: str | None) -> list[str]:
    """Split a comma-separated list of names."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def batch_sizes_of(text: str) -> list[int]:
    """Parse a comma-separated list of batch sizes.

    Raises:
        UsageError: if one is not a number from 1 to 999.
    """
    from sow.errors import UsageError

    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and 0 < int(part[:4]) < 1000 for part in parts):
        raise UsageError(f"invalid batch sizes {text!r}", "use numbers such as --sizes 1,2,4")
    return [int(part) for part in parts]
