"""diffusers' loading methods, with checks that a checkpoint is safe and complete."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from diffusers import StableDiffusionPipeline
from torch import nn

from sow.checkpoints.single_file import check_single_file, find_config_folder
from sow.checkpoints.trust import REQUIRED_COMPONENTS, check_folder
from sow.checkpoints.weights import check_weights
from sow.errors import ModelError

IMAGE_MODELS = ("safety_checker", "image_encoder")
"""Models of pictures, which are optional in Stable Diffusion."""


class CheckedPipeline(StableDiffusionPipeline):  # type: ignore[misc]
    """A Stable Diffusion pipeline that never loads pickles, nor a checkpoint with missing weights.

    The checks are here, and not where models are found by name, so that nothing bypasses them.
    """

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
        pipe: Self = super().from_pretrained(folder, **options)
        _limit_tokens(pipe)
        pipe.register_to_config(_name_or_path=str(path))
        return pipe

    @classmethod
    def from_single_file(cls, path: Any, **kwargs: Any) -> Self:
        """Load a single file as diffusers does, but only a complete `.safetensors` file on disk.

        Raises:
            ModelError: if it is not one, or its configuration (in a folder or on the hub) is not
                trusted.
        """
        if not str(path).endswith(".safetensors"):
            raise ModelError(
                f"{str(path)!r} is not a .safetensors file", "convert it: pickles are never loaded"
            )
        header = check_single_file(Path(path))
        folder = find_config_folder(header, **kwargs)
        # Single files do not contain these; they are loaded from the folder if they are there.
        missing = {name for name in IMAGE_MODELS if not any((folder / name).glob("*.safetensors"))}
        check_weights(folder, None, passed={*REQUIRED_COMPONENTS, *missing, *kwargs})
        pipe: Self = super().from_single_file(path, **{**kwargs, "config": str(folder)})
        _limit_tokens(pipe)
        for name, component in pipe.components.items():
            # Parameters without a tensor in the file stay on the meta device.
            if isinstance(component, nn.Module) and any(p.is_meta for p in component.parameters()):
                raise ModelError(
                    f"{Path(path).name!r} lacks tensors of its {name}", "download it again"
                )
        return pipe


def _limit_tokens(pipe: StableDiffusionPipeline) -> None:
    """Limit texts to what the text encoder reads; some tokenizers have no limit of their own."""
    longest = pipe.text_encoder.config.max_position_embeddings
    pipe.tokenizer.model_max_length = min(pipe.tokenizer.model_max_length, longest)
