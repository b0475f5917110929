"""The families of checkpoints that run, and the components that each has.

A family is an architecture with its own pipeline in diffusers. A component of another class would
read other files or run other code.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sow.errors import ModelError

NO_COMPONENT = (None, None)
"""How `model_index.json` writes that a checkpoint does not have a component."""
TOKENIZER = r"transformers\.CLIPTokenizer(Fast)?"
DENOISERS = ("unet", "transformer")
ENCODERS = ("text_encoder", "text_encoder_2", "text_encoder_3")
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


VOCABULARIES = (
    (["tokenizer.json", "vocab.json"], ["tokenizer.json", "merges.txt"]),
    (["tokenizer.json", "spiece.model"],),
)
"""The files of CLIP's and of T5's tokenizers; one of each list."""


@dataclass(frozen=True)
class Family:
    """A family of checkpoints.

    Attributes:
        title: as people call it.
        bases: its members, keys of `kinds.TITLES`.
        required: the components with weights that every checkpoint of it has, the denoiser first.
        tokenizers: the components that split texts; those of a missing text encoder may be missing.
        classes: patterns of the classes of its components, by their names.
    """

    title: str
    bases: tuple[str, ...]
    required: tuple[str, ...]
    tokenizers: tuple[str, ...]
    classes: Mapping[str, str] = field(repr=False, hash=False)

    @property
    def denoiser(self) -> str:
        """The component that denoises."""
        return self.required[0]

    def required_files(self, names: Collection[str]) -> list[list[str]]:
        """Return groups of files; one of each is required of a checkpoint with these components.

        For a missing one the libraries silently use defaults.
        """
        tokenizers = [
            [f"{name}/{file}" for file in files]
            for name in self.tokenizers
            if name.replace("tokenizer", "text_encoder") in names
            for files in (["tokenizer_config.json"], *VOCABULARIES[name == "tokenizer_3"])
        ]
        configs = [[f"{name}/config.json"] for name in names if name in WITH_WEIGHTS]
        return [["scheduler/scheduler_config.json"], *tokenizers, *configs]


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
SD3 = Family(
    "Stable Diffusion 3",
    ("sd3",),
    ("transformer", "vae", "text_encoder", "text_encoder_2"),
    ("tokenizer", "tokenizer_2", "tokenizer_3"),
    {
        "transformer": r"diffusers\.SD3Transformer2DModel",
        "vae": CLASSES["vae"],
        "text_encoder": r"transformers\.CLIPTextModelWithProjection",
        "text_encoder_2": r"transformers\.CLIPTextModelWithProjection",
        "text_encoder_3": r"transformers\.T5EncoderModel",
        "tokenizer": TOKENIZER,
        "tokenizer_2": TOKENIZER,
        "tokenizer_3": r"transformers\.T5Tokenizer(Fast)?",
        "scheduler": r"diffusers\.FlowMatchEulerDiscreteScheduler",
    },
)
FAMILIES = (SD, SDXL, SD3)
BASES = tuple(base for family in FAMILIES for base in family.bases)
"""What `kinds.recognise` calls the models that run."""
COMPONENTS = tuple(dict.fromkeys(name for family in FAMILIES for name in family.classes))
WITH_WEIGHTS = tuple(
    name for name in COMPONENTS
    if not name.startswith("tokenizer") and name not in ("scheduler", "feature_extractor")
)  # fmt: skip
KNOWN, IN_ONE_FILE = "Stable Diffusion 1.x, 2.x, XL or 3", "Stable Diffusion 1.x, 2.x or XL"
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
    is_refiner = is_component(index.get("unet")) and is_component(index.get("text_encoder_2"))
    if is_refiner and not is_component(index.get("text_encoder")):
        raise ModelError(f"{name!r} is the SDXL refiner, which only finishes pictures", USE_FAMILY)
    present = {name for name, value in index.items() if is_component(value)}
    for family in (SD3, SDXL, SD):
        foreign = {*ENCODERS, *DENOISERS} - {*family.classes}
        if present.issuperset(family.required) and not present & foreign:
            return family
    class_name = str(index.get("_class_name", "model of another type"))[:80]
    raise ModelError(f"{name!r} is a {class_name}", USE_FAMILY)
