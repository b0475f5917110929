"""LoRAs and embeddings: read, added to a model for a picture, taken out again, and recorded."""

from __future__ import annotations

import json
import shutil
import weakref
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import EXAMPLES
from helpers import seeded
from PIL import Image
from pydantic import ValidationError
from safetensors.torch import save_file

from sow.backbones.stable_diffusion import StableDiffusion
from sow.batch.manifest.job import TV2IJob
from sow.checkpoints.adapters import (
    Adapters,
    Embedding,
    check_family,
    read_adapters,
    read_embedding,
    read_lora,
)
from sow.errors import ModelError, UsageError
from sow.pictures.condition import Condition
from sow.pictures.recipe import EmbeddingRecord, LoraRecord, read_recipe
from sow.pipeline.adapters import _change, with_adapters
from sow.pipeline.prefix_cache import pipeline_key
from sow.plan.plan import Plan
from sow.service.notes import adapter_notes
from sow.service.pipeline_calls import EngineTask
from sow.service.results import GenerationSpec
from sow.settings.inputs import as_loras
from sow.settings.settings import Settings

PLAN = Plan.parse({"canvas": [64, 64], "prompt": "a person", "box": [16, 8, 32, 32]})
FACE = EXAMPLES / "drawn-beard.png"
TO_K = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
TO_OUT = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0"
CONV = "down_blocks.0.resnets.0.conv1"
TEXT = "encoder.layers.0.self_attn.q_proj"
RANK, ALPHA = 2, 3.0


def factors(pipe, seed: int = 0) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """The two factors of a change of some layers, by part and layer."""
    made, generator = {}, seeded(seed)
    for part, name in (("unet", TO_K), ("unet", TO_OUT), ("text_encoder", TEXT)):
        shape = getattr(pipe, part).get_submodule(name).weight.shape
        down = torch.randn(RANK, shape[1], generator=generator)
        made[f"{part}.{name}"] = down, torch.randn(shape[0], RANK, generator=generator)
    return made


def kohya(layers):
    out = {}
    for name, (down, up) in layers.items():
        part, _, layer = name.partition(".")
        start = {"unet": "lora_unet_", "text_encoder": "lora_te_text_model_"}[part]
        key = start + layer.replace(".", "_")
        out |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up,
                f"{key}.alpha": torch.tensor(ALPHA)}  # fmt: skip
    return out, {}


def peft(layers):
    out = {}
    for name, (down, up) in layers.items():
        key = name.replace("text_encoder.", "text_encoder.text_model.")
        out |= {f"{key}.lora_A.weight": down, f"{key}.lora_B.weight": up}
    noted = {f"{part}.lora_alpha": ALPHA for part in ("unet", "text_encoder")}
    return out, {"lora_adapter_metadata": json.dumps(noted)}


def diffusers(layers):
    out = {}
    for name, (down, up) in layers.items():
        if name.startswith("unet"):
            block, _, layer = name.removesuffix(".0").rpartition(".")
            key = f"{block}.processor.{layer}_lora"
        else:
            key = f"{name.replace('text_encoder.', 'text_encoder.text_model.')}.lora_linear_layer"
        out |= {f"{key}.down.weight": down, f"{key}.up.weight": up * ALPHA / RANK}
    return out, {}


FORMATS = {"kohya": kohya, "peft": peft, "diffusers": diffusers}


def save_lora(pipe, file: Path, write=kohya, seed: int = 0) -> Path:
    tensors, metadata = write(factors(pipe, seed))
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, file, metadata)
    return file


def lora_of(pipe, file: Path, weight: float = 1.0, **more) -> Adapters:
    return read_adapters([(save_lora(pipe, file, **more), weight)], [])


def draw(pipe, prompt: str = "a person") -> bytes:
    pipe.set_progress_bar_config(disable=True)
    plan = PLAN.changed(prompt=prompt)
    out = pipe(image=Image.open(FACE), plan=plan, settings={"cycles": 1}, generator=seeded(0))
    return out.images[0].tobytes()


