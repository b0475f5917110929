"""The hundred sentences about sides, and their detector."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import (
    AutoTokenizer,
    Owlv2Config,
    Owlv2ForObjectDetection,
    Owlv2ImageProcessor,
    Owlv2Processor,
)

from sow.benchmarks.spatial import SIDES, Sentence, detector, pictures, sentences, spatial
from sow.errors import ModelError
from sow.models.find import find_model
from sow.planners.base import PlanRequest
from sow.planners.graph.planner import GraphPlanner
from sow.service.service import Service

PART = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
        "num_attention_heads": 2}  # fmt: skip


@pytest.fixture(scope="module")
def owl(tmp_path_factory):
    """A detector in OWLv2's own layout, that was never trained."""
    folder = tmp_path_factory.mktemp("owl")
    tokenizer = AutoTokenizer.from_pretrained(find_model("figures").source / "tokenizer")
    config = Owlv2Config(
        text_config={**PART, "vocab_size": len(tokenizer) + 10, "max_position_embeddings": 77},
        vision_config={**PART, "image_size": 64, "patch_size": 16}, projection_dim=16,
    )  # fmt: skip
    Owlv2ForObjectDetection(config).save_pretrained(folder)
    small = Owlv2ImageProcessor(size={"height": 64, "width": 64})
    Owlv2Processor(image_processor=small, tokenizer=tokenizer).save_pretrained(folder)
    return folder


def test_there_are_a_hundred_in_four_categories():
    asked = sentences()
    assert len({sentence.prompt for sentence in asked}) == 100
    assert Counter(sentence.side for sentence in asked) == dict.fromkeys(SIDES, 25)


def test_every_one_of_them_is_laid_out_as_it_says():
    for sentence in sentences():
        plan = GraphPlanner().plan(PlanRequest(None, sentence.prompt, triples=[sentence.triple]))
        centres = {thing.label: thing.box.centre for thing in plan.objects}
        assert sentence.holds(centres), sentence.prompt
        assert plan.prompt == sentence.prompt  # nothing is added to what it says already


def test_both_have_to_be_found():
    sentence = Sentence("cat", "left of", "dog")
    assert sentence.holds({"cat": (1, 5), "dog": (9, 5)})
    assert not sentence.holds({"cat": (9, 5), "dog": (1, 5)})
    assert not sentence.holds({"cat": (1, 5)})


def test_a_detector_finds_at_most_one_box_for_each_word(owl):
    found = detector(str(owl), "cpu")(Image.effect_noise((128, 128), 90).convert("RGB"),
                                      ("red ball", "apple"))  # fmt: skip
    assert set(found) <= {"red ball", "apple"}
    assert found  # untrained, it finds something everywhere


def test_what_is_no_detector_is_told_of(tmp_path):
    with pytest.raises(ModelError, match="cannot be loaded"):
        detector(str(tmp_path), "cpu")


def test_pictures_are_made_once_and_reported(tmp_path):
    service = Service("figures", device="cpu")
    service.pipe.set_progress_bar_config(disable=True)
    looked = []

    def find(image, words):
        looked.append(words)
        return {words[0]: (1.0, 1.0), words[1]: (9.0, 9.0)}

    lines = spatial(service, find, tmp_path, [3], limit=2)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    assert len(files) == 4
    assert looked == [("cat", "dog")] * 4
    assert "| left of: layout | 100.0 %" in "\n".join(lines)
    assert "| right of: layout | 0.0 %" in "\n".join(lines)
    assert spatial(service, find, tmp_path, [3], limit=2) == lines
    assert files == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}


def test_another_model_does_not_take_them(tmp_path):
    """Another precision, or other weights under the same name, are another model's pictures."""
    small = tmp_path / "models" / "figures"
    shutil.copytree(find_model("figures").source, small)

    def made(**given) -> set:
        service = Service(given.pop("model", small), device="cpu", **given)
        service.pipe.set_progress_bar_config(disable=True)
        before = set(tmp_path.glob("out/**/*.png"))
        list(pictures(service, tmp_path / "out", [3], 1, lambda count, seconds: None))
        return set(tmp_path.glob("out/**/*.png")) - before

    assert len(made()) == 2
    assert not made()
    assert len(made(dtype="bfloat16")) == 2
    weights = small / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    save_file({name: tensor * 1.01 for name, tensor in tensors.items()}, weights)
    assert len(made()) == 2
