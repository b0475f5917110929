"""Pages of questions; tests import these fixtures by name."""

from __future__ import annotations

from itertools import count

import pytest
from tv2i_runs import drawn_run

from sow.benchmarks.tv2i.preference.key import read_key
from sow.benchmarks.tv2i.preference.survey import write_survey


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Four pairs a setting, of which the fourth has no picture of one method."""
    return drawn_run(tmp_path_factory.mktemp("results"), pairs=4, size=48)


@pytest.fixture
def asked(results, tmp_path):
    """Writes a page, and gives its folder and key."""
    numbers = count()

    def ask(*kinds, **how):
        number = next(numbers)
        key = tmp_path / f"key-{number}.json"
        made = write_survey(results, tmp_path / f"page-{number}", key, kinds or ("best",), **how)
        return made, read_key(key)

    return ask