def weights(pipe) -> dict[str, torch.Tensor]:
    parts = {"unet": pipe.unet, "text_encoder": pipe.text_encoder}
    return {f"{p}.{n}": w.clone() for p, m in parts.items() for n, w in m.state_dict().items()}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_adds_the_product_and_takes_it_out_again(tiny, tmp_path, name):
    before, layers = weights(tiny), factors(tiny)
    adapters = lora_of(tiny, tmp_path / "a.safetensors", 0.5, write=FORMATS[name])
    with with_adapters(tiny, adapters):
        during = weights(tiny)
    for key, weight in before.items():
        layer = key.removesuffix(".weight")
        if layer in layers:
            down, up = layers[layer]
            weight = weight + 0.5 * ALPHA / RANK * (up @ down)
        torch.testing.assert_close(during[key], weight)
    for key, weight in weights(tiny).items():
        assert torch.equal(weight, before[key])


def test_convolutions_too(tiny, tmp_path):
    conv = tiny.unet.get_submodule(CONV).weight.detach().clone()
    down = torch.randn(RANK, *conv.shape[1:], generator=seeded(0))
    up = torch.randn(conv.shape[0], RANK, 1, 1, generator=seeded(1))
    key = f"lora_unet_{CONV.replace('.', '_')}"
    save_file({f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up},
              tmp_path / "c.safetensors")  # fmt: skip
    with with_adapters(tiny, read_adapters([(tmp_path / "c.safetensors", None)], [])):
        change = tiny.unet.get_submodule(CONV).weight - conv
    expected = torch.einsum("or,rikl->oikl", up[:, :, 0, 0], down)
    torch.testing.assert_close(change, expected, atol=1e-5, rtol=1e-5)


def test_a_lora_changes_the_picture_and_afterwards_not_a_bit_differs(tiny, tmp_path):
    bare, key = draw(tiny), pipeline_key(tiny)
    adapters = lora_of(tiny, tmp_path / "a.safetensors")
    with with_adapters(tiny, adapters):
        assert draw(tiny) != bare
        assert pipeline_key(tiny) != key
    assert draw(tiny) == bare
    assert pipeline_key(tiny) == key
    with with_adapters(tiny, lora_of(tiny, tmp_path / "a.safetensors", 0.0)):
        assert draw(tiny) == bare


def test_two_loras_add_up_and_a_failure_inside_restores(tiny, tmp_path):
    before = weights(tiny)
    first = lora_of(tiny, tmp_path / "a.safetensors").loras
    second = lora_of(tiny, tmp_path / "b.safetensors", -1.0).loras
    both = Adapters((*first, *second))
    with with_adapters(tiny, both):  # of equal files, they cancel out
        for key, weight in weights(tiny).items():
            torch.testing.assert_close(weight, before[key])
    with pytest.raises(ZeroDivisionError), with_adapters(tiny, Adapters(first)):
        raise ZeroDivisionError
    assert all(torch.equal(weight, before[key]) for key, weight in weights(tiny).items())
    assert not tiny.adapters


def test_a_lora_that_does_not_fit_is_refused_and_nothing_is_changed(tiny, figures, tmp_path):
    before = weights(tiny)
    wide = lora_of(figures, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="for a model of another size"), with_adapters(tiny, wide):
        pass
    layers = {f"unet.nowhere.{n}": value for n, value in factors(tiny).items()}
    save_file(peft(layers)[0], tmp_path / "b.safetensors")
    unknown = read_adapters([(tmp_path / "b.safetensors", 1.0)], [])
    with pytest.raises(ModelError, match=r"have: unet\.nowhere_"), with_adapters(tiny, unknown):
        pass
    assert all(torch.equal(weight, before[key]) for key, weight in weights(tiny).items())


