"""Folders of benchmarks that a stranger made: nothing outside of them is written or read."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from PIL import Image
from tv2i_runs import drawn_run

from sow.batch.runners.options import Options
from sow.benchmarks.figures.studies import picture_cache
from sow.benchmarks.tuning.pairs import draw_faces, of_world
from sow.benchmarks.tuning.plan import PlannedPair, check_pictures
from sow.benchmarks.tv2i.figures import figures_pairs
from sow.benchmarks.tv2i.pairs import PairList
from sow.benchmarks.tv2i.report.report import report
from sow.benchmarks.tv2i.report.writing import write_report
from sow.benchmarks.tv2i.running.bench import Bench, batch_of, entrants
from sow.benchmarks.tv2i.running.measuring import _keep, inside
from sow.errors import OutputError, PictureError, UsageError

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need rights")


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/precious.png").write_bytes(b"mine")
    yield tmp_path / "home"
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["precious.png"]
    assert (tmp_path / "home/precious.png").read_bytes() == b"mine"


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_sheets_are_not_written_through_a_link(out, home):
    made = drawn_run(out, pairs=1, size=64)
    (out / "sheets").symlink_to(home)
    with pytest.raises(OutputError, match=r"'sheets' in .* is a link"):
        write_report(report(made), out, force=True)


def test_a_sheet_that_is_a_link_is_replaced(out, home):
    made = drawn_run(out, pairs=1, size=64)
    (out / "sheets").mkdir()
    write_report(report(made), out, force=True)
    (sheet, *_) = (out / "sheets").iterdir()
    sheet.unlink()
    sheet.symlink_to(home / "precious.png")
    write_report(report(made), out, force=True)
    assert sheet.is_file()
    assert not sheet.is_symlink()


def test_pictures_of_pairs_are_not_written_through_links(out, home):
    (out / "faces").symlink_to(home)
    pairs = of_world("normal", out).pairs[:1]
    for write in (lambda: figures_pairs(out, "test", 1, force=True),
                  lambda: draw_faces(pairs, "normal", out, force=True)):  # fmt: skip
        with pytest.raises(OutputError, match=r"'faces' in .* is a link"):
            write()


def test_what_was_planted_is_not_written_through_a_link(out, home):
    (out / "conditions").symlink_to(home)
    condition = SimpleNamespace(to_rgba=lambda: Image.new("RGBA", (4, 4)))
    with pytest.raises(OutputError, match=r"'conditions' in .* is a link"):
        _keep(condition, out, SimpleNamespace(id="a"))


def test_the_folder_of_a_method_is_no_link(out, home):
    (entrant,) = entrants(["sow"])
    (out / entrant.folder).symlink_to(home)
    with pytest.raises(OutputError, match=r"'sow' in .* is a link"):
        batch_of(Bench("a", "", PairList(()), ()), entrant, Options("figures"), out,
                 lambda kind, line: None)  # fmt: skip


def test_cached_pictures_are_not_written_through_a_link(out, home):
    (out / "pictures").symlink_to(home)
    with pytest.raises(OutputError, match=r"'pictures' in .* is a link"):
        picture_cache._write(Image.new("RGB", (4, 4)), 1.0, out / "pictures/origin/a.png")


def test_results_are_not_measured_through_a_link(out, home):
    (out / "sow").mkdir()
    (out / "sow/a.png").symlink_to(home / "precious.png")
    for name in ("sow/a.png", "../home/precious.png", str(home / "precious.png")):
        with pytest.raises(PictureError, match="points outside the folder of results"):
            inside(out, name)


def test_a_plan_of_a_stranger_names_no_other_pictures(out, home):
    halves = of_world("normal", out)
    pair = halves.pairs[0]
    planned = PlannedPair(id=pair.id, prompt="a man", image=str(home / "precious.png"), person=1,
                          seed=1, half="choosing")  # fmt: skip
    with pytest.raises(OutputError, match="has a run with other pictures, such as"):
        check_pictures(SimpleNamespace(pairs=(planned,)), halves, out)
    check_pictures(SimpleNamespace(pairs=(planned.model_copy(update={"image": str(pair.image)}),)),
                   halves, out)  # fmt: skip
    with pytest.raises(OutputError, match="cannot be created"):
        draw_faces([planned.pair("normal")], "normal", out, force=True)
    with pytest.raises(UsageError, match="has no pair 'none'"):
        draw_faces([SimpleNamespace(id="none")], "normal", out)
