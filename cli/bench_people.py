"""`sow bench survey` and `sow bench votes`: what people prefer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sow.cli.options import Force
from sow.cli.output import print_note
from sow.cli.paths import make_out_folder

ResultsFolder = Annotated[Path, typer.Argument(help="Folder of results.")]
Key = Annotated[Path, typer.Option(help="Key file: which method made which picture.")]


def survey(
    results: ResultsFolder,
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder for the page.")],
    key: Key,
    ask: Annotated[str, typer.Option(help="Comma-separated: best, pair, outline.")] = "best",
    methods: Annotated[str | None, typer.Option(help="Comma-separated. Default: all.")] = None,
    groups: Annotated[int | None, typer.Option(min=1, help="Pairs to ask about. Default: all.")] = (
        None
    ),
) -> None:
    """Write a page that asks people which pictures they prefer, without naming the methods."""
    from sow.benchmarks.tv2i.preference.key import kinds_of
    from sow.benchmarks.tv2i.preference.survey import write_survey
    from sow.benchmarks.tv2i.runs import read_results

    made_page = write_survey(
        read_results(results),
        out,
        key,
        kinds_of(ask.split(",")),
        methods.split(",") if methods else None,
        groups,
    )
    print_note(
        f"{made_page.page}: {made_page.questions} questions; keep {made_page.key} to yourself"
    )


def votes(
    files: Annotated[list[Path], typer.Argument(help="Answer files.")],
    key: Key,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the report.")] = Path(),
    into: Annotated[
        Path | None,
        typer.Option(help="Folder of results: add the answers about outlines to its report."),
    ] = None,
    force: Force = False,
) -> None:
    """Count the answers: what people prefer, and how far they agree."""
    from sow.benchmarks.tv2i.preference.marks import marking
    from sow.benchmarks.tv2i.preference.votes import votes as counted
    from sow.benchmarks.tv2i.report.report import report as report_of
    from sow.benchmarks.tv2i.report.writing import write_report
    from sow.utils.files import check_output_path

    # Check everything before writing: partial output would block the next attempt.
    marked = None if into is None else marking(files, key, into, force=force)
    table, shown = counted(files, key), report_of(marked.results) if marked else None
    for suffix in (".md", ".html"):
        check_output_path(make_out_folder(out) / f"votes{suffix}", force)
    written = [*write_report(table, out, "votes", force=force)]
    if marked and shown:
        marked.write(force=force)
        written += write_report(shown, marked.results.folder, force=True)
    for path in written:
        print_note(f"{path}")