KEY = f"lora_unet_{TO_K.replace('.', '_')}"


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        ({f"{KEY}.lora_down.weight": torch.ones(2, 8)}, "lacks tensors"),
        ({f"{KEY}.lora_down.weight": torch.full((2, 8), torch.nan),
          f"{KEY}.lora_up.weight": torch.ones(8, 2)}, "nan or infinity"),
        ({f"{KEY}.lora_down.weight": torch.ones(2, 8), f"{KEY}.lora_up.weight": torch.ones(8, 2),
          f"{KEY}.diff_b": torch.ones(8)}, "a tensor that SOW does not know"),
        ({f"{KEY}.lora_down.weight": torch.ones(2, 8, dtype=torch.int64)}, "unsupported dtype"),
        ({"lora_unet_single_blocks_0_linear1.lora_down.weight": torch.ones(4, 9)}, "is for FLUX"),
        ({f"{KEY}.lora_down.weight": torch.ones(0, 8), f"{KEY}.lora_up.weight": torch.ones(8, 0),
          f"{KEY}.alpha": torch.tensor(1.0)}, "an empty tensor"),
        ({f"{KEY}.lora_down.weight": torch.tensor(1.0), f"{KEY}.lora_up.weight": torch.ones(8, 2),
          f"{KEY}.alpha": torch.tensor(1.0)}, "a number in place of a matrix"),
        ({f"{KEY}.hada_w1_a": torch.ones(4, 4)}, "a LyCORIS file"),
        ({"emb_params": torch.ones(2, 768)}, "an embedding .*; give a LoRA"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_as_a_lora_gets_one_line(tmp_path, tensors, says):
    save_file(tensors, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match=says) as caught:
        read_lora(tmp_path / "a.safetensors")
    assert "\n" not in str(caught.value)


def test_a_path_that_is_not_unicode_gets_a_line_of_its_own(tmp_path):
    save_file({"emb_params": torch.ones(1, 768)}, tmp_path / "a.safetensors")
    file = (tmp_path / "a.safetensors").rename(tmp_path / "caf\udce9.safetensors")
    with pytest.raises(ModelError, match="is not valid Unicode; rename it"):
        read_embedding(file)


def test_keys_do_not_keep_the_tensors(tiny, tmp_path):
    adapters = lora_of(tiny, tmp_path / "a.safetensors")
    layers = weakref.ref(adapters.loras[0].layers)
    with with_adapters(tiny, adapters):
        kept = pipeline_key(tiny), adapters.key
    del adapters
    assert kept
    assert layers() is None


def test_a_recipe_names_words():
    for token in ("", "a b", "a,b"):
        with pytest.raises(ValidationError, match="token"):
            EmbeddingRecord(name="a.safetensors", sha256="0" * 64, token=token)


def test_a_recipe_names_no_folders():
    """It may come from anybody, and its names are looked for beside the picture."""
    for name in ("../a.safetensors", "/etc/a.safetensors", "c:\\a.safetensors", "a.safetensors/b"):
        with pytest.raises(ValidationError, match="name"):
            LoraRecord(name=name, sha256="0" * 64, weight=1)
    assert LoraRecord(name="a b.safetensors", sha256="0" * 64, weight=1).name == "a b.safetensors"


def test_changes_of_weights_are_not_kept_while_pictures_are_made(tiny, tmp_path, monkeypatch):
    """All together they would take as much memory as the model."""
    made: list[weakref.ref[torch.Tensor]] = []

    def change(*args):
        result = _change(*args)
        made.append(weakref.ref(result))
        return result

    monkeypatch.setattr("sow.pipeline.adapters._change", change)
    with with_adapters(tiny, lora_of(tiny, tmp_path / "a.safetensors")):
        assert made
        assert not any(reference() is not None for reference in made)


@pytest.mark.parametrize("noted", [f"1{'0' * 400}", "1e999", "NaN", '"nan"', "[" * 10_000, "[]"])
def test_an_alpha_that_is_no_number_gets_one_line(tmp_path, noted):
    save_file(
        {f"{KEY}.lora_A.weight": torch.ones(2, 8), f"{KEY}.lora_B.weight": torch.ones(8, 2)},
        tmp_path / "a.safetensors", {"lora_adapter_metadata": f'{{"unet.lora_alpha": {noted}}}'},
    )  # fmt: skip
    with pytest.raises(ModelError, match="has metadata that cannot be read"):
        read_lora(tmp_path / "a.safetensors")


def test_a_name_too_long_gets_one_line(tmp_path):
    for read in (read_lora, read_embedding):
        with pytest.raises(ModelError, match=r"there is no .* 'xxx"):
            read(tmp_path / f"{'x' * 300}.safetensors")


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        ({"emb_params": torch.ones(0, 768)}, "has no vectors"),
        ({"emb_params": torch.ones(3, 0)}, "has no vectors"),
        ({"emb_params": torch.full((1, 768), 1e300, dtype=torch.float64)}, "nan or infinity"),
        ({"a\x1b[31m": torch.ones(1, 768)}, "which is not one word"),
    ],
)
def test_a_file_that_cannot_be_used_as_an_embedding_gets_one_line(tmp_path, tensors, says):
    save_file(tensors, tmp_path / "abc.safetensors")
    with pytest.raises(ModelError, match=says):
        read_embedding(tmp_path / "abc.safetensors")


