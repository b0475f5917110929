"""SDXL: two encoders, loading, LoRA and embeddings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from commands import run_process
from diffusers import StableDiffusionXLPipeline
from family_fixtures import xl, xl_folder  # noqa: F401
from helpers import latents, noise_picture, plan, seeded
from hub_server import Hub
from ldm import save_single_file
from safetensors.torch import save_file
from spoiling import say

import sow
from sow.backbones.prompt_tokens import tokenize_prompt
from sow.backbones.registry import backbone_of
from sow.checkpoints import checked_pipeline, kinds, published
from sow.checkpoints.adapters import Adapters, read_embedding, read_lora
from sow.errors import ModelError
from sow.models import find_model, load_pipeline
from sow.models.hub import SDXL
from sow.pipeline.adapters import with_adapters
from sow.pipeline.pipeline import StableDiffusionSowPipeline, StableDiffusionXLSowPipeline
from sow.settings.settings import Settings

PAPER = Settings.preset("paper-normal").changed(cycles=2, steps=10, t1=5, t2=7)


def test_texts_of_several_chunks_have_the_description_of_the_first(xl):
    """And the shorter ones are repeated; what a text has does not depend on the others."""
    backbone = backbone_of(xl)
    long = "a man in a red coat in the snow, " * 12
    with torch.no_grad():
        (together,) = backbone.embed([[["a cat", long, ""]]], "weights")
        (alone,) = backbone.embed([[["a cat"]]], "weights")
    chunk = together.prompt_embeds.shape[2] // alone.prompt_embeds.shape[2]
    assert chunk > 1
    repeated = alone.prompt_embeds[0, 0].repeat(chunk, 1)
    assert torch.allclose(together.prompt_embeds[0, 0], repeated, atol=1e-5)
    pooled = together.added_cond_kwargs["text_embeds"]
    assert torch.allclose(pooled[0, 0], alone.added_cond_kwargs["text_embeds"][0, 0], atol=1e-5)
    assert pooled[0, 2].abs().max() == together.prompt_embeds[0, 2].abs().max() == 0


def test_cycles_with_everything_on(xl):
    """The condition, layout and modulation; a batch equals its jobs alone."""
    settings = PAPER.changed(alpha_minus=0.5, alpha_plus=0.7, lambda_c=0.1, lambda_d=0.5)
    plans = [plan((16, 8, 32, 32)), plan((8, 24, 32, 32), prompt="a red coat")]
    images = [noise_picture(1), noise_picture(2)]
    generators = [seeded(1), seeded(2)]
    both = latents(xl, image=images, plan=plans, settings=settings, generator=generators)
    for n in range(2):
        alone = latents(
            xl, image=images[n], plan=plans[n], settings=settings, generator=seeded(n + 1)
        )
        assert (both[n] - alone[0]).abs().max() < 1e-4
    assert (both[0] - both[1]).abs().max() > 0.1


def test_half_precision_decodes_in_full(xl, xl_folder):
    pipe = sow.SowPipeline.from_pretrained(xl_folder, torch_dtype=torch.float16)
    (one,) = (backbone_of(p).decode(torch.randn(1, 4, 8, 8, generator=seeded(0))) for p in [pipe])
    assert one.dtype == pipe.vae.dtype == torch.float32
    assert pipe.unet.dtype == torch.float16


# ---- Loading.


def test_a_folder_finds_its_family(xl, xl_folder, tiny_folder):
    loaded = sow.SowPipeline.from_pretrained(xl_folder)
    assert type(loaded) is StableDiffusionXLSowPipeline
    assert type(sow.SowPipeline.from_pretrained(tiny_folder)) is StableDiffusionSowPipeline
    assert type(sow.SowPipeline(**loaded.components)) is StableDiffusionXLSowPipeline
    again = sow.SowPipeline.from_pipe(StableDiffusionXLPipeline.from_pipe(loaded))
    assert type(again) is StableDiffusionXLSowPipeline
    job = {"image": noise_picture(1), "plan": plan(), "settings": PAPER.changed(cycles=1)}
    made = [latents(pipe, **job, generator=seeded(0)) for pipe in (xl, loaded, again)]
    assert all((made[0] - other).abs().max() < 1e-3 for other in made[1:])
    model = find_model(xl_folder)
    assert model.base == "sdxl"
    assert model.checkpoint_spec.canvas == (64, 64)
    assert json.loads((xl_folder / "model_index.json").read_text())["_class_name"] == (
        "StableDiffusionXLPipeline"
    )
    assert len(StableDiffusionXLPipeline.from_pretrained(xl_folder).components) == 9


def test_a_class_of_one_family_refuses_another(xl_folder, tiny_folder):
    with pytest.raises(ModelError, match="does not run SDXL"):
        StableDiffusionSowPipeline.from_pretrained(xl_folder)
    with pytest.raises(ModelError, match="does not run Stable Diffusion 1"):
        StableDiffusionXLSowPipeline.from_pretrained(tiny_folder)


def spoil(folder, part):
    index = json.loads((folder / "model_index.json").read_text())
    match part:
        case "refiner":
            index |= {"text_encoder": [None, None], "tokenizer": [None, None]}
        case "class":
            index["text_encoder_2"] = ["transformers", "CLIPTextModel"]
        case "weights":
            (folder / "text_encoder_2" / "model.safetensors").unlink()
        case "tokenizer":
            shutil.rmtree(folder / "tokenizer_2")
        case "projection":
            say(folder / "text_encoder_2/config.json", projection_dim=41)
    (folder / "model_index.json").write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ("refiner", "is the SDXL refiner, which only finishes pictures"),
        ("class", "not those of SDXL"),
        ("weights", "has no weights for its text_encoder_2"),
        ("tokenizer", "has no tokenizer_2"),
        ("projection", "text_encoder_2 of 'm' do not match its config.json"),
    ],
)
def test_a_spoilt_folder_gets_one_line(xl_folder, tmp_path, part, says):
    shutil.copytree(xl_folder, tmp_path / "m")
    spoil(tmp_path / "m", part)
    with pytest.raises(ModelError, match=says) as caught:
        load_pipeline(str(tmp_path / "m"), device="cpu")
    assert "\n" not in str(caught.value)


@pytest.fixture
def small_xl(xl_folder, monkeypatch, tmp_path):
    """The bundled configuration of SDXL in the size of the tiny one."""
    monkeypatch.setenv("SOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(published, "BUNDLED_CONFIGS", tmp_path / "configs")
    monkeypatch.setitem(kinds.CONTEXT_WIDTHS, 80, "sdxl")
    shutil.copytree(xl_folder, tmp_path / "configs" / "sdxl")
    pipe = load_pipeline(str(xl_folder), device="cpu", dtype="float32")
    own = {"tokenizer": pipe.tokenizer, "tokenizer_2": pipe.tokenizer_2}
    monkeypatch.setattr(checked_pipeline, "load_tokenizers", lambda name: own)
    monkeypatch.setattr(checked_pipeline, "probe_prediction", lambda pipe: "epsilon")


def test_a_single_file_draws_what_the_folder_draws(xl, small_xl, tmp_path):
    save_single_file(xl, tmp_path / "m.safetensors")
    model = find_model(tmp_path / "m.safetensors")
    assert (model.base, model.is_probed) == ("sdxl", True)
    pipe = load_pipeline(model, device="cpu", dtype="float32")
    pipe.set_progress_bar_config(disable=True)
    job = {"image": noise_picture(1), "plan": plan(), "settings": PAPER.changed(cycles=1)}
    first, second = (latents(p, **job, generator=seeded(0)) for p in (xl, pipe))
    assert (first - second).abs().max() < 1e-4


def test_it_is_downloaded_by_its_name(xl_folder, tmp_path):
    server = Hub({SDXL: xl_folder})
    home = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
    done = run_process(
        tmp_path, "download", "sdxl", "--json",
        env={"HF_ENDPOINT": server.url, "HF_HUB_OFFLINE": "", **home},
    )  # fmt: skip
    server.close()
    assert done.returncode == 0, done.stderr
    assert f"Fetching {SDXL}: 13.9 GB in all, CreativeML Open RAIL++-M License" in done.stderr
    folder = Path(json.loads(done.stdout)["folder"])
    assert (folder / "text_encoder_2/model.safetensors").is_file()
    assert (folder / "tokenizer_2/tokenizer.json").is_file()


# ---- LoRA.


LAYERS = {
    "lora_unet_input_blocks_4_1_transformer_blocks_1_attn2_to_k": (
        "unet", "down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_k"),
    "lora_unet_middle_block_1_transformer_blocks_0_attn1_to_q": (
        "unet", "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"),
    "lora_unet_output_blocks_1_1_proj_in": ("unet", "up_blocks.0.attentions.1.proj_in"),
    "lora_unet_output_blocks_4_0_in_layers_2": ("unet", "up_blocks.1.resnets.1.conv1"),
    "lora_unet_output_blocks_2_2_conv": ("unet", "up_blocks.0.upsamplers.0.conv"),
    "lora_unet_input_blocks_3_0_op": ("unet", "down_blocks.0.downsamplers.0.conv"),
    "lora_unet_label_emb_0_2": ("unet", "add_embedding.linear_2"),
    "lora_te2_text_model_encoder_layers_1_mlp_fc1": ("text_encoder_2", "encoder.layers.1.mlp.fc1"),
    "lora_te1_text_model_encoder_layers_0_self_attn_q_proj": (
        "text_encoder", "encoder.layers.0.self_attn.q_proj"),
}  # fmt: skip


def module_of(pipe, part, name):
    modules = dict(getattr(pipe, part).named_modules())
    return modules.get(name) or modules[f"text_model.{name}"]


def test_every_name_of_a_lora_is_understood(xl, tmp_path):
    """kohya's scripts name SDXL's layers as the original release does."""
    wanted = {key: module_of(xl, *place) for key, place in LAYERS.items()}
    tensors = {}
    for key, module in wanted.items():
        shape = module.weight.shape
        tensors[f"{key}.lora_down.weight"] = torch.randn(2, *shape[1:], generator=seeded(1))
        tensors[f"{key}.lora_up.weight"] = torch.randn(
            shape[0], 2, *[1] * (len(shape) - 2), generator=seeded(2)
        )
    save_file(tensors, tmp_path / "style.safetensors")
    before = {key: module.weight.clone() for key, module in wanted.items()}
    with with_adapters(xl, Adapters((read_lora(tmp_path / "style.safetensors", 0.5),))):
        for key, module in wanted.items():
            up, down = tensors[f"{key}.lora_up.weight"], tensors[f"{key}.lora_down.weight"]
            added = 0.5 * (up.flatten(1) @ down.flatten(1)).reshape(module.weight.shape)
            assert torch.allclose(module.weight, before[key] + added, atol=1e-5), key
    assert all(torch.equal(module.weight, before[key]) for key, module in wanted.items())


# ---- Embeddings.


def test_an_embedding_is_a_word_in_both_encoders(xl, tmp_path):
    pair = {"clip_l": torch.randn(2, 32, generator=seeded(0)), "clip_g": torch.ones(2, 48)}
    save_file(pair, tmp_path / "Gold.safetensors")
    gold = read_embedding(tmp_path / "Gold.safetensors")
    assert (gold.base, gold.tokens) == ("sdxl", ["gold", "gold_1"])
    with torch.no_grad():
        (before,) = backbone_of(xl).embed([[["a hat"]]])
        with with_adapters(xl, Adapters(embeddings=(gold,))):
            backbone = backbone_of(xl)
            assert backbone.words("a Gold hat") == [("a", [1]), ("gold", [2, 3]), ("hat", [4])]
            assert [len(t) for t in (xl.tokenizer, xl.tokenizer_2)] == [len(xl.tokenizer)] * 2
            (named, other) = backbone.embed([[["a gold hat"]], [["a hat"]]])
            ids = backbone._ids(tokenize_prompt(xl, "a gold hat", "plain").split(), xl.tokenizer_2)
            table = xl.text_encoder_2.get_input_embeddings()
            assert torch.equal(table(ids[0, 2:4]), pair["clip_g"])
        (after,) = backbone_of(xl).embed([[["a hat"]]])
    assert torch.equal(before.prompt_embeds, after.prompt_embeds)
    assert torch.allclose(before.prompt_embeds, other.prompt_embeds, atol=1e-5)
    assert (named.prompt_embeds - other.prompt_embeds).abs().max() > 0.1


def test_a_text_as_a_whole_has_the_words_after_an_embedding(xl, tmp_path, monkeypatch):
    """The published configuration has no true end token, so transformers takes the largest id."""
    save_file(
        {"clip_l": torch.ones(1, 32), "clip_g": torch.ones(1, 48)}, tmp_path / "Gold.safetensors"
    )
    gold = Adapters(embeddings=(read_embedding(tmp_path / "Gold.safetensors"),))
    for module in xl.text_encoder_2.modules():
        if hasattr(module, "eos_token_id"):
            monkeypatch.setattr(module, "eos_token_id", 2)
    with torch.no_grad(), with_adapters(xl, gold):
        (texts,) = backbone_of(xl).embed([[["gold in the snow", "gold in a red hat"]]])
    first, second = texts.added_cond_kwargs["text_embeds"][0]
    assert (first - second).abs().max() > 0.1


def test_an_embedding_of_one_encoder_is_refused(xl, tmp_path):
    save_file({"emb_params": torch.ones(1, 32)}, tmp_path / "one.safetensors")
    one = Adapters(embeddings=(read_embedding(tmp_path / "one.safetensors"),))
    says = "vectors for 1 of the 2 text encoders"
    with pytest.raises(ModelError, match=says), with_adapters(xl, one):
        pass
    uneven = {"clip_l": torch.ones(1, 32), "clip_g": torch.ones(2, 48)}
    save_file(uneven, tmp_path / "b.safetensors")
    with pytest.raises(ModelError, match="1 and 2 vectors for its text encoders"):
        read_embedding(tmp_path / "b.safetensors")
