"""How long pictures will take, told from the first of them."""

from __future__ import annotations

from sow.cli.forecast import Forecast


def test_the_end_is_foreseen_from_the_first_picture_and_again_at_every_method():
    said: list[str] = []
    now = [0.0]
    forecast = Forecast(61, said.append, lambda: now[0])
    forecast.begin()
    assert said == []  # nothing is known yet
    now[0] = 100.0  # of which the model took 98
    forecast.add(1, 2.0)
    assert said[-1].startswith("about 2 min for 60 more pictures, if all are like the first")
    now[0] += 20.0
    forecast.add(2, 4.0)
    forecast.begin()
    assert said[-1] == "about 7 min left, for 58 pictures"
    forecast.add(58, 0.0)  # were there before
    forecast.begin()
    assert len(said) == 2
