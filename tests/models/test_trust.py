"""Checkpoints that would run code, read elsewhere, hang, or be what no architecture can be."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from spoiling import Evil, say, sharded, with_safety_checker

from sow.checkpoints.files import read_config
from sow.checkpoints.hub_cache import cached_snapshot
from sow.errors import ModelError
from sow.models import find_model
from sow.models.hub import SD21, download_snapshot
from sow.pictures.recipe import Recipe
from sow.pipeline.pipeline import SowPipeline
from sow.service.saved_picture import allowed_model, find_differences
from sow.utils.files import MAX_TEXT_BYTES

COMMIT, OTHER = "a" * 40, "b" * 40


@pytest.fixture
def folder(tiny_folder, tmp_path):
    shutil.copytree(tiny_folder, tmp_path / "m")
    return tmp_path / "m"


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        *(("unet/config.json", {"sample_size": v}) for v in ("x", -8, 8.5, True, [8, 8, 8], 2**40)),
        *(("unet/config.json", {"block_out_channels": v}) for v in ("x", [], [0], [2**40], [[1]])),
        *(("unet/config.json", {"layers_per_block": v}) for v in (10**9, [10**9, 1], "x", 100)),
        *(("unet/config.json", {"transformer_layers_per_block": v}) for v in (10**9, 100, [100])),
        ("unet/config.json", {"down_block_types": ["DownBlock2D"] * 10**5}),
        ("vae/config.json", {"block_out_channels": [2**40]}),
        ("vae/config.json", {"layers_per_block": 10**9}),
        *(("vae/config.json", {"scaling_factor": v}) for v in ("x", 0, float("nan"), None)),
        ("text_encoder/config.json", {"num_hidden_layers": 10**9}),
        ("text_encoder/config.json", {"text_config": {"num_hidden_layers": 10**9}}),
        ("text_encoder/config.json", {"quantization_config": {"quant_method": "gptq"}}),
        ("text_encoder/config.json", {"auto_map": {"AutoModel": "evil.Model"}}),
        *(("text_encoder/config.json", {"transformers_weights": v}) for v in
          ("other.safetensors", "adapter_model.bin", "sub/x.safetensors.index.json")),
        ("text_encoder/config.json", {"text_config": {"transformers_weights": "x.safetensors"}}),
        ("text_encoder/config.json", {"configuration_files": ["../config.4.0.0.json"]}),
        ("text_encoder/config.json", {"fusion_config": {"x": True}}),
        *(("text_encoder/config.json", {key: "a/kernel"}) for key in
          ("attn_implementation", "_attn_implementation", "_experts_implementation")),
        ("text_encoder/config.json", {"text_config": {"_attn_implementation": "a/kernel"}}),
        ("tokenizer/tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil.T", None]}}),
        ("tokenizer/tokenizer_config.json", {"fast_tokenizer_files": ["../tokenizer.4.0.json"]}),
        *(("tokenizer/tokenizer_config.json", {key: "/etc/passwd"}) for key in
          ("gguf_file", "tokenizer_file", "vocab_file", "merges_file", "vocab", "merges")),
        ("tokenizer/tokenizer_config.json", {"init_inputs": ["/etc/passwd"]}),
        *(("scheduler/scheduler_config.json", {"num_train_timesteps": v}) for v in (0, 10**9, "x")),
        *(("scheduler/scheduler_config.json", {"beta_end": v}) for v in (float("nan"), 7, -1, "x")),
        ("scheduler/scheduler_config.json", {"prediction_type": "sample"}),
        ("model_index.json", {"sow_settings": [1]}),
        ("model_index.json", {"sow_words": 7}),
        ("model_index.json", {"_class_name": ["diffusers", "Evil"]}),
        ("model_index.json", {"unet": ["diffusers", "AutoModel"]}),
        ("model_index.json", {"unet": [None, None]}),
        ("model_index.json", {"tokenizer": ["transformers", "AutoTokenizer"]}),
        ("model_index.json", {"controlnet": ["diffusers", "ControlNetModel"]}),
        ("model_index.json", {"safety_checker": ["diffusers", "StableDiffusionPipeline"]}),
    ],
)  # fmt: skip
def test_configurations_that_cannot_be_are_refused_before_loading(folder, file, changes):
    say(folder / file, **changes)
    with pytest.raises(ModelError) as caught:
        find_model(str(folder))
    assert "\n" not in str(caught.value)


def test_what_stable_diffusion_comes_with_is_no_reason_to_refuse_it(folder):
    """As its repositories on the hub are: pickles beside the weights, and old names of classes."""
    say(folder / "model_index.json", _class_name="StableDiffusionPipeline",
        scheduler=["diffusers", "PNDMScheduler"],
        feature_extractor=["transformers", "CLIPFeatureExtractor"],
        safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"])  # fmt: skip
    for file in ("safety_checker/config.json", "feature_extractor/preprocessor_config.json"):
        (folder / file).parent.mkdir()
        (folder / file).write_text('{"vision_config": {"num_hidden_layers": 24}}')
    shutil.copy(next((folder / "unet").glob("*.safetensors")), folder / "safety_checker")
    shutil.copy(next((folder / "unet").glob("*.safetensors")),
                folder / "unet" / "diffusion_pytorch_model.non_ema.safetensors")  # fmt: skip
    for file in ("README.md", "handler.py", "v1-5-pruned.ckpt", "unet/diffusion_pytorch_model.bin",
                 "text_encoder/pytorch_model.bin", "tokenizer/merges.txt"):  # fmt: skip
        (folder / file).write_text("x")
    (folder / "tokenizer/tokenizer.json").rename(folder / "tokenizer/vocab.json")
    (folder / "unet/.cache").mkdir()
    find_model(str(folder))


def test_a_tokenizer_needs_its_words(folder):
    (folder / "tokenizer/tokenizer.json").unlink()
    (folder / "tokenizer/vocab.json").write_text("{}")
    with pytest.raises(ModelError, match=r"merges\.txt"):
        find_model(str(folder))


@pytest.mark.parametrize("name", ["model_index.json", "unet/config.json", "vae/strange.json"])
def test_a_pipe_among_the_files_does_not_hang(folder, name):
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    with pytest.raises(ModelError, match="readable"):
        find_model(str(folder))


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, " " * (MAX_TEXT_BYTES + 1), "[]", "7"]
)
def test_json_that_is_no_configuration_is_not_readable(folder, text):
    (folder / "unet/config.json").write_text(text)
    assert read_config(folder / "unet") == {}
    with pytest.raises(ModelError, match="not readable"):
        find_model(str(folder))


@pytest.mark.parametrize(
    "named",
    ["evil.bin", "../../evil.safetensors", "/etc/evil.safetensors", "sub/evil.safetensors",
     "missing.safetensors", 7, None, ["x.safetensors"], "x\n.safetensors"],
)  # fmt: skip
def test_an_index_that_leads_elsewhere_is_refused(folder, named, tmp_path):
    index = sharded(folder, "unet")
    (tmp_path / "evil.safetensors").write_bytes(b"")
    entries = json.loads(index.read_text())["weight_map"]
    index.write_text(json.dumps({"weight_map": {**entries, "conv_in.bias": named}}))
    with pytest.raises(ModelError, match="leads to weights"):
        find_model(str(folder))


def test_no_part_is_taken_from_a_pickle(folder, tmp_path):
    """Nor one that Stable Diffusion could do without."""
    say(folder / "model_index.json",
        safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"])  # fmt: skip
    (folder / "safety_checker").mkdir()
    (folder / "safety_checker/config.json").write_text('{"model_type": "clip"}')
    torch.save(Evil(tmp_path / "ran"), folder / "safety_checker/pytorch_model.bin")
    with pytest.raises(ModelError, match="safety_checker only as a pickle"):
        SowPipeline.from_pretrained(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("size", [40_000, {"shortest_edge": 30_000}, {"height": 0, "width": 9}])
@pytest.mark.parametrize("name", ["size", "crop_size", "pad_size"])
def test_pictures_are_not_blown_up_for_the_safety_checker(folder, name, size):
    with_safety_checker(folder)
    find_model(str(folder))
    (folder / "feature_extractor/processor_config.json").unlink(missing_ok=True)
    for file, config in (("preprocessor_config.json", {name: size}),
                         ("processor_config.json", {"image_processor": {name: size}})):  # fmt: skip
        (folder / "feature_extractor" / file).write_text(json.dumps(config))
        with pytest.raises(ModelError, match=f"{file}.*{name}"):
            find_model(str(folder))
        (folder / "feature_extractor" / file).write_text('{"size": 32}')


def test_a_folder_inside_a_part_is_refused(folder):
    (folder / "text_encoder/sub").mkdir()
    with pytest.raises(ModelError, match="a folder inside"):
        find_model(str(folder))


@pytest.mark.parametrize("name", ["tokenizer.json", "vocab.json", "merges.txt", "strange.json"])
def test_words_of_many_gigabytes(folder, name):
    with (folder / "tokenizer" / name).open("ab") as file:
        file.truncate(20 * 2**30)  # takes no room on the disk
    with pytest.raises(ModelError, match=f"{name}.*larger than 16 MB"):
        find_model(str(folder))


def test_code_at_the_top_of_a_checkpoint_does_not_run(folder, tmp_path):
    say(folder / "model_index.json", _class_name=["diffusers", "Evil"])
    (folder / "diffusers.py").write_text(f"import os; os.mkdir({str(tmp_path / 'ran')!r})")
    with pytest.raises(ModelError, match="code of its own"):
        SowPipeline.from_pretrained(folder, trust_remote_code=True)
    assert not (tmp_path / "ran").exists()


def test_links_may_lead_into_the_hubs_cache_and_nowhere_else(folder, tmp_path):
    hub = tmp_path / "models--a--b"
    snapshot = hub / "snapshots" / COMMIT
    for number, file in enumerate(f for f in sorted(folder.rglob("*")) if f.is_file()):
        place = snapshot / file.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        blob = hub / "blobs" / str(number)
        blob.parent.mkdir(exist_ok=True)
        shutil.copy(file, blob)
        place.symlink_to(os.path.relpath(blob, place.parent))
    find_model(str(snapshot))
    (tmp_path / "link").symlink_to(folder)
    find_model(str(tmp_path / "link"))
    secret = shutil.copy(folder / "unet/config.json", tmp_path / "secret.json")
    for place in (snapshot, folder):
        (place / "unet/config.json").unlink()
        (place / "unet/config.json").symlink_to(secret)
        with pytest.raises(ModelError, match="outside"):
            find_model(str(place))


def cached(cache: Path, source: Path, commit: str, default: bool) -> None:
    home = cache / f"models--{SD21[0].replace('/', '--')}"
    shutil.copytree(source, home / "snapshots" / commit)
    if default:
        (home / "refs").mkdir()
        (home / "refs" / "main").write_text(commit)


@pytest.mark.parametrize("kind", ["pipe", "bytes", "device", "up", "absolute", "long", "folder"])
def test_a_reference_in_the_cache_that_is_no_commit(tiny_folder, tmp_path, monkeypatch, kind):
    """It could hang whoever reads it, fill the memory, or lead out of the cache."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    cached(tmp_path / "hub", tiny_folder, COMMIT, default=True)
    shutil.copytree(tiny_folder, tmp_path / "tiny")
    assert cached_snapshot(SD21[0]).name == COMMIT
    ref = next((tmp_path / "hub").glob("*/refs/main"))
    ref.unlink()
    match kind:
        case "pipe":
            os.mkfifo(ref)
        case "device":
            ref.symlink_to("/dev/zero")
        case "folder":
            ref.mkdir()
        case _:
            said = {"bytes": b"\xff" * 40, "up": b"../../../tiny", "long": b"a" * 10_000,
                    "absolute": str(tmp_path / "tiny").encode()}  # fmt: skip
            ref.write_bytes(said[kind])
    assert cached_snapshot(SD21[0]) is None
    with pytest.raises(ModelError, match="does not say which commit"):
        download_snapshot(SD21[0])