def test_pickles_and_missing_files_are_refused(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"PK\x03\x04")
    with pytest.raises(ModelError, match=r"pickle.*; give an embedding as a .safetensors file"):
        read_embedding(tmp_path / "a.pt")
    with pytest.raises(ModelError, match=r"there is no lora 'b.safetensors'"):
        read_lora(tmp_path / "b.safetensors")


def test_another_family_is_named_before_anything_is_loaded(tmp_path):
    save_file({f"{KEY}.lora_down.weight": torch.ones(2, 768),
               f"{KEY}.lora_up.weight": torch.ones(8, 2)}, tmp_path / "a.safetensors")  # fmt: skip
    adapters = read_adapters([(tmp_path / "a.safetensors", None)], [])
    with pytest.raises(ModelError, match=r"is for Stable Diffusion 1.x, but m is Stable Diffusion"):
        check_family(adapters, "sd2", "m")
    check_family(adapters, "sd1", "m")
    check_family(adapters, "", "m")


def test_files_with_weights():
    assert as_loras("a.safetensors") == [(Path("a.safetensors"), None)]
    assert as_loras(["a.safetensors:0.5", Path("b.safetensors")]) == [
        (Path("a.safetensors"), 0.5), (Path("b.safetensors"), None),
    ]  # fmt: skip
    assert as_loras(r"C:\loras\a.safetensors:-1")[0][1] == -1
    with pytest.raises(UsageError, match="out of range; give lora=file:weight, from -5 to 5"):
        as_loras("a.safetensors:7")
    with pytest.raises(UsageError, match="give at most 10"):
        as_loras(["a.safetensors"] * 11)
    with pytest.raises(UsageError, match="lora"):
        as_loras(3)


@pytest.fixture
def gold(tiny, tmp_path):
    """An embedding of three vectors, called Gold."""
    width = tiny.text_encoder.config.hidden_size
    save_file(
        {"emb_params": torch.randn(3, width, generator=seeded(0))}, tmp_path / "Gold.safetensors"
    )
    return read_embedding(tmp_path / "Gold.safetensors")


def test_an_embedding_is_a_word_of_several_tokens(tiny, gold):
    """In any case, and not inside of other words; the prompt's limit counts all its tokens."""
    bare, table = draw(tiny), tiny.text_encoder.get_input_embeddings()
    plain = tiny.tokenizer("a gold hat").input_ids
    with with_adapters(tiny, Adapters(embeddings=(gold,))):
        assert StableDiffusion(tiny).words("a gold hat") == [
            ("a", [1]),
            ("gold", [2, 3, 4]),
            ("hat", [5]),
        ]
        (text,) = StableDiffusion(tiny).embed([[["a GOLD hat"]]])
        (same,) = StableDiffusion(tiny).embed([[["a Gold hat"]]])
        assert torch.equal(text.prompt_embeds, same.prompt_embeds)
        other = [word for word, _ in StableDiffusion(tiny).words("a golden hat")]
        assert "gold" not in other
        assert tiny.num_truncated_tokens("gold " * 10, "plain") == 0
        assert tiny.num_truncated_tokens("gold " * 11, "plain") == 3 * 11 + 2 - 32
        assert draw(tiny) == bare  # its word is not in the prompt
        assert draw(tiny, "a person gold") != draw(tiny, "a person")
    assert tiny.tokenizer("a gold hat").input_ids == plain
    assert tiny.text_encoder.get_input_embeddings() is table
    assert draw(tiny) == bare


