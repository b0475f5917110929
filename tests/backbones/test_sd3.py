"""Stable Diffusion 3: joint attention, T5, the states of a flow, loading and LoRA."""

from __future__ import annotations

import copy
import json
import shutil

import pytest
import torch
from dense import edited_scores
from family_fixtures import sd3, sd3_folder, without_t5  # noqa: F401
from helpers import latents, noise_picture, plan, seeded, with_body
from safetensors.torch import save_file
from spoiling import say

import sow
from sow.attention.chain import JointProcessor
from sow.attention.control import JointProbe, project_heads
from sow.attention.edits import EditCompiler, LogitEdit
from sow.attention.layout import find_tokens
from sow.backbones.base import AttentionLayer
from sow.backbones.registry import backbone_of
from sow.backbones.t5_tokens import LENGTH
from sow.checkpoints.adapters import Adapters, read_lora
from sow.checkpoints.flow_states import at_equal_noise, stable_diffusion_log_snr
from sow.checkpoints.kinds import recognise
from sow.errors import ModelError, PlanError
from sow.models import find_model, load_pipeline
from sow.pipeline.adapters import with_adapters
from sow.pipeline.pipeline import StableDiffusion3SowPipeline, StableDiffusionSowPipeline
from sow.settings.settings import Settings


def test_decoding_undoes_encoding_scale_and_shift(sd3):
    """The library's pipeline decodes the same latents to the same pixels."""
    x = torch.randn(1, 16, 8, 8, generator=seeded(0))
    config = sd3.vae.config
    with torch.no_grad():
        theirs = sd3.vae.decode(x / config.scaling_factor + config.shift_factor).sample
        assert torch.allclose(backbone_of(sd3).decode(x), theirs, atol=1e-5)
        pixels = theirs.clamp(-1, 1)
        mode = sd3.vae.encode(pixels).latent_dist.mode()
        encoded = (mode - config.shift_factor) * config.scaling_factor
        assert torch.allclose(backbone_of(sd3).encode(pixels), encoded, atol=1e-5)


# ---- Joint attention.

LAYERS = [AttentionLayer("joint", kind, 2, True) for kind in ("self", "cross")]
PICTURE, TEXTS = 16, 12


def joint_states(sd3):
    attn = copy.deepcopy(sd3.transformer.transformer_blocks[1].attn)
    with torch.no_grad():  # sharper than at random
        for layer in (attn.to_q, attn.to_k, attn.add_q_proj, attn.add_k_proj):
            layer.weight.mul_(8)
    hidden = torch.randn(4, PICTURE, 32, generator=seeded(1))
    return attn, hidden, torch.randn(4, TEXTS, 32, generator=seeded(2))


def joint_edits() -> dict[str, list[LogitEdit]]:
    """Of two pictures, in the first of two branches: C, R and a phrase with a box."""
    queries = torch.arange(PICTURE).expand(2, -1)
    condition, related = queries < torch.tensor([[4], [6]]), queries >= 10
    strength = torch.rand(2, PICTURE, generator=seeded(3))
    words = (torch.arange(TEXTS) % 5 == 1).expand(2, -1)
    return {
        "self": [
            LogitEdit("raise", related, condition, strength * related),
            LogitEdit("lower", condition, ~condition, strength * condition),
        ],
        "cross": [
            LogitEdit("raise", related, words, 0.5 * related),
            LogitEdit("forbid", queries == 7, words, None),
        ],
    }


def processor_with(attn, edits: dict[str, list[LogitEdit]]) -> JointProcessor:
    made = JointProcessor(attn.processor, LAYERS, 2, TEXTS)
    both = [(layer, edit) for layer in LAYERS for edit in edits[layer.kind]]
    made.edits = made.compile(EditCompiler(), both)
    return made


