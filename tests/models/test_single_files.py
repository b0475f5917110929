"""What people bring in one file: recognised by its header, and run with bundled configurations."""

from __future__ import annotations

import math
import shutil
import threading

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from helpers import seeded
from ldm import openclip_tensors, save_single_file, unet_name, vae_name
from safetensors.torch import save_file
from spoiling import say
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

import sow
from sow.backbones.stable_diffusion import StableDiffusion
from sow.checkpoints import checked_pipeline, kinds, published
from sow.checkpoints.kinds import recognise
from sow.checkpoints.prediction import SIDE, TIMESTEP, _test_picture
from sow.checkpoints.published import PUBLISHED, load_tokenizers, published_folder
from sow.checkpoints.trust import check_configs
from sow.errors import ModelError
from sow.models import BUNDLED, find_model, load_pipeline

F16 = "F16"
UNET = "model.diffusion_model."
CONV_IN = f"{UNET}input_blocks.0.0.weight"
TO_K = f"{UNET}input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight"
LORA_K = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight"
PEFT_K = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.lora_A.weight"


def whole(width: int, channels: int = 4, **more: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    parts: dict[str, tuple[int, ...]] = {
        "first_stage_model.encoder.conv_in.weight": (128, 3, 3, 3),
        "cond_stage_model.transformer.text_model.final_layer_norm.weight": (width,),
    }
    return {CONV_IN: (320, channels, 3, 3), TO_K: (320, width), **parts, **more}


FILES: dict[str, tuple[dict[str, tuple[int, ...]], str]] = {
    "kohya lora": ({LORA_K: (4, 768)}, "a LoRA for Stable Diffusion 1.x"),
    "peft lora": ({PEFT_K: (4, 1024)}, "a LoRA for Stable Diffusion 2.x"),
    "old diffusers lora": (
        {"unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.processor."
         "to_k_lora.down.weight": (4, 768)}, "a LoRA for Stable Diffusion 1.x"),
    "text encoder lora": (
        {"lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight": (4, 768)},
        "a LoRA for Stable Diffusion 1.x"),
    "sdxl lora": ({LORA_K: (4, 2048)}, "a LoRA for SDXL"),
    "flux lora": ({"transformer.single_transformer_blocks.0.attn.to_k.lora_A.weight": (4, 3072)},
                  "a LoRA for FLUX"),
    "loha": ({LORA_K.replace("lora_down.weight", "hada_w1_a"): (4, 768)}, "a LyCORIS file (LoHa)"),
    "embedding": ({"emb_params": (8, 768)}, "an embedding (textual inversion) for Stable"),
    "diffusers embedding": ({"<cat>": (1024,)}, "an embedding (textual inversion) for Stable"),
    "sdxl embedding": ({"clip_l": (2, 768), "clip_g": (2, 1280)}, "inversion) for SDXL"),
    "half of sdxl": (
        whole(2048, **{"conditioner.embedders.0.transformer.text_model.x.weight": (9,)}),
        "a UNet of SDXL without its second text encoder"),
    "refiner": (whole(1280, **{f"{UNET}label_emb.0.0.weight": (1536, 2560)}), "the SDXL refiner"),
    "inpainting": (whole(768, 9), "an inpainting checkpoint of Stable Diffusion 1.x"),
    "inpainting 2": (whole(1024, 9), "an inpainting checkpoint of Stable Diffusion 2.x"),
    "depth": (whole(1024, 5), "a depth-to-image checkpoint of Stable Diffusion 2.x"),
    "pix2pix": (whole(768, 8), "an InstructPix2Pix checkpoint of Stable Diffusion 1.x"),
    "unclip": (whole(1024, **{f"{UNET}label_emb.0.0.weight": (1280, 2048)}), "a Stable unCLIP"),
    "only a unet": ({CONV_IN: (320, 4, 3, 3), TO_K: (320, 768)}, "without its autoencoder (VAE)"),
    "diffusers unet": ({"conv_in.weight": (320, 4, 3, 3), "down_blocks.0.attentions.0."
                        "transformer_blocks.0.attn2.to_k.weight": (320, 768)}, "UNet of Stable"),
    "vae": ({"encoder.conv_in.weight": (128, 3, 3, 3)}, "an autoencoder (VAE) alone"),
    "text encoder": ({"text_model.encoder.layers.0.self_attn.q_proj.weight": (768, 768)},
                     "a text encoder alone"),
    "controlnet": ({"control_model.time_embed.0.weight": (1280, 320)}, "a ControlNet"),
    "ip-adapter": ({"image_proj.proj.weight": (3072, 1024)}, "an IP-Adapter"),
    "sd3": ({"model.diffusion_model.joint_blocks.0.context_block.attn.qkv.weight": (9, 9)},
            "a model of Stable Diffusion 3"),
    "flux": ({"double_blocks.0.img_attn.norm.key_norm.scale": (128,)}, "a model of FLUX"),
    "video": ({"blocks.0.attn.qkv_x.weight": (9, 9)}, "a model of another kind (mochi-1-preview)"),
    "judge": ({"layers.0.weight": (5, 5)}, "not a checkpoint of any known model"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_checkpoint_is_named(tmp_path, name):
    shapes, what = FILES[name]
    file = tmp_path / "brought.safetensors"
    save_file({key: torch.zeros(shape, dtype=torch.int8) for key, shape in shapes.items()}, file)
    with pytest.raises(ModelError) as caught:
        find_model(str(file))
    assert what in caught.value.what
    assert caught.value.hint
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("start", "suffix", "what"),
    [
        (b"GGUF\x03\0\0\0", ".gguf", "a GGUF file"),
        (b"GGUF\x03\0\0\0", ".safetensors", "a GGUF file"),
        (b"PK\x03\x04", ".safetensors", "a pickle"),
        (b"PK\x03\x04", ".ckpt", "a pickle"),
        (b"version https://git-lfs.github.com/spec/v1\n", ".safetensors", "pointer of Git LFS"),
        (b"<!DOCTYPE html>", ".safetensors", "a web page"),
        (b"words", ".txt", "is not a model"),
    ],
)
def test_a_file_of_another_format_is_named_by_its_first_bytes(tmp_path, start, suffix, what):
    file = tmp_path / f"brought{suffix}"
    file.write_bytes(start + bytes(300))
    with pytest.raises(ModelError, match=what):
        find_model(str(file))


def test_the_command_names_what_it_was_given(run_sow, tmp_path):
    save_file({LORA_K: torch.zeros(4, 768)}, tmp_path / "style.safetensors")
    done = run_sow("generate", "--model", "style.safetensors", "--prompt", "a person", "--triple",
                   "person,holding,balloon")  # fmt: skip
    assert done.returncode == 5
    assert done.stderr == (
        "sow: 'style.safetensors' is a LoRA for Stable Diffusion 1.x; give it as --lora, and as "
        "--model a checkpoint for Stable Diffusion 1.x\n"
    )


def test_a_folder_of_single_files_is_not_taken_for_a_checkpoint(tmp_path):
    save_file({LORA_K: torch.zeros(4, 768)}, tmp_path / "pytorch_lora_weights.safetensors")
    with pytest.raises(ModelError, match=r"'pytorch_lora_weights.safetensors' is a LoRA"):
        find_model(str(tmp_path))
    save_file({"emb_params": torch.zeros(1, 768)}, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match=r"give one of them: a\.safetensors"):
        find_model(str(tmp_path))


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_bundled_configuration_is_complete_and_recognised(name):
    """The tensors that it describes, under their names in a single file, lead back to it."""
    folder = published_folder(name)
    check_configs(folder, passed=("tokenizer", "tokenizer_2"))
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(folder / "unet"))
        vae = AutoencoderKL.from_config(AutoencoderKL.load_config(folder / "vae"))
        text = CLIPTextModel(CLIPTextConfig.from_pretrained(folder / "text_encoder"))
    is_xl = PUBLISHED[name][0] == "sdxl"
    attentive = {0, 1} if is_xl else {1, 2, 3}
    home = "conditioner.embedders.0.transformer" if is_xl else "cond_stage_model"
    shapes = {unet_name(n, 2, attentive): t.shape for n, t in unet.state_dict().items()}
    shapes |= {vae_name(n, 4): t.shape for n, t in vae.state_dict().items()}
    shapes |= {f"{home}.{n}": t.shape for n, t in text.state_dict().items()}
    models = [unet, vae, text]
    if is_xl:
        config = CLIPTextConfig.from_pretrained(folder / "text_encoder_2")
        with torch.device("meta"):
            models.append(CLIPTextModelWithProjection(config))
        second = openclip_tensors(models[-1].state_dict())
        shapes |= {n: t.shape for n, t in second.items()}
    kind = recognise({key: (F16, tuple(shape)) for key, shape in shapes.items()})
    assert (kind.role, kind.base) == ("checkpoint", PUBLISHED[name][0])
    millions = [round(sum(p.numel() for p in m.parameters()) / 1e6) for m in models]
    known = {"sd1": [860, 84, 123], "sd2": [866, 84, 340], "sdxl": [2567, 84, 123, 695]}
    assert millions == known[kind.base]


def test_the_bundled_tokenizer_is_clips():
    first, second = load_tokenizers("sd1")["tokenizer"], load_tokenizers("sd2-v")["tokenizer"]
    text = "a photo of a cat"
    assert first(text).input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert (len(first), first.model_max_length) == (49408, 77)
    assert (first.pad_token_id, second.pad_token_id) == (49407, 0)


@pytest.fixture(scope="module")
def v_figures():
    """`figures` with a last layer that predicts v, fitted by least squares at the probed step."""
    pipe = load_pipeline("figures", device="cpu", dtype="float32")
    backbone, alpha = StableDiffusion(pipe), float(pipe.scheduler.alphas_cumprod[TIMESTEP])
    seen, rows, targets = [], [], []
    hook = pipe.unet.conv_out.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        latents = backbone.encode(_test_picture(SIDE))
        (texts,) = backbone.embed([[[""]]])
        for seed in range(1, 7):
            noise = torch.randn(latents.shape, generator=seeded(seed))
            noisy = math.sqrt(alpha) * latents + math.sqrt(1 - alpha) * noise
            backbone.predict(noisy, torch.tensor(TIMESTEP), texts)
            patches = torch.nn.functional.unfold(seen[-1], 3, padding=1)[0].T
            rows.append(torch.cat([patches, torch.ones(len(patches), 1)], 1))
            v = math.sqrt(alpha) * noise - math.sqrt(1 - alpha) * latents
            targets.append(v[0].flatten(1).T)
        hook.remove()
        a, b = torch.cat(rows).double(), torch.cat(targets).double()
        ridge = 0.01 * len(a) * torch.eye(a.shape[1], dtype=a.dtype)
        head = torch.linalg.solve(a.T @ a + ridge, a.T @ b).float()
        pipe.unet.conv_out.weight.copy_(head[:-1].T.reshape(4, -1, 3, 3))
        pipe.unet.conv_out.bias.copy_(head[-1])
    return pipe


@pytest.fixture
def small_world(monkeypatch, tmp_path):
    """The bundled configurations of 2.x in the size of `figures`: 128 px, and 192 px for v."""
    monkeypatch.setenv("SOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(published, "BUNDLED_CONFIGS", tmp_path / "configs")
    monkeypatch.setitem(kinds.CONTEXT_WIDTHS, 128, "sd2")
    for name in ("sd2-base", "sd2-v"):
        shutil.copytree(BUNDLED["figures"], tmp_path / "configs" / name)
    v = tmp_path / "configs" / "sd2-v"
    say(v / "unet/config.json", sample_size=24)
    say(v / "scheduler/scheduler_config.json", prediction_type="v_prediction")
    tokenizer = CLIPTokenizer.from_pretrained(BUNDLED["figures"] / "tokenizer")
    monkeypatch.setattr(checked_pipeline, "load_tokenizers", lambda name: {"tokenizer": tokenizer})


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_one_step_tells_epsilon_from_v_once(figures, v_figures, small_world, tmp_path, kind):
    """And with it the size: the plan is made on the right canvas, before any picture."""
    pipe, side = {"epsilon": (figures, 128), "v_prediction": (v_figures, 192)}[kind]
    file = tmp_path / "m.safetensors"
    save_single_file(pipe, file)
    service = sow.Service(str(file), device="cpu", dtype="float32")
    assert service.model.checkpoint_spec.canvas == (side, side)
    assert service.pipe.scheduler.config.prediction_type == kind
    assert service.pipe.canvas == (side, side)
    found = find_model(str(file))  # what was found out is kept
    assert found.checkpoint_spec.canvas == (side, side)
    assert found.checkpoint_spec.canvas_known
    again = load_pipeline(found, device="cpu", dtype="float32")
    assert again.scheduler.config.prediction_type == kind


def unprobed(file):
    """A checkpoint of 2.x, of which only its UNet tells what it predicts."""
    save_file({name: torch.zeros(shape) for name, shape in whole(1024).items()}, file)
    return file


def test_reading_ahead_does_not_wait_for_a_thread_that_loads(tmp_path):
    lazy = sow.Service(str(unprobed(tmp_path / "m.safetensors")))._lazy_model
    reader = threading.Thread(target=lazy.start_reading, daemon=True)
    with lazy._load_lock:  # a thread that loads needs what `start_reading` holds
        reader.start()
        reader.join(60)
        assert not reader.is_alive()


def test_a_bundled_configuration_of_another_family_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"2.x, and config=sd1 is for Stable Diffusion 1.x") as no:
        load_pipeline(unprobed(tmp_path / "m.safetensors"), device="cpu", config="sd1")
    assert no.value.hint == "leave out config=: it is recognised"


def test_words_of_embeddings_are_known_in_single_files_too(tmp_path):
    file = unprobed(tmp_path / "m.safetensors")
    model = find_model(file, config=str(BUNDLED["figures"])).with_words({"gold"})
    assert {"gold", "person"} <= model.checkpoint_spec.words


def test_weights_that_do_not_tell_are_asked_about(small_world, tmp_path):
    pipe = load_pipeline("figures", device="cpu", dtype="float32")
    with torch.no_grad():
        for weight in pipe.unet.parameters():
            weight.copy_(torch.randn(weight.shape, generator=seeded(0)) * 0.05)
    save_single_file(pipe, tmp_path / "m.safetensors")
    with pytest.raises(ModelError, match="epsilon or v cannot be told") as caught:
        load_pipeline(tmp_path / "m.safetensors", device="cpu")
    assert caught.value.hint == "set config=sd2-base (epsilon) or config=sd2-v (v)"
    assert not (tmp_path / "cache" / "predictions.json").exists()
    told = load_pipeline(tmp_path / "m.safetensors", device="cpu", config="sd2-v")
    assert told.scheduler.config.prediction_type == "v_prediction"


def test_a_file_of_an_unknown_family_needs_a_configuration(tiny, tiny_folder, tmp_path):
    save_single_file(tiny, tmp_path / "m.safetensors")
    with pytest.raises(ModelError, match=r"not recognised as Stable Diffusion 1.x, 2.x or XL; "):
        load_pipeline(tmp_path / "m.safetensors", device="cpu")
    folder = find_model(tmp_path / "m.safetensors", config=str(tiny_folder))
    assert folder.checkpoint_spec.canvas == (64, 64)
