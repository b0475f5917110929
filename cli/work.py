"""What `sow generate` does between its options and its files."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sow.cli.common import PlanOptions, say
from sow.errors import DeviceError, ModelError, UsageError

if TYPE_CHECKING:
    from sow.condition import Condition
    from sow.models import Model
    from sow.pipeline import SowPipeline
    from sow.plan import Plan
    from sow.recipe import Recipe
    from sow.settings import Settings

FIGURES_NOTE = (
    "`figures` is a small drawn world: a photograph planted in it looks odd; "
    "for photographs take --model sd2.1"
)


@dataclass
class Work:
    """What is to be made, before anything heavy is loaded."""

    condition: Condition
    plan: Plan
    settings: Settings
    model: Model
    seeds: list[int]
    name: str
    picture_sha256: str
    dtype: str
    notes: list[str]

    def targets(self, out: Path | None, force: bool) -> list[Path]:
        """Where each picture goes; checked before the work starts."""
        from sow.recipe import check_free

        if out is None or out.suffix.lower() != ".png":
            words = "-".join(re.findall(r"[a-z0-9]+", self.plan.prompt.lower()))[:48].strip("-")
            folder = out or Path()
            name = f"{self.name[:60]}-{words or 'sow'}"
            targets = [folder / f"{name}-{seed}.png" for seed in self.seeds]
        else:
            targets = [out]
            if len(self.seeds) > 1:
                targets = [
                    out.with_name(f"{out.stem}-{number}{out.suffix}")
                    for number in range(1, len(self.seeds) + 1)
                ]
        for target in targets:
            check_free(target, force)
        return targets

    def run(
        self, targets: list[Path], config: str | None, device: str, force: bool,
        cycles_out: Path | None, sheets: list[Path],
    ) -> list[dict[str, Any]]:  # fmt: skip
        """Loads the model, makes the pictures one by one, writes each as soon as it is there."""
        from sow.models import load_pipeline

        pipe = load_pipeline(self.model, device=device, dtype=self.dtype, config=config)
        say(f"model: {self.model.name} ({self.model.revision}) on {pipe.device}")
        unread = list(_unread(pipe, self.plan.prompt))
        for note in unread:
            say(f"note: {note}")
        results = []
        for number, (seed, target) in enumerate(zip(self.seeds, targets, strict=True)):
            started = time.monotonic()
            cycles = cycles_out if number == 0 else None
            sheet = sheets[number] if sheets else None
            recipe = self._make(pipe, seed, target, force, cycles, sheet)
            seconds = round(time.monotonic() - started, 2)
            say(f"{target}  seed {seed}, {seconds} s")
            notes = [*self.notes, *unread]
            explained = {"explained": str(sheet)} if sheet else {}
            results.append({"file": str(target), "seconds": seconds, "notes": notes, **explained,
                            **recipe.model_dump(mode="json")})  # fmt: skip
        return results

    def _make(
        self, pipe: SowPipeline, seed: int, target: Path, force: bool, cycles_out: Path | None,
        sheet: Path | None,
    ) -> Recipe:  # fmt: skip
        import torch

        from sow.drawing import side_by_side
        from sow.explain import explain
        from sow.models import out_of_memory
        from sow.recipe import Recipe, save_png, versions, write_png
        from sow.tracing import trace

        try:
            with trace(pipe) if sheet else nullcontext() as seen:
                made = pipe(
                    image=self.condition,
                    plan=self.plan,
                    settings=self.settings,
                    generator=torch.Generator("cpu").manual_seed(seed),
                    return_cycles=cycles_out is not None,
                )
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            raise DeviceError(
                f"{pipe.device} has too little memory for this picture",
                "try --dtype float16, a smaller --canvas or --device cpu",
            ) from None
        if any(made.nsfw_content_detected or ()):
            say("note: the checkpoint's safety checker blackened this picture: try another --seed")
        recipe = Recipe(
            plan=self.plan,
            settings=self.settings,
            seed=seed,
            model=self.model.name,
            revision=self.model.revision,
            device=pipe.device.type,
            dtype=str(pipe.unet.dtype).removeprefix("torch."),
            picture_sha256=self.picture_sha256,
            versions=versions(),
        )
        save_png(made.images[0], target, recipe, self.condition, force=force)
        if cycles_out is not None and made.cycles and made.cycles[0]:
            write_png(side_by_side(made.cycles[0]), cycles_out, force=force)
        if sheet is not None and seen is not None:
            page = explain(seen, made.images[0], made.plans[0], self.condition)
            write_png(page, sheet, force=force)
            say(f"explained in {sheet}")
        return recipe


def explain_targets(targets: list[Path], taken: list[Path | None], force: bool) -> list[Path]:
    """Where the sheets of --explain go; checked before the work starts.

    `taken` are other files that the command reads or writes.
    """
    from sow.recipe import check_free

    sheets = [target.with_suffix(".explain.png") for target in targets]
    for sheet in sheets:
        if any(other is not None and other.resolve() == sheet.resolve() for other in taken):
            raise UsageError(f"--explain would write onto {str(sheet)!r}", "choose another --out")
        check_free(sheet, force)
    return sheets


def _unread(pipe: SowPipeline, prompt: str) -> Iterator[str]:
    """What of a prompt says nothing to the model."""
    lost = pipe.tokens_lost(prompt)
    if lost:
        yield f"the model does not read the last {lost} tokens of the prompt: shorten it"
    unknown = pipe.unknown_words(prompt)
    if unknown:
        yield f"the model does not know: {', '.join(unknown)}"


def from_options(
    options: PlanOptions,
    model: str,
    revision: str | None,
    dtype: str,
    device: str,
    preset: str | None,
    assignments: list[str],
) -> Work:
    """The work that the user's options describe, planned, before anything heavy is loaded."""
    from sow.condition import Condition
    from sow.models import choose_device, choose_dtype, find_model
    from sow.recipe import pixels_sha256
    from sow.settings import Settings

    image, mask = options.read()
    if preset is not None or assignments:  # a bad setting should not wait for a download
        Settings.preset(preset or "normal").with_assignments(assignments)
    precision = choose_dtype(dtype, choose_device(device))
    found = find_model(model, revision=revision, half=precision.itemsize == 2)
    for note in found.notes:
        say(f"note: {note}")
    plan = options.make(image, mask, found).plan
    settings = found.preset(preset or plan.setting).with_assignments(assignments)
    notes = list(plan.notes)
    if found.name == "figures":
        notes.append(FIGURES_NOTE)
    return Work(
        condition=Condition.prepare(image, plan, mask),
        plan=plan,
        settings=settings,
        model=found,
        seeds=[],
        name=options.face.stem if options.face else "sow",
        picture_sha256=pixels_sha256(image),
        dtype=dtype,
        notes=notes,
    )