def dense_weights(attn, hidden, context, edits) -> torch.Tensor:
    """The attention of the first two samples' picture tokens to all, in float64."""
    attn = copy.deepcopy(attn).double()
    hidden, context = hidden[:2].double(), context[:2].double()
    query = project_heads(attn, "q", hidden) * project_heads(attn, "q", hidden).shape[3] ** -0.5
    scores = [
        edited_scores(query @ project_heads(attn, name, states).transpose(2, 3), edits[kind])
        for kind, name, states in (("self", "k", hidden), ("cross", "added_k", context))
    ]
    return torch.cat(scores, -1).softmax(-1)


@torch.no_grad()
def test_edits_of_joint_attention_equal_the_dense_form(sd3):
    attn, hidden, context = joint_states(sd3)
    edits = joint_edits()
    picture, texts = processor_with(attn, edits)(attn, hidden, context)
    plain, plain_texts = attn.processor(attn, hidden, context)
    weights = dense_weights(attn, hidden, context, edits)
    double = copy.deepcopy(attn).double()
    values = torch.cat(
        [
            project_heads(double, "v", hidden[:2].double()),
            project_heads(double, "added_v", context[:2].double()),
        ],
        2,
    )
    dense = double.to_out[0]((weights @ values).transpose(1, 2).flatten(2))
    assert (picture[:2].double() - dense).abs().max() < 1e-5
    assert (picture[:2] - plain[:2]).abs().max() > 1e-2
    assert torch.allclose(picture[2:], plain[2:], atol=1e-5)  # the other branch
    assert torch.allclose(texts, plain_texts, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("kind", ["self", "cross"])
def test_a_probe_applies_the_share_of_its_kind(sd3, kind):
    attn, hidden, context = joint_states(sd3)
    edits = joint_edits()
    probe = JointProbe(kind, attn, hidden, context, 2, processor_with(attn, edits).edits)
    weights = dense_weights(attn, hidden, context, edits)
    part = weights[..., :PICTURE] if kind == "self" else weights[..., PICTURE:]
    value = torch.randn(*probe.key.shape, generator=seeded(4))
    assert (probe.attend(value).double() - part @ value.double()).abs().max() < 1e-5


def test_cycles_with_everything_on(sd3):
    """Modulation, layout and a trace; a batch equals its jobs alone."""
    settings = sd3.preset("published-normal").changed(
        cycles=2, alpha_minus=0.5, alpha_plus=0.7, gate="none", layout_steps=4
    )
    objects = [{"id": "coat", "label": "red coat", "box": [0, 32, 64, 32]}]
    plans = [
        with_body(prompt="a man in a red coat", objects=objects),
        with_body((8, 16, 32, 32), prompt="a cat in the snow"),
    ]
    images = [noise_picture(1), noise_picture(2)]
    with sow.trace(sd3) as trace:
        both = latents(sd3, image=images, plan=plans, settings=settings,
                       generator=[seeded(1), seeded(2)])  # fmt: skip
    for n in range(2):
        alone = latents(
            sd3, image=images[n], plan=plans[n], settings=settings, generator=seeded(n + 1)
        )
        assert (both[n] - alone[0]).abs().max() < 1e-4
    off = settings.changed(alpha_minus=0.0, alpha_plus=0.0, layout_steps=0)
    plain = latents(sd3, image=images[0], plan=plans[0], settings=off, generator=seeded(1))
    assert (plain[0] - both[0]).abs().max() > 1e-3
    heat = dict(trace.words())
    assert list(heat) == ["a", "man", "in", "red", "coat"]
    assert heat["coat"].shape == (8, 8)


def test_words_are_found_among_the_tokens_of_all_encoders(sd3, without_t5):
    clip = sd3.tokenizer.model_max_length
    (_, first), *_, (last, coat) = backbone_of(sd3).words("a man in a red coat")
    assert first == [1, clip]
    assert last == "coat"
    assert coat[-2:] == [clip + 5, clip + 6]  # T5 has two tokens of it
    words = backbone_of(sd3).words("a red cat, in the snow, a cat")
    assert find_tokens("red cat", words) == [2, 3, clip + 1, clip + 2]
    assert [word for word, _ in words] == ["a", "red", "cat", ",", "in", "the", "snow", ",", "a",
                                           "cat"]  # fmt: skip
    assert backbone_of(without_t5).words("a man")[0] == ("a", [1])
    assert backbone_of(sd3).text_tokens([["a"]]) == clip + LENGTH
    assert sd3.num_truncated_tokens("a " * 100) == 0
    assert sd3.num_truncated_tokens("a " * 300) == 300 - (LENGTH - 1)
    assert without_t5.num_truncated_tokens("a " * 100) == 100 - (clip - 2)


def test_weights_of_words_reach_every_encoder(sd3):
    backbone, clip = backbone_of(sd3), sd3.tokenizer.model_max_length
    with torch.no_grad():
        plain, heavy = backbone.embed([[["a red cat"]], [["a (red:1.5) cat"]]], "weights")
    changed = (plain.prompt_embeds - heavy.prompt_embeds).abs().amax(-1)[0, 0] > 1e-3
    assert changed[2]
    assert changed[clip + 1]


# ---- Its states.


@pytest.mark.parametrize(("shift", "states"), [(1.0, (5, 7, (5,))), (3.0, (3, 4, (2,)))])
def test_states_are_as_noisy_as_the_published_ones(shift, states):
    made = at_equal_noise(Settings(preserve=(4,)), shift)
    assert (made.t1, made.t2, made.preserve) == states
    sigmas = {s: shift * s / (10 + (shift - 1) * s) for s in range(1, 10)}
    wanted = stable_diffusion_log_snr(7, 10)
    ratio = {s: 2 * torch.tensor((1 - n) / n).log().item() for s, n in sigmas.items()}
    assert made.t2 == min(ratio, key=lambda s: abs(ratio[s] - wanted))


def test_the_noise_of_the_published_states_is_that_of_the_real_schedule(tiny):
    schedule = backbone_of(tiny).schedule(10)
    for state in range(1, 11):
        assert stable_diffusion_log_snr(state, 10) == pytest.approx(
            schedule.log_snr(state), abs=1e-4
        )


# ---- Loading.


def test_a_folder_finds_its_family(sd3, sd3_folder):
    loaded = sow.SowPipeline.from_pretrained(sd3_folder)
    loaded.set_progress_bar_config(disable=True)
    assert type(loaded) is StableDiffusion3SowPipeline
    settings = sd3.preset("published-normal").changed(cycles=1)
    job = {"image": noise_picture(1), "plan": plan(), "settings": settings}
    first, second = (latents(pipe, **job, generator=seeded(0)) for pipe in (sd3, loaded))
    assert (first - second).abs().max() < 1e-3
    model = find_model(sd3_folder)
    assert model.base == "sd3"
    spec = model.checkpoint_spec
    assert (spec.canvas, spec.canvas_multiple, spec.max_side) == ((64, 64), 16, 256)
    assert spec == loaded.checkpoint_spec
    assert spec.preset("normal").t2 == 4
    assert spec.sources("normal")["t2"] == "equal noise"
    assert spec.sources("normal")["cycles"] == "paper, Sec. V"
    with pytest.raises(PlanError, match="too large for this model; width and height may have up"):
        sd3(image=noise_picture(1), plan=plan(canvas=(64, 272)))
    with pytest.raises(ModelError, match="does not run Stable Diffusion 3"):
        StableDiffusionSowPipeline.from_pretrained(sd3_folder)


def test_a_folder_without_t5(without_t5, tmp_path):
    without_t5.save_pretrained(tmp_path / "m")
    pipe = load_pipeline(str(tmp_path / "m"), device="cpu", dtype="float32")
    assert pipe.components.get("text_encoder_3") is None
    (texts,) = backbone_of(pipe).embed([[["a cat"]]])
    clip = pipe.tokenizer.model_max_length
    assert texts.prompt_embeds.shape == (1, 1, clip + LENGTH, 96)
    assert not texts.prompt_embeds[0, 0, clip:].any()


def test_files_in_half_precision_beside_others(sd3, sd3_folder, tmp_path):
    """As the published repositories have them: half of the text encoders only."""
    shutil.copytree(sd3_folder, tmp_path / "m")
    for part in ("text_encoder", "text_encoder_2"):
        folder = tmp_path / "m" / part
        (folder / "model.safetensors").rename(folder / "model.fp16.safetensors")
    for dtype in ("float32", "bfloat16"):
        pipe = load_pipeline(str(tmp_path / "m"), device="cpu", dtype=dtype)
        weight = pipe.text_encoder.get_input_embeddings().weight
        assert torch.allclose(
            weight.float(), sd3.text_encoder.get_input_embeddings().weight, atol=1e-3
        )


def spoil(folder, part):
    index = json.loads((folder / "model_index.json").read_text())
    match part:
        case "class":
            index["transformer"] = ["diffusers", "FluxTransformer2DModel"]
        case "scheduler":
            index["scheduler"] = ["diffusers", "DDIMScheduler"]
        case "tokenizer":
            shutil.rmtree(folder / "tokenizer_3")
        case "weights":
            say(folder / "text_encoder_3/config.json", num_layers=3)
        case "shift":
            say(folder / "scheduler/scheduler_config.json", shift=-1.0)
        case "extra":
            say(folder / "tokenizer_3/tokenizer_config.json", extra_ids=10**9)
        case "layers":
            say(folder / "transformer/config.json", num_layers=10**6)
    (folder / "model_index.json").write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ("class", "not those of Stable Diffusion 3"),
        ("scheduler", "not those of Stable Diffusion 3"),
        ("tokenizer", "has no tokenizer_3"),
        ("weights", "text_encoder_3 of 'm' do not match its config.json"),
        ("shift", "scheduler_config.json' of 'm' is invalid: shift"),
        ("extra", "tokenizer_config.json' of 'm' is invalid: extra_ids"),
        ("layers", "transformer/config.json' of 'm' is invalid: num_layers"),
    ],
)
def test_a_spoilt_folder_gets_one_line(sd3_folder, tmp_path, part, says):
    shutil.copytree(sd3_folder, tmp_path / "m")
    spoil(tmp_path / "m", part)
    with pytest.raises(ModelError, match=says) as caught:
        load_pipeline(str(tmp_path / "m"), device="cpu")
    assert "\n" not in str(caught.value)


