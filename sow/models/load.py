"""Load a model as a pipeline on its device: safetensors only, no remote code."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sow.checkpoints.trust import choose_variant
from sow.errors import DeviceError, ModelError, SowError
from sow.models.devices import choose_device, choose_dtype, is_out_of_memory
from sow.models.find import Model, find_model
from sow.utils.libraries import MODEL_BUILD_LOCK, quiet_libraries

if TYPE_CHECKING:
    from sow.pipeline.pipeline import SowPipeline


def load_pipeline(
    model: str | Path | Model = "auto",
    *,
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
    config: str | None = None,
) -> SowPipeline:
    """Load a model onto its device.

    Args:
        model: as for `find_model`, or what it returned.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        dtype: `auto`, `float32`, `float16` or `bfloat16`.
        revision: a branch, tag or commit on the hub.
        config: for a single file, a bundled configuration (`sd1`, `sd1-v`, `sd2-base`, `sd2-v`),
            or a folder or hub id with those of its components; by default the file's tensors and
            one step of its UNet tell which of the bundled ones it has.

    Raises:
        ModelError: if the weights cannot be found, are not trusted or cannot be read.
        DeviceError: if the device is missing or its memory is too small.
    """
    import torch

    with MODEL_BUILD_LOCK:
        from sow.pipeline.pipeline import SowPipeline

    device = choose_device(device)
    precision = choose_dtype(dtype, device)
    half = precision != torch.float32
    if not isinstance(model, Model):
        model = find_model(model, revision=revision, half=half, config=config)
    options: dict[str, Any] = {"torch_dtype": precision}
    with MODEL_BUILD_LOCK, _one_line_errors(model.name), quiet_libraries():
        if model.origin == "file":
            pipe: SowPipeline = SowPipeline.from_single_file(
                str(model.source), config=model.config, device=device, **options
            )
        else:
            pipe = SowPipeline.from_pretrained(
                model.source,
                variant=choose_variant(model.source, half),
                local_files_only=True,
                **options,
            )
        pipe.set_progress_bar_config(disable=None)  # quiet when not a terminal
        pipe.denoiser.to(memory_format=torch.channels_last)
        pipe.vae.to(memory_format=torch.channels_last)
        pipe.to(device)
        _check_runs(pipe)
    return pipe


def _check_runs(pipe: SowPipeline) -> None:
    """Run all components once on the smallest picture; raise if they do not fit together.

    Configurations can be wrong in more ways than can be listed. What cannot run fails here, with
    a one-line error, before anybody pays for a plan.
    """
    import torch

    from sow.backbones.registry import backbone_of
    from sow.pipeline.calls import check_finite

    backbone, side = backbone_of(pipe), pipe.canvas_multiple
    for suffix in ("", "_2", "_3"):
        tokenizer, encoder = (
            pipe.components.get(f"{part}{suffix}") for part in ("tokenizer", "text_encoder")
        )
        if tokenizer and max(tokenizer.get_vocab().values()) >= encoder.config.vocab_size:
            raise ValueError("its tokenizer has tokens that its text encoder does not")
    with torch.no_grad():
        (texts,) = backbone.embed([[["a person"]]])
        latents = backbone.encode(torch.zeros(1, 3, side, side))
        time = torch.tensor(backbone.schedule(1).timesteps[1], device=backbone.device)
        picture = backbone.decode(backbone.predict(latents, time, texts)[0])
        check_finite(picture)
        if pipe.components.get("safety_checker") is not None:
            pipe.run_safety_checker(picture, picture.device, picture.dtype)
    backbone.words("a person")


@contextlib.contextmanager
def _one_line_errors(name: str) -> Iterator[None]:
    try:
        yield
    except SowError:
        raise
    except Exception as error:  # the libraries raise anything on a malformed checkpoint
        if is_out_of_memory(error):
            raise DeviceError(
                f"{name} does not fit into the device's memory", "try dtype=float16"
            ) from None
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"{name} cannot be loaded: {text[:300]}", "download the checkpoint again"
        ) from None
