"""Methods that use a pipeline of diffusers with other weights, from a folder or a hub id.

Only safetensors are ever read, and no code of a repository's own is run. They are downloaded only
where a hub id is given and its files are not here yet.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from sow.benchmarks.tv2i.methods.frozen_model import check_count
from sow.checkpoints.trust import PICKLES
from sow.diffusion.prompts import negative_prompt
from sow.errors import ModelError, SowError, UsageError
from sow.models.hub import hub_problem
from sow.pictures.drawing import draw_condition
from sow.pipeline.calls import unet_lock
from sow.pipeline.pipeline import SowPipeline
from sow.service.methods import Method, MethodOutput
from sow.service.results import GenerationSpec

KINDS = ("*.json", "*.txt", "*.safetensors")
"""What is fetched of a repository."""


@dataclass(frozen=True)
class DiffusersMethod(Method):
    """A pipeline of diffusers with weights that are not SOW's.

    Attributes:
        weights: a folder, or a hub id: owner/name.
        revision: of it, on the hub.
        steps: of the trajectory, one UNet call and two samples each.
    """

    weights: str = ""
    revision: str | None = field(default=None, kw_only=True)
    steps: int = field(default=50, kw_only=True)
    _loaded: dict[str, Any] = field(
        default_factory=dict, init=False, repr=False, compare=False, kw_only=True
    )

    def __post_init__(self) -> None:
        """Check the parameters."""
        if not self.weights:
            raise UsageError(
                f"the method {self.name} needs weights", "give weights=, a folder or a hub id"
            )
        check_count("steps", self.steps)

    @property
    def label(self) -> str:
        """The description of the method, without the path of a local folder."""
        name = Path(self.weights).name if Path(self.weights).is_absolute() else self.weights
        if name == self.weights:
            return super().label
        return replace(self, weights=name).label

    @abstractmethod
    def load(self, pipe: SowPipeline, folder: Path) -> Any:
        """Load the pipeline from this folder, with the device and precision of `pipe`."""

    @abstractmethod
    def inputs(self, specs: Sequence[GenerationSpec]) -> dict[str, Any]:
        """Return the pipeline's arguments besides prompts, size, steps, guidance and seeds."""

    def pipeline(self, pipe: SowPipeline) -> Any:
        """Return the pipeline, loaded on first use.

        Raises:
            ModelError: if the weights are not to be had, or may not be read.
        """
        if "pipeline" not in self._loaded:
            made = self._read(pipe)
            made.to(pipe.device)
            made.set_progress_bar_config(disable=True)
            self._loaded["pipeline"] = made
        return self._loaded["pipeline"]

    def _read(self, pipe: SowPipeline) -> Any:
        if pipe.components.get("text_encoder_2") is not None:
            raise UsageError(
                f"{self.name} does not run beside {type(pipe).__name__}",
                "use Stable Diffusion 1.x or 2.x",
            )
        folder = find_weights(self.weights, self.revision)
        try:
            return self.load(pipe, folder)
        except SowError:
            raise
        except Exception as error:  # whatever the libraries make of a strange checkpoint
            text = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ModelError(
                f"{self.weights} cannot be loaded: {text[:300]}", "get the weights again"
            ) from None

    def denoiser(self, pipe: SowPipeline) -> torch.nn.Module:
        """Return the pipeline's UNet."""
        unet: torch.nn.Module = self.pipeline(pipe).unet
        return unet

    def branches(self, spec: GenerationSpec) -> int:
        """Return 2: the prompt and the negative prompt."""
        return 2

    def draw(
        self, pipe: SowPipeline, specs: Sequence[GenerationSpec], seeds: Sequence[int]
    ) -> MethodOutput:
        """Return a picture per work; all share the guidance of the first."""
        made = self.pipeline(pipe)
        width, height = specs[0].plan.canvas
        with torch.no_grad(), unet_lock(made.unet):
            out = made(
                prompt=[spec.plan.prompt for spec in specs],
                negative_prompt=[negative_prompt(spec.plan, spec.settings) for spec in specs],
                width=width,
                height=height,
                num_inference_steps=self.steps,
                guidance_scale=specs[0].settings.guidance_scale,
                generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
                **self.inputs(specs),
            )
        return MethodOutput(out.images, out.nsfw_content_detected)


def canvases(specs: Sequence[GenerationSpec]) -> list[Image.Image]:
    """Return the planted canvases, on grey."""
    return [draw_condition(spec.plan, spec.condition) for spec in specs]


def find_weights(name: str, revision: str | None = None) -> Path:
    """Return the folder of a model, downloading it from the hub if it is not local.

    Raises:
        ModelError: if it cannot be had.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    from huggingface_hub import snapshot_download

    problem = ""
    for offline in (True, False):
        problem = problem if offline else hub_problem() or ""
        if not offline and problem:
            break
        try:
            return Path(
                snapshot_download(
                    name, revision=revision, allow_patterns=list(KINDS), local_files_only=offline
                )
            )
        except Exception as error:  # the hub's client raises several families of errors
            problem = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    raise ModelError(
        f"{name} is not a folder and cannot be fetched from the hub ({problem})",
        "give a folder, or an id of the hub: owner/name",
    )


def check_part(folder: Path, what: str) -> None:
    """Check that a folder holds one model as safetensors.

    Raises:
        ModelError: if it does not, in a line that says so where it has pickles.
    """
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"{folder.name!r} is not a {what}: it has no config.json", "give another folder"
        )
    if any(folder.glob("*.safetensors")):
        return
    stored = sorted(file.name for file in folder.glob("*") if file.suffix in PICKLES)
    raise ModelError(
        f"{folder.name!r} has its {what} only as a pickle ({stored[0]}), which can run code"
        if stored
        else f"{folder.name!r} has no .safetensors file; other formats are not read",
        "give one with .safetensors files",
    )
