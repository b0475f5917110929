"""diffusers' pipeline by its own doors, which open only for what is safe and whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from diffusers import StableDiffusionPipeline
from torch import nn

from sow.checkpoints.single_file import check_single_file, configuration_for
from sow.checkpoints.trust import PARTS, check_folder
from sow.checkpoints.weights import check_weights
from sow.errors import ModelError

PICTURES = ("safety_checker", "image_encoder")
"""Models that look at pictures, which Stable Diffusion can do without."""


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
        """As in diffusers, but only from `.safetensors` files on disk that lack nothing.

        Raises:
            ModelError: if it is none, or its configuration (in a folder, or the hub's) may not be
                trusted.
        """
        if not str(path).endswith(".safetensors"):
            raise ModelError(f"{str(path)!r} is a pickle", "give a .safetensors file")
        head = check_single_file(Path(path))
        folder = configuration_for(head, **kwargs)
        # What no file of this kind holds is taken from the folder, if it is there.
        elsewhere = {p for p in PICTURES if not any((folder / p).glob("*.safetensors"))}
        check_weights(folder, None, given={*PARTS, *elsewhere, *kwargs})
        pipe: Self = super().from_single_file(path, **{**kwargs, "config": str(folder)})
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
