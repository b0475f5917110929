"""`sow bench survey` and `sow bench votes`: what people say of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sow.cli.options import Force
from sow.cli.output import say
from sow.cli.targets import made

Given = Annotated[Path, typer.Argument(help="A folder of results.")]
Key = Annotated[Path, typer.Option(help="The file that says which picture is whose.")]


def survey(
    results: Given,
    out: Annotated[Path, typer.Option("--out", "-o", help="The new folder of the page.")],
    key: Key,
    ask: Annotated[str, typer.Option(help="best, pair or outline; several with commas.")] = "best",
    methods: Annotated[str | None, typer.Option(help="Comma-separated; all.")] = None,
    groups: Annotated[int | None, typer.Option(min=1, help="Pairs that are asked about.")] = None,
) -> None:
    """A page that asks people which pictures they prefer, without a word of whose they are."""
    from sow.benchmarks.tv2i.preference.key import kinds_of
    from sow.benchmarks.tv2i.preference.survey import write_survey
    from sow.benchmarks.tv2i.runs import read_results

    made_page = write_survey(
        read_results(results), out, key, kinds_of(ask.split(",")),
        methods.split(",") if methods else None, groups,
    )  # fmt: skip
    say(f"{made_page.page}: {made_page.questions} questions; {made_page.key} stays with you")


def votes(
    files: Annotated[list[Path], typer.Argument(help="Files of answers.")],
    key: Key,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of the report.")] = Path(),
    into: Annotated[
        Path | None,
        typer.Option(help="The folder of results: its report gets what people say of outlines."),
    ] = None,
    force: Force = False,
) -> None:
    """The table of what people preferred, with their agreement."""
    from sow.benchmarks.tv2i.preference.marks import marking
    from sow.benchmarks.tv2i.preference.votes import votes as counted
    from sow.benchmarks.tv2i.report.report import report as report_of
    from sow.benchmarks.tv2i.report.writing import write_report
    from sow.files import check_free

    # All is looked at before anything is written: half a result would be in the way of the next.
    marked = None if into is None else marking(files, key, into, force=force)
    table, shown = counted(files, key), report_of(marked.results) if marked else None
    for suffix in (".md", ".html"):
        check_free(made(out) / f"votes{suffix}", force)
    written = [*write_report(table, out, "votes", force=force)]
    if marked and shown:
        marked.write(force=force)
        written += write_report(shown, marked.results.folder, force=True)
    for path in written:
        say(f"{path}")