# ---- LoRA.


def test_a_lora_in_diffusers_names_is_added_and_taken_out(sd3, tmp_path):
    blocks, encoder = sd3.transformer.transformer_blocks, dict(sd3.text_encoder_2.named_modules())
    start = "text_model." if "text_model" in encoder else ""
    wanted = {
        "transformer.transformer_blocks.1.attn.to_k": blocks[1].attn.to_k,
        "transformer.transformer_blocks.0.attn.add_q_proj": blocks[0].attn.add_q_proj,
        "text_encoder_2.text_model.encoder.layers.0.mlp.fc1": encoder[
            f"{start}encoder.layers.0.mlp.fc1"
        ],
    }
    tensors = {}
    for key, module in wanted.items():
        outputs, inputs = module.weight.shape
        tensors[f"{key}.lora_A.weight"] = torch.randn(2, inputs, generator=seeded(1))
        tensors[f"{key}.lora_B.weight"] = torch.randn(outputs, 2, generator=seeded(2))
    save_file(tensors, tmp_path / "style.safetensors")
    before = {key: module.weight.clone() for key, module in wanted.items()}
    with with_adapters(sd3, Adapters((read_lora(tmp_path / "style.safetensors", 0.5),))):
        for key, module in wanted.items():
            added = 0.5 * tensors[f"{key}.lora_B.weight"] @ tensors[f"{key}.lora_A.weight"]
            assert torch.allclose(module.weight, before[key] + added, atol=1e-5), key
    assert all(torch.equal(module.weight, before[key]) for key, module in wanted.items())


@pytest.mark.parametrize(("width", "base"), [(1536, "sd3"), (2432, "sd3"), (3072, "flux"), (9, "")])
def test_the_family_of_a_lora_is_told_by_its_width(width, base):
    key = "transformer.transformer_blocks.0.attn.to_k.lora_A.weight"
    kind = recognise({key: ("F16", (4, width))})
    assert (kind.role, kind.base) == ("lora", base)
