"""Seeds of one plan share their beginning: cheaper, and the same pictures, again and again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from conftest import EXAMPLES

import sow.attention.explain
from sow.diffusion.prefix import is_deterministic
from sow.pictures.recipe import Recipe
from sow.pipeline.calls import count_forwards
from sow.service.pipeline_calls import EngineTask, make_batch
from sow.service.planning import PlannerChoice
from sow.service.request import Request
from sow.service.service import Service
from sow.settings.settings import Settings

ASKED = Request(EXAMPLES / "drawn-beard.png", "a man in a red coat")
SWIFT = "swift-normal"


def figures() -> Service:
    return Service("figures", device="cpu", dtype="float32", planner=PlannerChoice("offline"))


@pytest.fixture(scope="module")
def service():
    return figures()


def test_a_further_seed_costs_its_own_samples_and_is_the_same_picture(service):
    spec = service.resolve(replace(ASKED, preset=SWIFT))
    first, second = (next(iter(service.make(spec, [seed]))) for seed in (1, 2))
    assert (first.samples, second.samples) == (27, 12)
    assert (first.calls, second.calls) == (19, 7)
    alone = next(iter(figures().make(spec, [2])))
    assert alone.image.tobytes() == second.image.tobytes()
    assert alone.recipe == second.recipe


def test_pictures_of_one_call_are_repeated_as_they_began(service, tmp_path):
    spec = service.resolve(replace(ASKED, preset=SWIFT))
    with count_forwards(service.pipe.unet) as spent:
        made = list(service.make(spec, [5, 6, 7]))
    assert spent.samples <= 15 + 3 * 12
    assert all(picture.recipe.begun_alone for picture in made)
    made[1].save(tmp_path / "a.png")
    again, kept, seed = Service.of_recipe(tmp_path / "a.png", device="cpu")
    next(iter(again.make(kept, [seed]))).save(tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "a.png").read_bytes()


def test_what_began_in_its_batch_begins_there_again(service):
    """As recipes say that tell nothing of beginnings."""
    spec = service.resolve(replace(ASKED, preset=SWIFT))
    picture = next(iter(service.make(spec, [5])))
    told = json.loads(picture.recipe.model_dump_json())
    del told["begun_alone"]
    old = Recipe.model_validate_json(json.dumps({**told, "version": 4, "batch_size": 2}))
    assert not old.begun_alone
    thorough = Settings.preset("thorough-normal")
    for field in ("inversion_stride", "outside_until", "guided_until", "first_guided_until"):
        assert getattr(old.settings, field) == told["settings"][field]  # it said them itself
        del told["settings"][field]
    older = Recipe.model_validate_json(json.dumps({**told, "version": 4}))
    assert older.settings.inversion_stride == thorough.inversion_stride == 1
    assert older.settings.guided_until == thorough.guided_until == 1
    with count_forwards(service.pipe.unet) as spent:
        next(iter(service.make(replace(spec, batch_size=2), [5])))
    assert spent.samples == 2 * 27


def test_jobs_with_several_pictures_share_and_do_not_mix_with_others(service):
    spec = service.resolve(replace(ASKED, preset=SWIFT))
    several, single = EngineTask(spec, 1, shares_prefix=True), EngineTask(spec, 1)
    assert several.batch_key != single.batch_key
    begun = figures().prefix_cache
    made = make_batch(service.pipe, service.model, [several, EngineTask(spec, 2, True)], 2,
                    prefix_cache=begun)  # fmt: skip
    assert [picture.samples for picture in made] == [round((15 + 24) / 2)] * 2
    assert [picture.recipe.begun_alone for picture in made] == [True, True]
    plain = make_batch(
        service.pipe, service.model, [single, EngineTask(spec, 2)], 2, prefix_cache=begun
    )
    assert [picture.samples for picture in plain] == [27, 27]
    assert [picture.recipe.begun_alone for picture in plain] == [False, False]


def test_where_nothing_is_left_to_chance_a_sheet_is_not_empty(service, monkeypatch):
    """The beginning would be all of it, and nobody looks into beginnings."""
    seen = []

    def sheet(trace, image, *_):
        seen.append([word for word, _ in trace.words()])
        return image

    monkeypatch.setattr(sow.attention.explain, "explain", sheet)
    settings = {"cycles": 0, "replant": 0, "eta": 0}
    spec = service.resolve(replace(ASKED, preset=SWIFT, settings=settings))
    assert is_deterministic(spec.settings)
    assert not is_deterministic(service.resolve(replace(ASKED, preset=SWIFT)).settings)
    plain = next(iter(service.make(spec, [1])))
    assert next(iter(service.make(spec, [2]))).samples == 0  # that of 1 is all of it
    shown = next(iter(service.make(spec, [2], explain=True)))
    assert seen == [["a", "man", "in", "a", "red", "coat"]]
    assert shown.image.tobytes() == plain.image.tobytes()


def test_who_has_a_picture_explained_does_not_reach_into_other_calls(service, monkeypatch):
    """A call that comes before it, as another thread's may, goes on from its beginning."""
    spec = service.resolve(replace(ASKED, preset=SWIFT))
    next(iter(service.make(spec, [1])))
    real, others = type(service.pipe).__call__, []

    def meanwhile(pipe, *args, **call):
        monkeypatch.undo()
        others.extend(service.make(spec, [2]))
        return real(pipe, *args, **call)

    monkeypatch.setattr(type(service.pipe), "__call__", meanwhile)
    shown = next(iter(service.make(spec, [3], explain=True)))
    assert shown.explained is not None
    assert others[0].samples == 12
