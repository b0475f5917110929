"""Weights that are not a checkpoint's own, or no numbers: pictures it never learnt to draw."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from diffusers import DDIMScheduler
from helpers import job
from huggingface_hub import constants
from ldm import save_single_file
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from spoiling import change, say, sharded, weights, with_safety_checker

from sow.backbones.schedule import DiffusionSchedule
from sow.errors import ModelError
from sow.models import find_model, load_pipeline
from sow.pipeline.pipeline import SowPipeline
from sow.settings.settings import Settings


@pytest.fixture
def folder(tiny_folder, tmp_path):
    shutil.copytree(tiny_folder, tmp_path / "m")
    return tmp_path / "m"


def without_some(tensors):
    for name in sorted(tensors)[:4]:
        del tensors[name]


def with_one_more(tensors):
    tensors["more.weight"] = torch.zeros(3)


def turned(tensors):
    name = next(name for name in sorted(tensors) if tensors[name].ndim == 2)
    tensors[name] = tensors[name].flatten()


def of_whole_numbers(tensors):
    name = min(tensors)
    tensors[name] = tensors[name].to(torch.int32)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
@pytest.mark.parametrize(
    ("how", "says"),
    [
        (without_some, "4 tensors are missing"),
        (with_one_more, "1 tensors are unknown, the first more.weight"),
        (turned, "of other shapes"),
        (of_whole_numbers, "I32"),
    ],
)
def test_tensors_that_are_not_the_configurations(folder, part, how, says):
    change(folder, part, how)
    for door in (lambda: load_pipeline(str(folder), device="cpu"),
                 lambda: SowPipeline.from_pretrained(folder)):  # fmt: skip
        with pytest.raises(ModelError, match=f"the {part} of 'm'.*{says}"):
            door()


@pytest.mark.parametrize("part", ["unet", "text_encoder"])
def test_weights_in_pieces_load_and_are_looked_through(folder, tiny, part):
    sharded(folder, part)
    pipe = load_pipeline(str(folder), device="cpu")
    theirs = getattr(tiny, part).state_dict()
    for name, tensor in getattr(pipe, part).state_dict().items():
        assert torch.equal(tensor, theirs[name])
    for file in (folder / part).glob("*-00001-*"):
        save_file(dict(list(load_file(file).items())[1:]), file, metadata={"format": "pt"})
    with pytest.raises(ModelError, match="1 tensors are missing"):
        load_pipeline(str(folder), device="cpu")


def test_weights_that_are_there_twice_are_refused(folder, tiny_folder):
    sharded(folder, "unet")
    shutil.copy(weights(tiny_folder, "unet"), folder / "unet")
    with pytest.raises(ModelError, match="twice"):
        load_pipeline(str(folder), device="cpu")


def test_names_and_buffers_of_older_libraries_are_the_same_weights(folder, tiny):
    """Attention in autoencoders was renamed, and text encoders counted their positions."""
    new = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}

    def older(tensors):
        for name in [name for name in tensors if "mid_block.attentions" in name]:
            old = name
            for today, before in new.items():
                old = old.replace(today, before)
            tensors[old] = tensors.pop(name)

    def prefixed(tensors):
        for name in list(tensors):
            tensors[f"text_model.{name.removeprefix('text_model.')}"] = tensors.pop(name)
        tensors["text_model.embeddings.position_ids"] = torch.arange(32)[None]

    change(folder, "vae", older)
    change(folder, "text_encoder", prefixed)
    with safe_open(weights(folder, "vae"), "pt") as file:
        assert any(".proj_attn." in name for name in file.keys())  # noqa: SIM118
    pipe = load_pipeline(str(folder), device="cpu")
    for part in ("vae", "text_encoder"):
        for name, tensor in getattr(tiny, part).state_dict().items():
            assert torch.equal(getattr(pipe, part).state_dict()[name], tensor), name


@pytest.mark.parametrize(
    ("how", "says"), [(without_some, "missing"), (of_whole_numbers, "I32"), (turned, "shapes")]
)
def test_a_safety_checker_is_looked_through_too(folder, how, says):
    with_safety_checker(folder)
    change(folder, "safety_checker", how)
    with pytest.raises(ModelError, match=f"the safety_checker of 'm'.*{says}"):
        SowPipeline.from_pretrained(folder)
    SowPipeline.from_pretrained(folder, safety_checker=None, requires_safety_checker=False)


def test_a_safety_checker_with_the_names_of_its_release(folder):
    def older(tensors):
        for name in [name for name in tensors if name.startswith("vision_model.")]:
            short = name.removeprefix("vision_model.").removeprefix("vision_model.")
            tensors[f"vision_model.vision_model.{short}"] = tensors.pop(name)

    with_safety_checker(folder)
    before = SowPipeline.from_pretrained(folder).safety_checker.state_dict()
    change(folder, "safety_checker", older)
    after = load_pipeline(str(folder), device="cpu").safety_checker.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_a_safety_checker_that_is_shown_pictures_of_another_size(folder):
    with_safety_checker(folder)
    file = folder / "feature_extractor/preprocessor_config.json"
    say(file, crop_size={"height": 16, "width": 16})
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_pipeline(str(folder), device="cpu")


def test_a_tensor_that_is_there_under_two_names(folder):
    def doubled(tensors):
        name = min(tensors)
        plain = name.removeprefix("text_model.")
        for known in (plain, f"text_model.{plain}"):
            tensors[known] = tensors[name].clone()

    change(folder, "text_encoder", doubled)
    with pytest.raises(ModelError, match="twice"):
        SowPipeline.from_pretrained(folder)


def test_a_part_that_is_given_need_not_be_whole(folder, tiny):
    change(folder, "unet", without_some)
    assert SowPipeline.from_pretrained(folder, unet=tiny.unet).unet is tiny.unet
    shutil.rmtree(folder / "unet")
    assert SowPipeline.from_pretrained(folder, unet=tiny.unet).unet is tiny.unet


def test_a_single_file_that_lacks_a_tensor(tiny, tiny_folder, tmp_path):
    save_single_file(tiny, tmp_path / "m.safetensors")
    tensors = load_file(tmp_path / "m.safetensors")
    for start, part in (("model.", "unet"), ("first_stage", "vae"), ("cond_", "text_encoder")):
        name = next(n for n in sorted(tensors) if n.startswith(start) and "norm" in n)
        fewer = {other: tensor for other, tensor in tensors.items() if other != name}
        save_file(fewer, tmp_path / "fewer.safetensors")
        with pytest.raises(ModelError, match=f"lacks tensors of its {part}|cannot be loaded"):
            load_pipeline(str(tmp_path / "fewer.safetensors"), device="cpu",
                          config=str(tiny_folder))  # fmt: skip


def test_a_single_files_configuration_is_not_trusted_either(tiny, folder, tmp_path):
    save_single_file(tiny, tmp_path / "m.safetensors")
    say(folder / "text_encoder/config.json", quantization_config={"quant_method": "gptq"})
    with pytest.raises(ModelError, match="quantization_config"):
        load_pipeline(str(tmp_path / "m.safetensors"), device="cpu", config=str(folder))


def test_a_configuration_of_the_hub_is_not_trusted_either(tiny, folder, tmp_path, monkeypatch):
    save_single_file(tiny, tmp_path / "m.safetensors")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    home = tmp_path / "models--stable-diffusion-v1-5--stable-diffusion-v1-5"
    shutil.copytree(folder, home / "snapshots" / ("a" * 40))
    (home / "refs").mkdir()
    (home / "refs/main").write_text("a" * 40)
    whole = str(tmp_path / "m.safetensors")
    named = "stable-diffusion-v1-5/stable-diffusion-v1-5"
    load_pipeline(whole, device="cpu", config=named)
    assert find_model(whole, config=named).checkpoint_spec.canvas == (64, 64)
    encoder = home / "snapshots" / ("a" * 40) / "text_encoder/config.json"
    say(encoder, quantization_config={"quant_method": "gptq"})
    for use in (lambda: load_pipeline(whole, device="cpu", config=named),
                lambda: find_model(whole, config=named).checkpoint_spec):  # fmt: skip
        with pytest.raises(ModelError, match="quantization_config"):
            use()
    with pytest.raises(ModelError, match="no/body"):
        load_pipeline(whole, device="cpu", config="no/body")


def test_a_single_file_of_whole_numbers(tiny, tiny_folder, tmp_path):
    file = tmp_path / "m.safetensors"
    save_single_file(tiny, file)
    tensors = load_file(file)
    tensors["model_ema.num_updates"] = torch.tensor(7)
    save_file(tensors, file)
    load_pipeline(str(file), device="cpu", config=str(tiny_folder))
    name = min(name for name in tensors if name.startswith("model.") and "weight" in name)
    tensors[name] = tensors[name].to(torch.int8)
    save_file(tensors, file)
    with pytest.raises(ModelError, match="I8"):
        load_pipeline(str(file), device="cpu", config=str(tiny_folder))


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_weights_that_are_no_numbers_draw_nothing(folder, part):
    change(folder, part, lambda tensors: tensors[max(tensors)].fill_(float("nan")))
    with pytest.raises(ModelError, match="not finite"):
        load_pipeline(str(folder), device="cpu")
    pipe = SowPipeline.from_pretrained(folder)  # whoever loads as with diffusers finds out later
    pipe.set_progress_bar_config(disable=True)
    for output_type in ("pil", "latent"):
        if (part, output_type) != ("vae", "latent"):
            with pytest.raises(ModelError, match="dtype=float32"):
                pipe(**job(Settings(cycles=1)), output_type=output_type)


@pytest.mark.parametrize(
    "changes",
    [
        {"trained_betas": [0.1] * 5 + [0.0] * 5},
        {"trained_betas": [0.1] * 5 + [float("nan")] * 5},
        {"trained_betas": [0.1] * 5 + [-0.5] * 5},
        {"beta_start": float("inf"), "beta_schedule": "linear"},
        {"beta_end": 3.0, "beta_schedule": "linear"},
    ],
)
def test_noise_that_is_none(changes):
    with pytest.raises(ModelError, match="noise"):
        DiffusionSchedule.from_scheduler(DDIMScheduler(**changes), 10)


def test_zero_noise_schedules_still_run():
    """Some finetunes of Stable Diffusion 2 end in pure noise; its last time is never asked."""
    scheduler = DDIMScheduler(rescale_betas_zero_snr=True, prediction_type="v_prediction")
    assert min(DiffusionSchedule.from_scheduler(scheduler, 50).alphas_cumprod) > 0


def test_what_cannot_run_is_found_out_when_it_is_loaded(folder):
    say(folder / "unet/config.json", class_embed_type="identity")
    with pytest.raises(ModelError, match="class_labels"):
        load_pipeline(str(folder), device="cpu")


def test_a_tokenizer_with_other_words_than_the_text_encoder(folder):
    tokenizer = json.loads((folder / "tokenizer/tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["strange</w>"] = 9000
    (folder / "tokenizer/tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ModelError, match="text encoder does not"):
        load_pipeline(str(folder), device="cpu")


@pytest.mark.parametrize("length", [None, int(1e30)])
def test_a_tokenizer_without_a_limit_has_the_text_encoders(folder, length):
    say(folder / "tokenizer/tokenizer_config.json", model_max_length=length)
    pipe = load_pipeline(str(folder), device="cpu")
    assert pipe.tokenizer.model_max_length == pipe.checkpoint_spec.token_limit == 32