def test_words_that_the_model_has_already_cannot_be_taken(tiny, gold):
    word = next(w for w in tiny.tokenizer.get_vocab() if w.endswith("</w>") and len(w) > 8)
    taken = replace(gold, token=word.removesuffix("</w>").upper())
    wide = replace(gold, vectors=torch.ones(1, 7))
    for embeddings, says in (
        ((taken,), "already knows as a word"),
        ((replace(gold, token=word),), "already knows as a word"),  # as CLIP notes it
        ((gold, gold), "are both called 'gold'; rename"),
        ((wide,), "vectors of 7 numbers, and the model reads 32"),
    ):
        given = Adapters(embeddings=embeddings)
        with pytest.raises(ModelError, match=says), with_adapters(tiny, given):
            pass


def test_an_embedding_counts_as_named_if_the_words_of_a_prompt_name_it():
    embeddings = tuple(Embedding("a", "0" * 64, token, "", torch.ones(1, 8))
                       for token in ("bad(hand)", "gold"))  # fmt: skip
    plan = PLAN.changed(prompt=r"a man <lora:gold:1>, bad\(hand\)", negative="")
    for syntax, unused in (("weights", "gold"), ("plain", "bad(hand)")):
        notes = list(adapter_notes(Adapters(embeddings=embeddings), plan,
                                   Settings(prompt_syntax=syntax)))  # fmt: skip
        assert [note.split(",")[0] for note in notes] == [f"the prompt does not name {unused}"]


def test_pictures_with_other_loras_are_made_in_other_calls(tiny, tmp_path):
    spec = GenerationSpec(Condition.empty((64, 64)), PLAN, Settings(), "a", "0" * 64)
    first = lora_of(tiny, tmp_path / "a.safetensors")
    specs = [spec, replace(spec, adapters=first),
             replace(spec, adapters=lora_of(tiny, tmp_path / "a.safetensors", 0.5)),
             replace(spec, adapters=lora_of(tiny, tmp_path / "a.safetensors", seed=1))]  # fmt: skip
    keys = {EngineTask(one, 0).batch_key for one in specs}
    assert len(keys) == 4
    again = replace(spec, adapters=lora_of(tiny, tmp_path / "b.safetensors", seed=0))
    assert EngineTask(again, 0).batch_key in keys  # the same file under another name
    assert again.adapters.loras[0].layers is first.loras[0].layers  # read once


def test_a_job_names_its_files():
    job = TV2IJob(image="a.png", prompt="a man", lora=["x.safetensors:0.5", "s3://b/y.safetensors"],
                  embedding="z.safetensors")  # fmt: skip
    assert job.paths == {
        "image": "a.png", "lora-0": "x.safetensors", "lora-1": "s3://b/y.safetensors",
        "embedding-0": "z.safetensors",
    }  # fmt: skip
    request = job.request({"image": Path("/in/a.png"), "lora-0": Path("/in/x.safetensors"),
                           "embedding-0": Path("/in/z.safetensors")})  # fmt: skip
    assert request.lora == ["/in/x.safetensors:0.5", "s3://b/y.safetensors"]
    assert request.embedding == ["/in/z.safetensors"]
    assert TV2IJob.from_json(job.as_json()) == job


@pytest.fixture
def files(tiny, tiny_folder, gold, tmp_path):
    """A checkpoint, two LoRAs and an embedding in the current folder."""
    shutil.copytree(tiny_folder, tmp_path / "m")
    save_lora(tiny, tmp_path / "style.safetensors")
    save_lora(tiny, tmp_path / "other.safetensors", seed=1)
    return tmp_path


GENERATE = ("generate", "--model", "m", "--planner", "offline", "--face", FACE, "--seed", 1,
            "--set", "cycles=1")  # fmt: skip


