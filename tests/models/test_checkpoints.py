"""What a checkpoint is, and which one it is."""

from __future__ import annotations

import json
import os
import shutil

import pytest
import torch
from conftest import EXAMPLES
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

from sow.benchmarks.checkpoints import TINY, random_pipeline
from sow.checkpoints import fingerprint as fingerprints
from sow.checkpoints.fingerprint import fingerprint
from sow.checkpoints.spec import CheckpointSpec
from sow.errors import ModelError
from sow.models import BUNDLED, find_model


@pytest.fixture
def folder(tiny_folder, tmp_path, monkeypatch):
    """A checkpoint of one's own to change, and a memory of one's own."""
    monkeypatch.setenv("SOW_CACHE", str(tmp_path / "cache"))
    shutil.copytree(tiny_folder, tmp_path / "m")
    return tmp_path / "m"


def weights_of(folder):
    return next((folder / "unet").glob("*.safetensors"))


def test_a_tensor_changed_in_the_middle_is_another_model(folder):
    before = fingerprint(folder)
    assert fingerprint(folder) == before
    file = weights_of(folder)
    tensors = load_file(file)
    name = sorted(tensors)[len(tensors) // 2]
    tensors[name].flatten()[0] += 1
    save_file(tensors, file)
    assert fingerprint(folder) != before


def test_one_byte_anywhere_counts(tmp_path, monkeypatch):
    """Of files in several chunks too, and wherever a chunk ends."""
    monkeypatch.setenv("SOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fingerprints, "CHUNK_BYTES", 1000)
    file = tmp_path / "model.safetensors"
    data = bytes(3500)
    file.write_bytes(data)
    seen = {fingerprint(file)}
    for place in (0, 999, 1000, 1001, 2500, 3499):
        file.write_bytes(data[:place] + b"x" + data[place + 1 :])
        seen.add(fingerprint(file))
    file.write_bytes(data + b"\0")
    seen.add(fingerprint(file))
    assert len(seen) == 8


def test_small_files_are_hashed_whatever_was_kept(folder):
    """What is kept is not sealed: whoever writes there could pass another file off as one."""
    before = fingerprint(folder)
    seen = [file for file in folder.rglob("*") if file.is_file()]
    kept = fingerprints._cache_file()
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps({fingerprints._cache_key(file): "0" * 64 for file in seen}))
    assert fingerprint(folder) == before


def test_only_what_is_loaded_counts(folder):
    before = fingerprint(folder)
    (folder / "README.md").write_text("hello")
    (folder / "unet" / "notes.md").write_text("hello")
    random_pipeline(TINY, seed=5).save_pretrained(folder.parent / "other", variant="fp16")
    for part in ("unet", "vae", "text_encoder"):
        for file in (folder.parent / "other" / part).glob("*.fp16.safetensors"):
            shutil.copy(file, folder / part)
    assert fingerprint(folder) == before
    assert fingerprint(folder, half=True) != before  # other files, other weights
    config = json.loads((folder / "scheduler/scheduler_config.json").read_text())
    config["beta_end"] = 0.02
    (folder / "scheduler/scheduler_config.json").write_text(json.dumps(config))
    assert fingerprint(folder) != before


def test_large_files_are_hashed_once(folder, monkeypatch):
    monkeypatch.setattr(fingerprints, "CACHE_MIN_BYTES", 1000)
    before = fingerprint(folder)
    memory = fingerprints._cache_file()
    assert str(weights_of(folder).resolve()) in memory.read_text()
    real = fingerprints._hash_chunk
    hashed = []
    monkeypatch.setattr(fingerprints, "_hash_chunk", lambda f, at: hashed.append(f) or real(f, at))
    assert fingerprint(folder) == before
    assert weights_of(folder) not in hashed
    os.utime(weights_of(folder), (1, 1))  # touched: looked at again
    assert fingerprint(folder) == before
    assert weights_of(folder) in hashed
    memory.write_text("nonsense")
    assert fingerprint(folder) == before


def test_the_hubs_commit_stands_for_itself(tiny_folder):
    found = find_model(str(tiny_folder))
    assert found.revision == fingerprint(tiny_folder)
    assert found.__class__("a/b", tiny_folder, "hub", commit="c" * 40).revision == "c" * 40


@pytest.mark.parametrize("name", ["figures", "tiny"])
def test_one_truth_about_a_checkpoint_loaded_or_not(name, figures, tiny, tiny_folder):
    pipe, source = {"figures": (figures, BUNDLED["figures"]), "tiny": (tiny, tiny_folder)}[name]
    assert CheckpointSpec.from_folder(source) == pipe.checkpoint_spec
    assert pipe.checkpoint_spec.vae_scale_factor == pipe.vae_scale_factor
    assert pipe.checkpoint_spec.canvas_multiple == pipe.canvas_multiple
    assert pipe.checkpoint_spec.token_limit == pipe.tokenizer.model_max_length


def test_settings_that_are_none_get_one_line(folder):
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "sow_settings": {"warp": 9}}))
    with pytest.raises(ModelError, match="no setting 'warp'"):
        find_model(str(folder)).checkpoint_spec.preset("normal")


def test_an_autoencoder_with_another_stride(run_sow, tmp_path):
    """Sixteen pixels a latent: the command line plans on that grid, and the picture comes out."""
    torch.manual_seed(0)
    pipe = random_pipeline(TINY)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 5, up_block_types=("UpDecoderBlock2D",) * 5,
        block_out_channels=(8, 8, 8, 16, 16), layers_per_block=1, norm_num_groups=4,
        latent_channels=4, sample_size=128,
    )  # fmt: skip
    pipe.register_modules(vae=vae.eval())
    pipe.save_pretrained(tmp_path / "m")
    face = EXAMPLES / "drawn-beard.png"
    done = run_sow("generate", "--model", "m", "--face", face, "--prompt", "a man", "--set",
                   "cycles=1", "--seed", "1", "--planner", "offline", "--box", "30,20,70,65",
                   "--out", "a.png", "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)[0]
    assert made["plan"]["canvas"] == [128, 128]
    assert made["plan"]["box"] == [32, 16, 64, 64]
