"""The families of checkpoints that run, and the components that each has.

A family is an architecture with its own pipeline in diffusers. A component of another class would
read other files or run other code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sow.errors import ModelError

NO_COMPONENT = (None, None)
"""How `model_index.json` writes that a checkpoint does not have a component."""
TOKENIZER = r"transformers\.CLIPTokenizer(Fast)?"
CLASSES: Mapping[str, str] = {
    "unet": r"diffusers\.UNet2DConditionModel",
    "vae": r"diffusers\.AutoencoderKL",
    "text_encoder": r"transformers\.CLIPTextModel",
    "tokenizer": TOKENIZER,
    "scheduler": r"diffusers\.\w+Scheduler",
    "feature_extractor": r"transformers\.CLIP(ImageProcessor(Fast|Pil)?|FeatureExtractor)",
    "image_encoder": r"transformers\.CLIPVisionModelWithProjection",
}
"""Patterns of the classes of the components that all families have."""


@dataclass(frozen=True)
class Family:
    """A family of checkpoints.

    Attributes:
        title: as people call it.
        bases: its members, keys of `kinds.TITLES`.
        required: the components with weights that every checkpoint of it has.
        tokenizers: the components that split texts.
        classes: patterns of the classes of its components, by their names.
    """

    title: str
    bases: tuple[str, ...]
    required: tuple[str, ...]
    tokenizers: tuple[str, ...]
    classes: Mapping[str, str] = field(repr=False, hash=False)

    @property
    def required_files(self) -> tuple[tuple[str, ...], ...]:
        """One file of each group is required: for a missing one the libraries use defaults."""
        return (
            ("model_index.json",),
            ("scheduler/scheduler_config.json",),
            *(
                (f"{name}/{file}", *(f"{name}/{other}" for other in others))
                for name in self.tokenizers
                for file, *others in (
                    ("tokenizer_config.json",),
                    ("tokenizer.json", "vocab.json"),
                    ("tokenizer.json", "merges.txt"),
                )
            ),
            *((f"{name}/config.json",) for name in self.required),
        )


SD = Family(
    "Stable Diffusion 1.x or 2.x",
    ("sd1", "sd2"),
    ("unet", "vae", "text_encoder"),
    ("tokenizer",),
    {**CLASSES, "safety_checker": r"stable_diffusion\.StableDiffusionSafetyChecker"},
)
SDXL = Family(
    "SDXL",
    ("sdxl",),
    ("unet", "vae", "text_encoder", "text_encoder_2"),
    ("tokenizer", "tokenizer_2"),
    {
        **CLASSES,
        "text_encoder_2": r"transformers\.CLIPTextModelWithProjection",
        "tokenizer_2": TOKENIZER,
    },
)
FAMILIES = (SD, SDXL)
BASES = tuple(base for family in FAMILIES for base in family.bases)
"""What `kinds.recognise` calls the models that run."""
COMPONENTS = tuple(dict.fromkeys(name for family in FAMILIES for name in family.classes))
WITH_WEIGHTS = tuple(
    name for name in COMPONENTS
    if not name.startswith("tokenizer") and name not in ("scheduler", "feature_extractor")
)  # fmt: skip
KNOWN = "Stable Diffusion 1.x, 2.x or XL"
USE_FAMILY = f"use a text-to-image checkpoint of {KNOWN}"


def component_names(index: Mapping[str, Any]) -> list[str]:
    """Return the names of the components that a `model_index.json` lists."""
    return [name for name in COMPONENTS if is_component(index.get(name))]


def is_component(value: Any) -> bool:
    """Return whether an entry of `model_index.json` names the class of a component."""
    return isinstance(value, list) and tuple(value) != NO_COMPONENT


def family_of_index(index: Mapping[str, Any], name: str) -> Family:
    """Return the family of a checkpoint by its `model_index.json`.

    name: the checkpoint's, for the error.

    Raises:
        ModelError: if it is of none; it says what it is instead.
    """
    if is_component(index.get("text_encoder_2")) and not is_component(index.get("text_encoder")):
        raise ModelError(f"{name!r} is the SDXL refiner, which only finishes pictures", USE_FAMILY)
    for family in (SDXL, SD):
        others = {part for other in FAMILIES for part in other.required} - {*family.required}
        if all(is_component(index.get(part)) for part in family.required) and not any(
            is_component(index.get(part)) for part in (*others, "text_encoder_3", "transformer")
        ):
            return family
    class_name = str(index.get("_class_name", "model of another type"))[:80]
    raise ModelError(f"{name!r} is a {class_name}", USE_FAMILY)