def test_a_revision_does_not_lead_out_of_the_cache(tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    cached(tmp_path, tiny_folder, COMMIT, default=True)
    (tmp_path / "ref").write_text(COMMIT)
    assert cached_snapshot(SD21[0], "../../ref") is None
    assert cached_snapshot(SD21[0], "x\0") is None
    assert cached_snapshot("no\0/name") is None


def test_a_recipes_commit_is_never_asked_of_the_hub(tiny_folder, tmp_path, monkeypatch):
    """One that is here is taken; else what is here runs, and the recipe's reader is told."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("sow.models.find.download_snapshot", lambda *_: pytest.fail("downloads"))
    cached(tmp_path, tiny_folder, COMMIT, default=True)
    cached(tmp_path, tiny_folder, OTHER, default=False)
    recipe = Recipe.model_construct(model=SD21[0], revision=OTHER, device="cpu", versions={})
    assert allowed_model(recipe) == (SD21[0], OTHER)
    strange = recipe.model_copy(update={"revision": "c" * 40})
    assert allowed_model(strange) == (SD21[0], None)
    found = find_model(SD21[0])
    assert found.commit == COMMIT
    assert any("differs" in line for line in find_differences(strange, found, "cpu"))
    shutil.rmtree(tmp_path / f"models--{SD21[0].replace('/', '--')}/snapshots/{OTHER}/unet")
    assert allowed_model(recipe) == (SD21[0], None)  # here, but not whole
