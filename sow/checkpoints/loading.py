"""diffusers' pipeline by its own doors, which open only for what is safe and whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from diffusers import StableDiffusionPipeline
from torch import nn

from sow.checkpoints.trust import check_configuration, check_folder
from sow.checkpoints.weights import check_weights
from sow.errors import ModelError


class CheckedPipeline(StableDiffusionPipeline):  # type: ignore[misc]
    """Stable Diffusion that is never loaded from pickles, nor with weights that are not all there.

    The checks are here, and not where models are found by name, so that nobody loads past them.
    """

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, **kwargs: Any) -> Self:
        """As in diffusers, but `use_safetensors` is always True.

        Raises:
            ModelError: if the checkpoint may not be trusted, or its weights are not its
                configuration's.
        """
        path, options = pretrained_model_name_or_path, {**kwargs, "use_safetensors": True}
        folder = Path(path if Path(path).is_dir() else cls.download(path, **options))
        check_folder(folder, given=kwargs)
        check_weights(folder, kwargs.get("variant"), given=kwargs)
        pipe: Self = super().from_pretrained(folder, **options)
        _agree(pipe)
        pipe.register_to_config(_name_or_path=str(path))
        return pipe

    @classmethod
    def from_single_file(cls, path: Any, **kwargs: Any) -> Self:
        """As in diffusers, but only from `.safetensors` files that lack nothing.

        Raises:
            ModelError: if it is none, or the folder with its configuration may not be trusted.
        """
        if not str(path).endswith(".safetensors"):
            raise ModelError(f"{str(path)!r} is a pickle", "give a .safetensors file")
        if kwargs.get("config") and Path(kwargs["config"]).is_dir():
            check_configuration(Path(kwargs["config"]))
        pipe: Self = super().from_single_file(path, **kwargs)
        _agree(pipe)
        for name, part in pipe.components.items():
            # What no tensor was found for has not come to be.
            if isinstance(part, nn.Module) and any(p.is_meta for p in part.parameters()):
                raise ModelError(f"{Path(path).name!r} lacks tensors of its {name}", "get it again")
        return pipe


def _agree(pipe: StableDiffusionPipeline) -> None:
    """Texts are cut where the text encoder ends; some tokenizers say no length of their own."""
    longest = pipe.text_encoder.config.max_position_embeddings
    pipe.tokenizer.model_max_length = min(pipe.tokenizer.model_max_length, longest)
