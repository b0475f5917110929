"""Prompts as people write them elsewhere: weights, BREAK, and more words than one chunk holds."""

from __future__ import annotations

import json

import pytest
import torch
from helpers import ON, latents, noise_picture, seeded
from helpers import with_body as plan

import sow
from sow.attention.control import RunContext
from sow.attention.layout import _phrase_tokens, phrases_of
from sow.backbones.prompt_tokens import MAX_CHUNKS, tokenize_prompt
from sow.backbones.stable_diffusion import StableDiffusion
from sow.diffusion.jobs import make_jobs
from sow.pictures.condition import Condition
from sow.pictures.recipe import Recipe
from sow.plan.prompt_syntax import escaped, parse_prompt, plain_text, with_weights_of
from sow.service.pipeline_calls import EngineTask, text_tokens_of
from sow.service.results import GenerationSpec
from sow.settings.settings import Settings

LONG = "a man in the city at night, holding an umbrella, " * 3 + "a red balloon, a zebra"


@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("normal text", [[("normal text", 1)]]),
        ("an (important) word", [[("an ", 1), ("important", 1.1), (" word", 1)]]),
        ("(unbalanced", [[("unbalanced", 1.1)]]),
        (r"\(literal\]", [[("(literal]", 1)]]),
        ("(unnecessary)(parens)", [[("unnecessaryparens", 1.1)]]),
        ("a [[dim]] (lamp : .5)", [[("a ", 1), ("dim", 1 / 1.21), (" ", 1), ("lamp ", 0.5)]]),
        ("((house:1.3) on) it", [[("house", 1.43), (" on", 1.1), (" it", 1)]]),
        ("a) cat] :) 8:30", [[("a) cat] :) 8:30", 1)]]),
        ("a cat BREAK (a dog:2)", [[("a cat ", 1)], [(" ", 1), ("a dog", 2)]]),
        ("Breakfast, break", [[("Breakfast, break", 1)]]),
        ("<lora:x:0.8>a man", [[("a man", 1)]]),
        ("(x:-1) (y:99)", [[("x", 0), (" ", 1), ("y", 10)]]),
        (f"((x:0):{'9' * 400}) (y:{'9' * 400})", [[("x", 0), (" ", 1), ("y", 10)]]),
        ("", [[("", 1)]]),
        ("BREAK", [[("", 1)]]),
    ],
)
def test_the_syntax_is_the_web_uis(prompt, parts):
    found = [[(f.text, pytest.approx(f.weight, abs=1e-6)) for f in p] for p in parse_prompt(prompt)]
    assert found == parts


def test_plain_words_and_what_is_only_brackets():
    said = "a man,\tin a (red coat:1.3) <lora:x:1>  BREAK at [[night]]"
    assert plain_text(said) == "a man, in a red coat, at night"
    assert plain_text(" as\tit  is, ") == " as\tit  is, "
    for text in (r"a (b:2) [c] \d", "BREAK it", "<lora:x:1>"):
        assert len(parse_prompt(escaped(text))) == 1
        assert [f.weight for f in parse_prompt(escaped(text))[0]] == [1]
    assert plain_text(escaped(r"a (b:2) [c] \d")) == r"a (b:2) [c] \d"


def test_weights_go_to_the_words_that_replace_others():
    said = "a (king:1.3) in a [velvet] (blue  coat:1.2), a (blue coat)"
    words = {"king": "man", "velvet": ""}
    text, lost = with_weights_of(
        said, "a man in a blue coat, a blue coat", lambda w: words.get(w, w)
    )
    assert text == "a (man:1.3) in a (blue coat:1.2), a (blue coat:1.1)"
    assert lost == ["velvet"]


def test_short_texts_are_encoded_as_diffusers_does(tiny):
    texts = ["a person in a red coat", "", "zebra! 猫 <|endoftext|> x", "a, b"]
    backbone = StableDiffusion(tiny)
    with torch.no_grad():
        expected = tiny.encode_prompt(texts, "cpu", 1, False)[0]
        for syntax in ("plain", "weights"):
            assert torch.equal(backbone.embed([[texts]], syntax)[0].prompt_embeds[0], expected)
        cut = tiny.encode_prompt([LONG], "cpu", 1, False)[0]
        assert torch.equal(backbone.embed([[[LONG]]], "plain")[0].prompt_embeds[0], cut)


def test_a_weight_multiplies_its_tokens_and_the_mean_stays(tiny):
    backbone = StableDiffusion(tiny)
    with torch.no_grad():
        (found,) = backbone.embed([[["a (red:1.5) coat", "a red coat"]]], "weights")
    weighted, plain = found.prompt_embeds[0]
    ratio = (weighted / plain).median(1).values
    (red,) = (
        place for word, place in backbone.words("a (red:1.5) coat", "weights") if word == "red"
    )
    others = [n for n in range(len(ratio)) if n not in red]
    assert torch.allclose(ratio[red], 1.5 * ratio[0], atol=1e-4)
    assert torch.allclose(ratio[others], ratio[:1].expand(len(others)), atol=1e-4)
    assert 1 / 1.5 - 1e-4 <= ratio[0] <= 1 + 1e-4


