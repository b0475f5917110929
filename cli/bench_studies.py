"""`sow bench study`, `interference` and `spatial`: experiments that show how the method works."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sow.benchmarks.studies import STUDIES, Option, Study, near
from sow.cli.options import Device, Dtype, Force, Json, ModelName, Quiet, Revision
from sow.cli.output import print_json, printable, report, say
from sow.errors import UsageError

Out = Annotated[
    Path,
    typer.Option("--out", "-o", help="The folder of tables and sheets; pictures are kept there."),
]


class Studies(TyperGroup):
    """Says which study a wrong name is near."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One of them.

        Raises:
            UsageError: for an unknown name.
        """
        found = super().get_command(ctx, cmd_name)
        if found is None:
            known = tuple(each.name for each in STUDIES)
            raise UsageError(f"no study {cmd_name!r}", near(cmd_name, known))
        return found


app = typer.Typer(cls=Studies, help="Studies of the method, the judge and batches; a list of them.")


@app.callback(invoke_without_command=True)
def _listed(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        for each in STUDIES:
            typer.echo(f"{each.name}: {each.asks}")
            typer.echo(f"    {each.takes} on one core; {each.table}")
        typer.echo("sow bench study NAME --help: what can be said of one.")
        typer.echo("On any model: sow bench interference, sow bench spatial.")


def command_of(each: Study) -> Callable[..., None]:
    """The command of a study: its own options, and where it writes."""

    def run(**given: Any) -> None:
        out, force, quiet = (given.pop(name) for name in ("out", "force", "quiet"))
        from sow.benchmarks.desk import Desk, quieten

        if quiet:
            quieten()
        each.run(Desk(out, typed(each, given), force, say), given)

    parts = [_parameter(option) for option in each.options]
    parts += [
        _keyword("out", Out, Path("studies")), _keyword("force", Force, False),
        _keyword("quiet", Quiet, False),
    ]  # fmt: skip
    command: Any = run  # functions have no signature to set, as mypy knows them
    command.__doc__ = f"{each.asks} Takes {each.takes} on one core."
    command.__annotations__ = {part.name: part.annotation for part in parts}
    command.__signature__ = inspect.Signature(parts)
    return run


def _parameter(option: Option) -> inspect.Parameter:
    kind: Any = option.kind
    if option.argument:
        said = typer.Argument(help=option.help, show_default=False)
        return _keyword(option.name, Annotated[kind, said], inspect.Parameter.empty)
    flag = f"--{option.name}"
    if kind is Path and option.default is None:
        kind = Path | None
    return _keyword(
        option.name, Annotated[kind, typer.Option(flag, min=option.least, help=option.help)],
        option.default,
    )  # fmt: skip


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)


def typed(each: Study, given: dict[str, Any]) -> str:
    """The command that repeats a study: what is not by default."""
    words = ["sow bench study", each.name]
    for option in each.options:
        value = given[option.name]
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
    from sow.errors import DeviceError
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

    Each by the prompt alone and with layout. What this model has drawn there is not drawn again.
    """
    from sow.files import check_free, write_text

    table = out / "spatial.md"
    check_free(table, force)

    from sow.benchmarks.desk import quieten
    from sow.benchmarks.spatial import detector as load
    from sow.benchmarks.spatial import spatial as run
    from sow.service.service import Service

    service = Service(model, revision=revision, device=device, dtype=dtype, report=report)
    name = service.model.name
    find = load(detector, str(service.pipe.device))
    service.pipe.set_progress_bar_config(disable=True)
    if quiet:
        quieten()
    lines = run(service, find, out, range(seed, seed + num), limit)
    title = f"# Spatial relations: {name}, {limit} sentences, seeds {seed} to {seed + num - 1}"
    write_text("\n".join([title, "", f"Found by {detector}.", "", *lines, ""]), table, force=force)
    say(f"{table}")
