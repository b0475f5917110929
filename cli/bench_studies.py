"""`sow bench study`, `interference` and `spatial`: experiments on how the method works."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sow.benchmarks.studies import STUDIES, Option, Study, choose
from sow.cli.long_runs import stop_on_interrupt
from sow.cli.options import Device, Dtype, Force, Json, ModelName, Quiet, Revision
from sow.cli.output import print_json, print_note, report
from sow.errors import UsageError
from sow.utils.files import make_folder
from sow.utils.representation import printable

Out = Annotated[
    Path,
    typer.Option("--out", "-o", help="Folder for tables and sheets; pictures are cached there."),
]


class StudyGroup(TyperGroup):
    """A group that suggests the nearest study for an unknown name."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of a study.

        Raises:
            UsageError: for an unknown name.
        """
        command = super().get_command(ctx, cmd_name)
        if command is None:
            known = tuple(study.name for study in STUDIES)
            raise UsageError(f"unknown study {cmd_name!r}", choose(cmd_name, known))
        return command


app = typer.Typer(
    cls=StudyGroup, help="Studies of the method, the judge and batches. Without a name: list them."
)


@app.callback(invoke_without_command=True)
def _listed(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        for study in STUDIES:
            typer.echo(f"{study.name}: {study.question}")
            typer.echo(f"    {study.duration} on one core; {study.table}")
        typer.echo("sow bench study NAME --help: the options of a study.")
        typer.echo("On any model: sow bench interference, sow bench spatial.")


def command_of(study: Study) -> Callable[..., None]:
    """Return the command of a study, with its own options and the output options."""

    def run(**values: Any) -> None:
        out, force, quiet = (values.pop(name) for name in ("out", "force", "quiet"))
        from sow.benchmarks.output import PICTURES, StudyOutput, hide_bars

        if quiet:
            hide_bars()
        command = command_line(study, values)
        study.check(values)
        make_folder(out, "give another out=")
        print_note(f"{study.duration} on one core with the usual numbers; Ctrl-C keeps pictures")
        kept = f"pictures are kept in {out / PICTURES}; to continue, run {command} again"
        with stop_on_interrupt(lambda: kept):
            study.run(StudyOutput(out, command, force, print_note), values)

    parts = [_parameter(option) for option in study.options]
    parts += [
        _keyword("out", Out, Path("studies")),
        _keyword("force", Force, False),
        _keyword("quiet", Quiet, False),
    ]
    command: Any = run  # Any: mypy does not let a function have __signature__
    command.__doc__ = f"{study.question} Takes {study.duration} on one core."
    command.__annotations__ = {part.name: part.annotation for part in parts}
    command.__signature__ = inspect.Signature(parts)
    return run


def _parameter(option: Option) -> inspect.Parameter:
    kind: Any = option.kind
    if option.argument:
        argument = typer.Argument(help=option.help, show_default=False)
        return _keyword(option.name, Annotated[kind, argument], inspect.Parameter.empty)
    flag = f"--{option.name}"
    if kind is Path and option.default is None:
        kind = Path | None
    return _keyword(
        option.name,
        Annotated[kind, typer.Option(flag, min=option.least, help=option.help)],
        option.default,
    )


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def command_line(study: Study, values: dict[str, Any]) -> str:
    """Return the command that repeats a study; options with their default are left out."""
    words = ["sow bench study", study.name]
    for option in study.options:
        value = values[option.name]
        if option.argument:
            words.append(str(value))
        elif value != option.default:
            words += [f"--{option.name}"] if value is True else [f"--{option.name} {value}"]
    return printable(" ".join(words))


for _study in STUDIES:
    app.command(_study.name)(command_of(_study))


def interference(
    model: ModelName = "auto",
    revision: Revision = None,
    steps: Annotated[int, typer.Option(min=2, max=100, help="Denoising steps.")] = 10,
    strength: Annotated[
        float, typer.Option(min=0, max=1, help="How strongly attention is enhanced or suppressed.")
    ] = 0.8,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="PNG to write; the numbers go to an .md beside it.")
    ] = Path("interference.png"),
    force: Force = False,
    json: Json = False,
    device: Device = "auto",
    dtype: Dtype = "auto",
    quiet: Quiet = False,
) -> None:
    """Merge two flat pictures at every state and denoise them: the paper's Fig. 4."""
    from sow.errors import DeviceError
    from sow.utils.files import check_output_path, write_png, write_text

    if out.suffix.lower() != ".png":
        raise UsageError(f"{str(out)!r} is not a .png file", "choose another name")
    table = out.with_suffix(".md")
    for target in (out, table):
        check_output_path(target, force)

    from sow.benchmarks.figures.studies.interference import KINDS
    from sow.benchmarks.figures.studies.interference import interference as run
    from sow.models import is_out_of_memory
    from sow.service.service import Service

    service = Service(model, revision=revision, device=device, dtype=dtype, report=report)
    pipe, checkpoint = service.pipe, service.model
    try:
        result = run(pipe, steps, strength, print_note)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise DeviceError(
            f"{pipe.device} has too little memory for {steps} pictures at a time",
            "try fewer --steps, dtype=float16 or device=cpu",
        ) from None
    write_png(result.sheet(), out, force=force)
    title = f"Two flat pictures merged at every state: {checkpoint.name}, strength {strength:g}"
    write_text("\n".join([f"# {title}", "", *result.table(), ""]), table, force=force)
    print_note(f"{out} and {table}")
    if json:
        moved = {kind: result.moved[kind].tolist() for kind in KINDS}
        print_json(
            {
                "file": str(out),
                "model": checkpoint.name,
                "revision": checkpoint.revision,
                "steps": steps,
                "strength": strength,
                "moved": moved,
            }
        )


def spatial(
    model: ModelName = "auto",
    revision: Revision = None,
    detector: Annotated[
        str, typer.Option(help="Object detector: a folder or hub id of OWL-ViT or OWLv2.")
    ] = "google/owlv2-base-patch16-ensemble",
    num: Annotated[int, typer.Option("--num", "-n", min=1, max=100, help="Seeds per prompt.")] = 1,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="First seed.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Number of prompts.")] = 100,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the pictures and spatial.md.")
    ] = Path("spatial"),
    force: Force = False,
    device: Device = "auto",
    dtype: Dtype = "auto",
    quiet: Quiet = False,
) -> None:
    """Draw a hundred prompts with one object left of, right of, above or below another.

    Each is drawn by the prompt alone and with layout. Existing pictures of this model are reused.
    """
    from sow.utils.files import check_output_path, write_text

    table = out / "spatial.md"
    check_output_path(table, force)

    from sow.benchmarks.output import hide_bars
    from sow.benchmarks.spatial import detector as load
    from sow.benchmarks.spatial import spatial as run
    from sow.cli.long_runs import Forecast
    from sow.service.service import Service

    service = Service(model, revision=revision, device=device, dtype=dtype, report=report)
    name = service.model.name
    find = load(detector, str(service.pipe.device))
    service.pipe.set_progress_bar_config(disable=True)
    if quiet:
        hide_bars()
    total = 2 * num * limit
    forecast = Forecast(total, print_note)
    print_note(f"{total} pictures, of which those that are in {out} are reused")
    kept = f"pictures are kept in {out}; run the same command to continue and write {table}"
    with stop_on_interrupt(lambda: kept):
        lines = run(service, find, out, range(seed, seed + num), limit, forecast.add)
    title = f"# Spatial relations: {name}, {limit} sentences, seeds {seed} to {seed + num - 1}"
    write_text("\n".join([title, "", f"Found by {detector}.", "", *lines, ""]), table, force=force)
    print_note(f"{table}")
