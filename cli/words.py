"""`sow words`: the vocabulary of a checkpoint."""

from __future__ import annotations

import typer

from sow.cli.options import Json, ModelName, Revision
from sow.cli.output import print_json, report
from sow.utils.representation import printable


def words(model: ModelName = "auto", revision: Revision = None, json: Json = False) -> None:
    """List the words that a model understands; in prompts, others are replaced or left out."""
    from sow.models.find import find_model
    from sow.planners.rewording import group_words

    checkpoint = find_model(model, revision=revision, download=False)
    for note in checkpoint.notes:
        report("note", note)
    vocabulary = checkpoint.checkpoint_spec.words
    groups = group_words(vocabulary)
    if json:
        print_json({"model": checkpoint.name, "words": groups if vocabulary else None})
        return
    if not vocabulary:
        typer.echo(printable(f"{checkpoint.name} understands any English words"))
        return
    typer.echo(printable(f"{checkpoint.name} understands {len(vocabulary)} words:"))
    for name, members in groups.items():
        typer.echo(printable(f"  {name}: {', '.join(members)}"))
