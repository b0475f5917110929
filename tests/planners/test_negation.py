"""What a prompt says is absent, in the words that people use for it."""

from __future__ import annotations

import pytest

from sow.planners.negation import find_negations


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ("a man without glasses", {"without glasses": ["glasses"]}),
        ("a man in a coat, no hat, in the snow", {"no hat": ["hat"]}),
        ("a woman, not smiling", {"not smiling": ["smiling"]}),
        ("without a red hat or any glasses",
         {"without a red hat or any glasses": ["red hat", "glasses"]}),
        ("a man who isn't wearing a hat", {"isn't wearing a hat": ["hat"]}),
        ("he doesn’t have a beard", {"doesn’t have a beard": ["beard"]}),
        ("not in the city", {"not in the city": ["city"]}),
        ("a man (without (glasses:1.2):1.1) at night", {"without glasses": ["glasses"]}),
        ("No people. No cars!", {"No people": ["people"], "No cars": ["cars"]}),
        ("without glasses and in a coat", {"without glasses": ["glasses"]}),
        ("no one in the street", {}),
        ("yes and no, a man", {}),
        ("a knot, a notebook, northern Norway, nothing", {}),
        ("without", {}),
        ("...", {}),
    ],
)  # fmt: skip
def test_what_is_absent(prompt, found):
    assert {n.said: list(n.absent) for n in find_negations(prompt)} == found