def test_long_prompts_are_read_in_chunks_that_end_after_a_comma(tiny):
    found, tokenizer = tokenize_prompt(tiny, LONG, "weights"), tiny.tokenizer
    limit = tokenizer.model_max_length
    assert len(found.chunks) > 1
    assert found.lost == tiny.num_truncated_tokens(LONG) == 0
    assert tiny.num_truncated_tokens(LONG, "plain") > 0
    assert all(len(ids) == limit for ids in found.ids(tokenizer))
    words = [word for word, _ in found.words(tokenizer)]
    assert words == LONG.replace(",", " ,").split()
    places = [n for _, where in found.words(tokenizer) for n in where]
    ids = [n for row in found.ids(tokenizer) for n in row]
    assert tokenizer.decode([ids[n] for n in places]).replace(" ", "") == LONG.replace(" ", "")
    for chunk in found.chunks[:-1]:
        assert tokenizer.decode(chunk[-1].ids).strip() == ","
    two = tokenize_prompt(tiny, "a cat BREAK a dog", "weights").words(tokenizer)
    assert [places[0] // limit for _, places in two] == [0, 0, 1, 1]


def test_what_is_longer_than_all_chunks_is_counted(tiny):
    found = tokenize_prompt(tiny, "x " * 3000, "weights")
    room = tiny.tokenizer.model_max_length - 2
    assert len(found.chunks) == MAX_CHUNKS
    assert found.lost == 3000 - MAX_CHUNKS * room
    one = tokenize_prompt(tiny, "q" * 300, "weights")  # a word that is longer than a chunk
    assert sum(len(w.ids) for c in one.chunks for w in c) + one.lost >= 100


def test_a_picture_does_not_depend_on_longer_prompts_beside_it(tiny):
    """A shorter text is repeated, which changes nothing but the rounding."""
    plans = [plan(prompt="a person"), plan(prompt=LONG, negative="a hat BREAK a coat")]
    job = {"image": noise_picture(1), "settings": ON}
    both = latents(tiny, **job, plan=plans, generator=[seeded(0), seeded(1)])
    for number, one in enumerate(plans):
        alone = latents(tiny, **job, plan=one, generator=seeded(number))
        assert torch.allclose(both[number], alone[0], atol=1e-4)
    cut = latents(tiny, **job | {"settings": ON.changed(prompt_syntax="plain")}, plan=plans[1],
                  generator=seeded(1))  # fmt: skip
    assert not torch.allclose(both[1], cut[0], atol=1e-3)


def test_batches_have_prompts_of_one_length(tiny):
    def key(prompt: str) -> object:
        spec = GenerationSpec(Condition.empty((64, 64)), plan(prompt=prompt), ON, "a", "")
        return EngineTask(spec, 1, text_tokens=text_tokens_of(tiny, spec)).batch_key

    assert key("a person") == key("a man in the (snow:1.3)") != key(LONG) == key(LONG + " now")


def test_phrases_and_heat_maps_find_their_words_in_every_chunk(tiny):
    objects = [{"id": "z", "label": "zebra", "box": [40, 0, 24, 24]}]
    long = plan(prompt=LONG.replace("a zebra", "a (zebra:1.4)"), objects=objects,
                negative="a BREAK b BREAK c")  # fmt: skip
    short = plan(prompt="a zebra", objects=objects)
    jobs = make_jobs(noise_picture(1), [long, short], ON, None, None, 8)
    backbone = StableDiffusion(tiny)
    context = RunContext.of(jobs, torch.zeros(2, 1, 8, 8, dtype=torch.bool), backbone)
    tokens = _phrase_tokens(context, [phrases_of(job.plan) for job in jobs])[0]
    for row, job in zip(tokens, jobs, strict=True):
        own = backbone.text_tokens([[job.plan.prompt]], "weights")
        (zebra,) = (p for w, p in backbone.words(job.plan.prompt, "weights") if w == "zebra")
        copies = row.view(-1, own)
        assert all(copy.nonzero().flatten().tolist() == zebra for copy in copies)
    with sow.trace(tiny) as t:
        latents(tiny, image=noise_picture(1), plan=[long, short], settings=ON,
                generator=[seeded(0), seeded(1)])  # fmt: skip
    with sow.trace(tiny) as alone:
        latents(tiny, image=noise_picture(1), plan=short, settings=ON, generator=seeded(1))
    assert [word for word, _ in t.words(0)][-1] == "zebra"
    for (_, beside), (_, heat) in zip(t.words(1), alone.words(), strict=True):
        assert torch.allclose(beside, heat, atol=1e-4)


def test_a_recipe_from_before_reads_its_prompt_as_it_was_read():
    recipe = Recipe(
        plan=plan(prompt="a man (old)"), settings=Settings(), seed=1, model="figures", revision="0",
        device="cpu", dtype="float32", picture_sha256="", versions={},
    )  # fmt: skip
    data = json.loads(recipe.model_dump_json())
    assert Recipe.model_validate(data).settings.prompt_syntax == "weights"
    del data["settings"]["prompt_syntax"]
    old = Recipe.model_validate({**data, "version": 5})
    assert old.settings == Settings(prompt_syntax="plain")
