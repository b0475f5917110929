"""IP-Adapter-FaceID: ArcFace's embedding enters through the attention of an adapter.

Ye et al., *IP-Adapter: Text Compatible Image Prompt Adapter for Text-to-Image Diffusion Models*,
arXiv 2308.06721; the FaceID adapter is of the same authors. By diffusers' own `load_ip_adapter` on
a copy of the frozen UNet. It knows no place: the face is drawn wherever the prompt puts it.

What it needs and where that is hard:

- The adapter as safetensors, with tensors `image_proj.*` and `ip_adapter.*`. Its authors publish
  `ip-adapter-faceid_*.bin`, pickles that this project never opens; convert a trusted one.
- A frozen model of the adapter's kind; there is one for Stable Diffusion 1.5, none for 2.1.
- The adapter's LoRA, where it has one, needs the package `peft`.
- The embedding is insightface's, by its own weights: a folder with `models/buffalo_l/*.onnx`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from PIL import Image
from safetensors import safe_open
from torch import Tensor

from sow.benchmarks.tv2i.methods.diffusers_method import DiffusersMethod
from sow.errors import ModelError, PictureError
from sow.pipeline.pipeline import SowPipeline
from sow.service.methods import MethodOutput
from sow.service.results import GenerationSpec

FACES = "buffalo_l"
SMALLEST = 256
"""Faces are looked for in pictures of at least this many pixels a side."""


@dataclass(frozen=True)
class IPAdapterFaceID(DiffusersMethod):
    """weights: the folder or repository of the adapter.

    Attributes:
        file: its file there.
        faces: the folder of insightface's weights, with `models/buffalo_l` in it.
    """

    file: str = field(default="ip-adapter-faceid_sd15.safetensors", kw_only=True)
    faces: str = field(default="~/.insightface", kw_only=True, repr=False)

    name = "ip-adapter-faceid"

    def load(self, pipe: SowPipeline, folder: Path) -> Any:
        """Load the adapter into a copy of the frozen UNet."""
        check_adapter(folder / self.file, pipe.unet.config.cross_attention_dim)
        self.find_faces_by()
        parts = {
            **pipe.components,
            "unet": copy.deepcopy(pipe.unet),
            "scheduler": DDIMScheduler.from_config(pipe.scheduler.config),
        }
        made = StableDiffusionPipeline(
            **parts, requires_safety_checker=pipe.safety_checker is not None
        )
        made.load_ip_adapter(
            str(folder),
            subfolder="",
            weight_name=self.file,
            image_encoder_folder=None,
            local_files_only=True,
        )
        return made

    def draw(
        self, pipe: SowPipeline, specs: Sequence[GenerationSpec], seeds: Sequence[int]
    ) -> MethodOutput:
        """Draw one picture at a time: diffusers gives all pictures of a call the same face."""
        each = [
            super(IPAdapterFaceID, self).draw(pipe, [spec], [seed])
            for spec, seed in zip(specs, seeds, strict=True)
        ]
        flags = [flag for drawn in each for flag in drawn.flagged or ()]
        return MethodOutput([image for drawn in each for image in drawn.images], flags or None)

    def inputs(self, specs: Sequence[GenerationSpec]) -> dict[str, Any]:
        """Return the face's embedding, `[2, 1, 512]`, after zeros for the negative prompt."""
        face = self.identity(specs[0].condition.picture)[None, None]
        both = torch.cat([torch.zeros_like(face), face])
        unet = self._loaded["pipeline"].unet
        return {"ip_adapter_image_embeds": [both.to(unet.device, unet.dtype)]}

    def identity(self, picture: Image.Image) -> Tensor:
        """Return ArcFace's embedding of the largest face, `[512]`, of length 1.

        Raises:
            PictureError: if it finds no face.
        """
        size = max(SMALLEST, *picture.size)
        shown = picture.convert("RGB").resize((size, size * picture.height // picture.width))
        found = self.find_faces_by().get(np.asarray(shown)[:, :, ::-1])
        if not found:
            raise PictureError("insightface finds no face in what is planted", "plant a photograph")
        largest = max(found, key=lambda face: face.bbox[2] - face.bbox[0])
        return torch.from_numpy(np.asarray(largest.normed_embedding, np.float32))

    def find_faces_by(self) -> Any:
        """Return insightface, loaded on first use.

        Raises:
            ModelError: if it or its weights are not here.
        """
        if "faces" not in self._loaded:
            root = Path(self.faces).expanduser()
            if find_spec("insightface") is None or not (root / "models" / FACES).is_dir():
                raise ModelError(
                    f"insightface is not installed, or {root}/models/{FACES} is not there",
                    "pip install insightface onnxruntime, and get its weights",
                )
            from insightface.app import FaceAnalysis

            made = FaceAnalysis(FACES, root=str(root), providers=["CPUExecutionProvider"])
            made.prepare(ctx_id=-1, det_size=(640, 640))
            self._loaded["faces"] = made
        return self._loaded["faces"]


def check_adapter(file: Path, width: int) -> None:
    """Check that a file is a FaceID adapter for texts of this width.

    Raises:
        ModelError: if it is none, or only a pickle of one is there.
    """
    if file.suffix != ".safetensors" or not file.is_file():
        pickle = file.with_suffix(".bin")
        raise ModelError(
            f"{file.parent.name!r} has its adapter only as a pickle ({pickle.name}), which can "
            "run code"
            if pickle.is_file() or file.suffix == ".bin"
            else f"{file.parent.name!r} has no {file.name}",
            "convert it where you trust it, and give the .safetensors file=",
        )
    with safe_open(str(file), framework="pt") as stored:
        names = list(stored.keys())
        if "image_proj.norm.weight" not in names or "image_proj.proj.0.weight" not in names:
            raise ModelError(f"{file.name!r} is not an IP-Adapter-FaceID", "give a FaceID adapter")
        adapter_width = stored.get_slice("image_proj.norm.weight").get_shape()[0]
    if adapter_width != width:
        raise ModelError(
            f"{file.name!r} is for texts of width {adapter_width}, this model has {width}",
            "give the adapter of this Stable Diffusion",
        )
    if any("lora" in name for name in names) and find_spec("peft") is None:
        raise ModelError(f"{file.name!r} has a LoRA, which needs peft", "pip install peft")
