"""What the controls of the page say: data from a browser, which may be anything."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sow.errors import UsageError
from sow.models.find import Model
from sow.service.known_words import understood
from sow.settings.inputs import MAX_PROMPT
from sow.settings.settings import PRESETS
from sow.studio.asking import language_model
from sow.studio.placing import read_placing
from sow.studio.studio import Wish
from sow.utils.limits import MAX_SEED
from sow.utils.validation import first_problem

MAX_PICTURES = 8


class FormValue(BaseModel):
    """The value of the component `form`.

    Attributes:
        prompt, negative, setting, preset: as in `sow.Request`; empty if left open.
        canvas: a shape, such as `2:3`; empty for the model's own.
        num: how many pictures.
        seed: of the first one; None for a new one each time.
        likeness: None if the slider was not touched.
        explain: also make the sheet that explains each picture.
    """

    model_config = ConfigDict(extra="ignore", strict=False)

    prompt: str = Field("", max_length=MAX_PROMPT)
    negative: str = Field("", max_length=MAX_PROMPT)
    setting: str = ""
    preset: str = ""
    canvas: str = ""
    num: int = Field(1, ge=1, le=MAX_PICTURES)
    seed: int | None = Field(None, ge=0, le=MAX_SEED)
    likeness: float | None = Field(None, ge=0, le=1)
    explain: bool = False


def wish_of(stage: Any, form: Any) -> Wish:
    """Return what the stage and the form say.

    Raises:
        UsageError: if that is nothing that the page can send.
    """
    try:
        said = FormValue.model_validate(form or {})
    except ValidationError as error:
        raise UsageError(
            f"this cannot be made: {first_problem(error)}", "reload the page"
        ) from None
    return Wish(
        prompt=said.prompt,
        negative=said.negative or None,
        setting=said.setting or None,
        preset=said.preset or None,
        canvas=said.canvas or None,
        placing=read_placing(stage),
        likeness=said.likeness,
        seed=said.seed,
        num=said.num,
        explain=said.explain,
    )


def words_of(model: Model, said: Any) -> dict[str, Any]:
    """Return what the form shows of a prompt while it is typed, if the model lists its words.

    Keys: `marks`, the unknown words as `[start, end]` in characters; `unknown`, these words;
    `asked`, what the model is asked instead, empty if nothing is left.

    said: `prompt` and `subject`, from a browser.
    """
    prompt, subject = (str(said.get(key, ""))[:MAX_PROMPT] for key in ("prompt", "subject"))
    found = understood(prompt, subject or "face", model.checkpoint_spec.words)
    words = dict.fromkeys(prompt[start:end] for start, end in found.unknown)
    return {"marks": found.unknown, "unknown": list(words), "asked": found.asked}


def about(model: Model) -> dict[str, Any]:
    """Return what the form needs to know: the model's `name` and `presets`, whether it
    `lists_words`, and the `planner` (`sow.studio.asking.language_model`).
    """
    presets = [name for name in PRESETS if name != "text"]  # which plants nothing
    return {
        "name": model.name,
        "presets": presets,
        "lists_words": bool(model.checkpoint_spec.words),
        "planner": language_model(),
    }


def model_line(model: Model) -> str:
    """Return a model's name and what it is, in one line for the head of the page."""
    width, height = model.checkpoint_spec.canvas
    size = f"{width} px" if width == height else f"{width} x {height} px"
    what = "a small drawn world" if model.name == "figures" else "Stable Diffusion"
    return f"{model.name}: {what}, {size}"