def from_recipe(path: Path, model: str, revision: str | None, dtype: str, device: str) -> Work:
    """The work that a picture's recipe describes."""
    from sow.hub import SD21
    from sow.models import BUNDLED, choose_device, find_model
    from sow.recipe import read_recipe, versions

    recipe, condition = read_recipe(path)
    try:
        if model != "auto":
            found = find_model(model, revision=revision)
        elif recipe.model in (*BUNDLED, *SD21):
            half = recipe.dtype in ("float16", "bfloat16")
            found = find_model(recipe.model, revision=_commit(recipe.revision), half=half)
        else:  # a stranger's picture does not choose what is downloaded or read
            raise ModelError("only the models that `auto` can mean are taken from a recipe")
    except ModelError as error:
        raise ModelError(
            f"the recipe's model {recipe.model!r} is not loaded ({error.what})", "give its --model"
        ) from None
    notes = []
    if found.revision != recipe.revision:
        notes.append(f"the model differs from the recipe's ({recipe.revision}): expect changes")
    if choose_device(device).split(":")[0] != recipe.device:
        notes.append(f"the recipe was made on {recipe.device}: expect small changes")
    here = versions()
    changed = [f"{k} {v}" for k, v in recipe.versions.items() if here.get(k) != v]
    if changed:
        notes.append(f"the recipe was made with {', '.join(changed)}: expect small changes")
    return Work(
        condition=condition,
        plan=recipe.plan,
        settings=recipe.settings,
        model=found,
        seeds=[recipe.seed],
        name=f"{path.stem}-again",
        picture_sha256=recipe.picture_sha256,
        dtype=recipe.dtype if dtype == "auto" else dtype,
        notes=notes,
    )


def _commit(revision: str) -> str | None:
    """The revision, if it is a commit of the hub; a local checkpoint has only a fingerprint."""
    return revision if re.fullmatch(r"[0-9a-f]{40}", revision) else None
