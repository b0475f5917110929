"""diffusers' loading methods, with checks that a checkpoint is safe and complete."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from diffusers import DiffusionPipeline
from torch import nn

from sow.checkpoints.families import FAMILIES, WITH_WEIGHTS, Family, family_of_index
from sow.checkpoints.files import read_config
from sow.checkpoints.kinds import TITLES, recognise
from sow.checkpoints.prediction import probe_prediction
from sow.checkpoints.published import (
    PUBLISHED,
    PredictionType,
    load_tokenizers,
    published_folder,
    published_name,
    remember_prediction,
    remembered_prediction,
)
from sow.checkpoints.single_file import check_config, check_single_file, find_config_folder
from sow.checkpoints.trust import check_folder
from sow.checkpoints.weights import check_weights
from sow.errors import ModelError

IMAGE_MODELS = ("safety_checker", "image_encoder")
"""Models of pictures, which are optional in Stable Diffusion."""


class CheckedPipeline(DiffusionPipeline):  # type: ignore[misc]
    """A pipeline that never loads pickles, nor a checkpoint with missing weights.

    To be inherited from together with one of diffusers' own.

    The checks are here, and not where models are found by name, so that nothing bypasses them.
    """

    @classmethod
    def _of_family(cls, family: Family) -> type[Self]:
        """Return the class of the pipelines of a family."""
        return cls

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, **kwargs: Any) -> Self:
        """Load a checkpoint as diffusers does, but with `use_safetensors` always True.

        Raises:
            ModelError: if the checkpoint is not trusted, or its weights do not match its
                configuration.
        """
        path, options = pretrained_model_name_or_path, {**kwargs, "use_safetensors": True}
        folder = Path(path if Path(path).is_dir() else cls.download(path, **options))
        check_folder(folder, passed=kwargs)
        check_weights(folder, kwargs.get("variant"), passed=kwargs)
        family = family_of_index(read_config(folder, "model_index.json"), folder.name)
        pipe: Self = super(CheckedPipeline, cls._of_family(family)).from_pretrained(
            folder, **options
        )
        _limit_tokens(pipe)
        pipe.register_to_config(_name_or_path=str(path))
        return pipe

    @classmethod
    def from_single_file(cls, path: Any, **kwargs: Any) -> Self:
        """Load a single file as diffusers does, but only a complete `.safetensors` file on disk.

        Args:
            path: the file.
            kwargs: as in diffusers. `config` is a folder, a hub id, or the name of a bundled
                configuration (`sow.checkpoints.published.PUBLISHED`). By default it is one of
                these: the family is recognised by the tensors, and one step of the UNet tells
                whether it predicts epsilon or v. With `device`, that step is computed there:
                half precision is slow on a CPU.

        Raises:
            ModelError: if it is not one, its configuration (in a folder or on the hub) is not
                trusted, or nothing tells what it predicts.
        """
        if not str(path).endswith(".safetensors"):
            raise ModelError(
                f"{str(path)!r} is not a .safetensors file", "convert it: pickles are never loaded"
            )
        kind = recognise(check_single_file(Path(path)))
        config, device = kwargs.pop("config", None), kwargs.pop("device", None)
        check_config(config, kind, Path(path).name)
        if config is None or config in PUBLISHED:
            made = cls._of_family(next(f for f in FAMILIES if kind.base in f.bases))
            return made._from_published(Path(path), kind.base, config, device, kwargs)
        folder = find_config_folder(config, **kwargs)
        # Single files do not contain these; they are loaded from the folder if they are there.
        present = {name for name in IMAGE_MODELS if any((folder / name).glob("*.safetensors"))}
        check_weights(folder, None, passed={*kwargs, *WITH_WEIGHTS} - (present - {*kwargs}))
        family = family_of_index(read_config(folder, "model_index.json"), folder.name)
        pipe: Self = super(CheckedPipeline, cls._of_family(family)).from_single_file(
            path, **{**kwargs, "config": str(folder)}
        )
        _limit_tokens(pipe)
        _check_complete(pipe, Path(path).name)
        return pipe

    @classmethod
    def _from_published(
        cls, path: Path, base: str, config: str | None, device: Any, options: Any
    ) -> Self:
        """Load a single file with a bundled configuration; `config=None` finds out which."""
        known = remembered_prediction(path) if config is None else None
        name = config or published_name(base, known or "epsilon") or ""
        components = {**load_tokenizers(name), **options}
        pipe: Self = super().from_single_file(
            str(path), **components, config=str(published_folder(name))
        )
        _check_complete(pipe, path.name)
        if config is None and known is None:
            probed = probe_prediction(pipe if device is None else pipe.to(device))
            prediction = _checked(probed, base, path.name)
            remember_prediction(path, prediction)
            pipe._become(published_name(base, prediction) or name)
        return pipe

    def _become(self, name: str) -> None:
        """Take what another bundled configuration of the same family has: schedule and size."""
        folder = published_folder(name)
        self.register_modules(scheduler=type(self.scheduler).from_pretrained(folder / "scheduler"))
        self.unet.register_to_config(sample_size=read_config(folder / "unet")["sample_size"])


def _checked(prediction: PredictionType | None, base: str, name: str) -> PredictionType:
    """Return what a file's UNet predicts if it is known and has a bundled configuration.

    Raises:
        ModelError: if not.
    """
    if prediction is not None and published_name(base, prediction):
        return prediction
    if prediction is None:
        names = [
            f"config={known} ({said.removesuffix('_prediction')})"
            for known, (family, said) in PUBLISHED.items()
            if family == base
        ]
        raise ModelError(
            f"whether {name!r} predicts epsilon or v cannot be told from one step",
            f"set {' or '.join(names)}",
        )
    raise ModelError(
        f"{name!r} predicts {prediction}, and no configuration of {TITLES[base]} for that is known",
        "set config= to a folder or hub id with its configuration",
    )


def _check_complete(pipe: DiffusionPipeline, name: str) -> None:
    """Check that every parameter of a pipeline has been read from a file.

    Raises:
        ModelError: if one has not: it stays on the meta device.
    """
    for part, component in pipe.components.items():
        if isinstance(component, nn.Module) and any(p.is_meta for p in component.parameters()):
            raise ModelError(f"{name!r} lacks tensors of its {part}", "download it again")


def _limit_tokens(pipe: DiffusionPipeline) -> None:
    """Limit texts to what the text encoder reads; some tokenizers have no limit of their own."""
    for suffix in ("", "_2"):
        encoder, tokenizer = (
            pipe.components.get(f"{part}{suffix}") for part in ("text_encoder", "tokenizer")
        )
        if encoder is not None and tokenizer is not None:
            longest = encoder.config.max_position_embeddings
            tokenizer.model_max_length = min(tokenizer.model_max_length, longest)
