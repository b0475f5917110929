"""What people write who come from other programs: it works, or one line says what to write."""

from __future__ import annotations

import pytest
from conftest import EXAMPLES

from sow.cli.arguments import place_words, replace_options
from sow.errors import SowError, UsageError
from sow.planners.graph_spec import as_triples

FLAGS = {"--face", "--image", "--prompt", "-p", "--negative", "--canvas", "--num", "--set",
         "--seed", "--out", "--likeness"}  # fmt: skip


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("--picture a.png", "--face a.png"),
        ("--init-image=a.png", "--face a.png"),
        ("--negative-prompt hat", "--negative hat"),
        ("--width 640 --height 448", "--canvas 640x448"),
        ("--height=448 --seed 1 --width=640", "--seed 1 --canvas 640x448"),
        ("--steps 20", "--set num_inference_steps=20"),
        ("--num-inference-steps 20", "--set num_inference_steps=20"),
        ("--guidance-scale 5", "--set guidance_scale=5"),
        ("--cfg-scale 5 --cycles=3", "--set guidance_scale=5 --set cycles=3"),
        ("--count 4", "--num 4"),
        ("--num_images_per_prompt 4", "--num 4"),
        ("--prompt a --canvas 512", "--prompt a --canvas 512"),
        ("--colour red", "--colour red"),
        ("-- --steps", "-- --steps"),
    ],
)
def test_options_of_other_programs(written, read):
    assert replace_options(written.split(), FLAGS) == read.split()


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("--width 640", "--height is missing; give both, or --canvas 640x448"),
        ("--steps", "--steps has no value"),
        ("--strength 0.5", "give likeness="),
        ("--sampler euler", "sampled with DDIM"),
        ("--generator 7", "give seed=7"),
    ],
)
def test_options_that_nothing_here_corresponds_to(written, says):
    with pytest.raises(UsageError, match=says):
        replace_options(written.split(), FLAGS)


FACE = str(EXAMPLES / "drawn-beard.png")


@pytest.mark.parametrize(
    ("words", "image", "prompt", "expected"),
    [
        ([FACE, "an old person"], None, None, (FACE, "an old person")),
        (["an old person", FACE], None, None, (FACE, "an old person")),
        (["no.png", "an old person"], None, None, ("no.png", "an old person")),
        (["an old person"], FACE, None, (FACE, "an old person")),
        (["an old person"], None, None, (None, "an old person")),
        ([FACE], None, "a man", (FACE, "a man")),
        ([FACE], None, None, (FACE, None)),
    ],
)
def test_words_without_options(words, image, prompt, expected):
    found, said = place_words(words, image, prompt)
    assert (None if found is None else str(found), said) == expected


@pytest.mark.parametrize(
    ("words", "image", "prompt", "says"),
    [
        (["an old man", "in the snow"], None, None, "is a file; put the prompt in quotes"),
        ([FACE, "an", "old", "person"], None, None, "put the prompt in quotes"),
        ([FACE, FACE, "a man"], None, None, "^2 pictures at once; .*sow batch"),
        ([FACE, FACE], None, None, "^2 pictures at once"),
        ([FACE], "a.png", None, "^2 pictures at once"),
        ([FACE, "a man"], None, "a woman", "given twice"),
        (
            ["a man", "in snow"],
            FACE,
            None,
            "unexpected argument 'in snow'; put the prompt in quotes",
        ),
        ([FACE, __file__], None, None, "is a file, not a prompt; give a plan with --plan"),
        ([__file__, FACE], None, None, "test_cli_slips.py' is a file, not a prompt"),
    ],
)
def test_words_that_cannot_be_told_apart(words, image, prompt, says):
    with pytest.raises(UsageError, match=says):
        place_words(words, image, prompt)


COMMANDS = {
    "an address for a command": (("img.png", "a man"), 'sow generate img.png "an old person"'),
    "half a command": (("generat",), "no command 'generat'; did you mean 'generate'?"),
    "another command": (("gen",), "did you mean 'generate'?"),
    "no command": (("help",), "no command 'help'; `sow --help` lists them"),
    "a benchmark": (("bench", "figures"), "did you mean 'figures-tv2i'?"),
    "an option misspelt": (("generate", "--promt", "x"), "did you mean '--prompt'?"),
    "an option of like meaning": (("generate", "--output", "x"), "did you mean '--out'?"),
    "another program's option misspelt": (("generate", "--stepz", "3"), "did you mean '--steps'?"),
    "a setting misspelt": (("generate", "--guidance-scal", "3"),
                           "did you mean '--guidance-scale'?"),
    "a shape as a size": (("generate", FACE, "x", "--canvas", "9x16", "--model", "figures"),
                          "a canvas of 9x16 px is too small; write a shape as 9:16"),
    "an option of no meaning": (("generate", "--colour", "x"), "--colour; `sow generate --help`"),
    "too much likeness": (("generate", "--likeness", "2"), "--likeness takes a number from 0 to 1"),
    "a likeness of words": (("generate", "--likeness", "high"), "takes a number from 0 to 1"),
    "no pictures": (("generate", "-n", "0"), "--num takes a whole number from 1 to 1000"),
    "a seed of words": (("generate", "--seed", "x"), "--seed takes a whole number from -1 up"),
    "nowhere to write": (("batch", "a.jsonl"), "--out is missing: Folder for the results"),
    "a preset misspelt": (("generate", FACE, "x", "--preset", "atribute", "--model", "figures"),
                          "no preset 'atribute'; did you mean 'attribute'?"),
    "an unknown relation": (("generate", FACE, "x", "--triple", "cat zorbing dog", "--model",
                             "figures"), "write --triple"),
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_a_slip_gets_one_line(run_sow, name):
    words, says = COMMANDS[name]
    done = run_sow(*words)
    assert done.returncode in (2, 4)
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_wrong_option_is_suggested(run_sow):
    """`--steps` got "Possible options: --seed, --set, --yes"."""
    for word in ("--strenght", "--style", "--note", "--lora-scale", "--clip", "--sed"):
        assert "did you mean" not in run_sow("generate", word, "5").stderr


@pytest.mark.parametrize(
    ("words", "triple"),
    [
        ("person holding balloon", ("person", "holding", "balloon")),
        ("a person is holding a red balloon", ("person", "holding", "red balloon")),
        ("the dog on the left of a man", ("dog", "on the left of", "man")),
        ("Cat standing behind the red Car", ("Cat", "standing behind", "red Car")),
        ("person,holding,red balloon", ("person", "holding", "red balloon")),
    ],
)
def test_a_relation_in_plain_words(words, triple):
    assert as_triples([words]) == (triple,)


@pytest.mark.parametrize("words", ["balloon", "person zorbing tree", "holding a balloon", ""])
def test_a_relation_that_is_not_known_says_the_form(words):
    with pytest.raises(SowError, match=r"triples=.person,holding,red balloon.: subject, relation"):
        as_triples([words])


def test_the_help_of_batch_shows_a_job(run_sow):
    for words in (("batch", "--help"), ("batch", "run", "--help")):
        text = run_sow(*words).stdout
        for piece in ('{"image": ', '"prompt": ', "likeness", "num"):
            assert piece in text