def test_the_recipe_records_them_and_finds_them_again(run_sow, files):
    done = run_sow(*GENERATE, "--prompt", "a gold man", "--lora", "style.safetensors:0.5",
                   "--embedding", "Gold.safetensors", "--out", "a.png")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "no effect" not in done.stderr
    recipe, _ = read_recipe(files / "a.png")
    assert [(lora.name, lora.weight) for lora in recipe.loras] == [("style.safetensors", 0.5)]
    assert [(one.name, one.token) for one in recipe.embeddings] == [("Gold.safetensors", "Gold")]
    shown = run_sow("show", "a.png").stdout
    assert recipe.loras[0].sha256 in "".join(shown.split())
    again = run_sow("generate", "--recipe", "a.png", "--model", "m", "--out", "b.png")
    assert again.returncode == 0, again.stderr
    assert (files / "a.png").read_bytes() == (files / "b.png").read_bytes()
    (files / "elsewhere").mkdir()
    (files / "style.safetensors").rename(files / "elsewhere/renamed.safetensors")
    shutil.copy(files / "other.safetensors", files / "style.safetensors")  # not what was recorded
    lost = run_sow("generate", "--recipe", "a.png", "--model", "m", "--out", "c.png")
    assert lost.returncode == 5
    assert "needs 'style.safetensors'" in lost.stderr
    assert lost.stderr.endswith("give it with --lora\n")
    given = run_sow("generate", "--recipe", "a.png", "--model", "m", "--out", "c.png",
                    "--lora", "elsewhere/renamed.safetensors")  # fmt: skip
    assert given.returncode == 0, given.stderr
    pictures = [Image.open(files / name).tobytes() for name in ("a.png", "c.png")]
    assert pictures[0] == pictures[1]
    wrong = run_sow("generate", "--recipe", "a.png", "--model", "m", "--out", "d.png", "--lora",
                    "elsewhere/renamed.safetensors", "--lora", "other.safetensors")  # fmt: skip
    assert wrong.returncode == 5
    assert "'other.safetensors' is none of the files that the recipe" in wrong.stderr
    weighed = run_sow("generate", "--recipe", "a.png", "--model", "m", "--out", "d.png", "--lora",
                      "elsewhere/renamed.safetensors:0.9")  # fmt: skip
    assert weighed.returncode == 2
    assert "the recipe has the weights of its LoRAs" in weighed.stderr
    like = run_sow("generate", "--like", "a.png", "--model", "m", "--out", "e.png", "--seed", 1,
                   "--lora", "other.safetensors:2")  # fmt: skip
    assert like.returncode == 0, like.stderr
    recipe, _ = read_recipe(files / "e.png")
    assert [(lora.name, lora.weight) for lora in recipe.loras] == [("other.safetensors", 2.0)]


def test_a_picture_without_any_has_the_recipe_it_always_had(run_sow, files):
    done = run_sow(*GENERATE, "--prompt", "a man", "--embedding", "Gold.safetensors",
                   "--lora", "style.safetensors:0", "--out", "a.png")  # fmt: skip
    assert "the prompt does not name Gold" in done.stderr
    assert "'style.safetensors' has no effect: its weight is 0" in done.stderr
    bare = run_sow(*GENERATE, "--prompt", "a man", "--out", "b.png", "--json")
    assert Image.open(files / "a.png").tobytes() == Image.open(files / "b.png").tobytes()
    assert not {"loras", "embeddings"} & json.loads(bare.stdout)[0].keys()


def test_jobs_of_a_batch_with_and_without_them_are_as_if_alone(run_sow, files):
    """The files are those beside the manifest, and the model is bare again for the next job."""
    (files / "jobs").mkdir()
    shutil.move(files / "other.safetensors", files / "jobs/other.safetensors")
    common = {"image": str(FACE), "prompt": "a man", "seed": 1, "settings": {"cycles": 1}}
    lines = [{"id": "bare", **common}, {"id": "with", "lora": "other.safetensors:0.5", **common},
             {"id": "last", **common}]  # fmt: skip
    (files / "jobs/jobs.jsonl").write_text("\n".join(map(json.dumps, lines)))
    done = run_sow("batch", "jobs/jobs.jsonl", "--model", "m", "--planner", "offline",
                   "--batch-size", 1, "--out", "out")  # fmt: skip
    assert done.returncode == 0, done.stderr
    pictures = {name: Image.open(files / f"out/{name}.png").tobytes() for name in
                ("bare", "with", "last")}  # fmt: skip
    assert pictures["bare"] == pictures["last"] != pictures["with"]
    recipe, _ = read_recipe(files / "out/with.png")
    assert [(lora.name, lora.weight) for lora in recipe.loras] == [("other.safetensors", 0.5)]
    missing = {"id": "more", "lora": ["no.safetensors"], **common}
    (files / "jobs/jobs.jsonl").write_text(json.dumps(missing))
    refused = run_sow("batch", "jobs/jobs.jsonl", "--model", "m", "--out", "more")
    assert refused.returncode == 2
    assert "there is no lora 'no.safetensors'" in refused.stderr
