"""CLIP score: how well a result matches the prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from sow.benchmarks.tv2i.metrics.base import SAID, Case, Metric
from sow.checkpoints.files import is_regular_file
from sow.errors import ModelError
from sow.utils.libraries import quiet_libraries
from sow.utils.type_checks import as_path


class ClipScore(Metric):
    """CLIPScore (Hessel et al. 2021): 100 times the cosine of CLIP's embeddings of the picture and
    the user's prompt, not below 0.

    As torchmetrics has it, whose own asks transformers before 5. The usual weights are those of
    openai/clip-vit-large-patch14; a score is only to be compared with those of the same weights.
    """

    name, label, better = "clip", "CLIP score", "higher"
    note = "100 x cosine of CLIP's embeddings of picture and prompt (Hessel et al. 2021)"
    group, main = SAID, True
    needs = "clip"

    def __init__(self, model: Any, processor: Any, device: str = "cpu") -> None:
        self.model, self.processor, self.device = model.to(device).eval(), processor, device

    @classmethod
    def load(cls, folder: Path | str, device: str = "cpu") -> ClipScore:
        """Load a folder in transformers' layout, with safetensors; nothing is downloaded.

        Raises:
            ModelError: if there is none.
        """
        from transformers import CLIPModel, CLIPProcessor

        folder = as_path("clip", folder)
        weights = [folder / name for name in ("model.safetensors", "model.safetensors.index.json")]
        if not any(is_regular_file(file) for file in weights):
            raise ModelError(
                f"no model.safetensors in {str(folder)!r}",
                "hf download openai/clip-vit-large-patch14 --local-dir clip",
            )
        try:
            with quiet_libraries():
                model = CLIPModel.from_pretrained(
                    folder, use_safetensors=True, local_files_only=True, trust_remote_code=False
                )
                processor = CLIPProcessor.from_pretrained(
                    folder, local_files_only=True, trust_remote_code=False
                )
        except Exception as error:  # transformers raises as it likes on what is damaged
            raise ModelError(
                f"{folder.name!r} is not a CLIP model of transformers ({error})"[:400],
                "get it again",
            ) from None
        return cls(model, processor, device)

    @torch.no_grad()
    def value(self, case: Case) -> float:
        """Return the score, 0 to 100."""
        inputs = self.processor(
            text=[case.pair.prompt],
            images=[case.picture.convert("RGB")],
            return_tensors="pt",
            padding=True,
            truncation=True,
        ).to(self.device)
        out = self.model(**inputs)
        cosine = torch.nn.functional.cosine_similarity(out.image_embeds, out.text_embeds)
        return max(0.0, 100 * float(cosine[0]))
