"""A recipe as rows for people: `sow show` and the page print them."""

from __future__ import annotations

from sow.pictures.recipe import EmbeddingRecord, LoraRecord, Recipe
from sow.utils.representation import printable


def _lora(record: LoraRecord) -> str:
    return f"{record.name}:{record.weight:g} (sha256 {record.sha256})"


def _embedding(record: EmbeddingRecord) -> str:
    return f"{record.token}: {record.name} (sha256 {record.sha256})"


def recipe_rows(recipe: Recipe) -> dict[str, str]:
    """Return what to show of a recipe, without control characters."""
    data = recipe.model_dump(mode="json")
    plan, settings = data["plan"], data["settings"]
    threads = f", {recipe.threads} threads" if recipe.threads else ""
    shown = {
        "prompt": plan["prompt"],
        **({"negative": plan["negative"]} if recipe.plan.negative else {}),
        "canvas": "x".join(map(str, plan["canvas"])),
        "box": plan["box"],
        "related": ", ".join(f"{r['label']} {r['box']}" for r in plan["related"]) or "-",
        "setting": plan["setting"],
        "subject": f"{plan['subject']} (suppressed elsewhere: {plan['suppress'] or '-'})",
        "planner": plan["planner"],
        "notes": "; ".join(plan["notes"]) or "-",
        **({"loras": ", ".join(map(_lora, recipe.loras))} if recipe.loras else {}),
        **(
            {"embeddings": ", ".join(map(_embedding, recipe.embeddings))}
            if recipe.embeddings
            else {}
        ),
        **({"drawn by": recipe.method} if recipe.method else {}),
        "seed": recipe.seed,
        "model": f"{recipe.model} ({recipe.revision})",
        "run on": f"{recipe.device}, {recipe.dtype}{threads}",
        "versions": ", ".join(f"{k} {v}" for k, v in recipe.versions.items()),
        "settings": ", ".join(f"{k}={v}" for k, v in settings.items()),
    }
    return {name: printable(value) for name, value in shown.items()}
