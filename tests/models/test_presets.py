"""Presets belong to checkpoints: the published method, a checkpoint's own, what was tuned here."""

from __future__ import annotations

import json
import shutil

import pytest
from helpers import noise_picture

import sow
from sow.errors import ModelError, UsageError
from sow.models import find_model
from sow.models.tuned import TunedPreset, delete_tuned, read_tuned, save_tuned, tuned_file
from sow.service.planning import PlannerChoice
from sow.settings.settings import PRESETS, Settings


@pytest.fixture
def checkpoint(tiny_folder, tmp_path, monkeypatch):
    """A checkpoint of the test's own, and a configuration of its own."""
    monkeypatch.setenv("SOW_CONFIG", str(tmp_path / "config"))
    return shutil.copytree(tiny_folder, tmp_path / "model")


def with_index(checkpoint, **more):
    index = checkpoint / "model_index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), **more}))
    return find_model(str(checkpoint))


def listed(run_sow, *arguments):
    done = run_sow("settings", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["presets"]


def test_a_checkpoint_without_presets_runs_the_published_method(checkpoint, run_sow):
    """As the issue has it: ten cycles, both modulations, both decays, the gate."""
    normal = listed(run_sow, "--model", checkpoint)["normal"]
    numbers = normal["settings"]
    assert (numbers["cycles"], numbers["t1"], numbers["t2"]) == (10, 5, 7)
    assert (numbers["alpha_minus"], numbers["alpha_plus"]) == (0.3, 0.85)
    assert (numbers["lambda_c"], numbers["lambda_d"], numbers["gate"]) == (0.1, 0.5, "above")
    assert normal["sources"]["cycles"] == "paper, Sec. V"
    assert normal["sources"]["alpha_minus"].startswith("ours")
    assert normal["cost"] == {"calls": 32, "samples": 107, "samples_without_a_noun": 57}


def test_a_checkpoint_may_have_presets_of_its_own(checkpoint, run_sow):
    model = with_index(checkpoint, sow_settings={"outside": "none"},
                       sow_presets={"normal": {"cycles": 3}, "style": {"eta": 0.5}})  # fmt: skip
    spec = model.checkpoint_spec
    assert spec.preset("normal") == Settings(outside="none", cycles=3)
    assert spec.preset("style") == PRESETS["style"].changed(outside="none", eta=0.5)
    for name in ("attribute", "published-normal", "swift-normal", "cow"):
        assert spec.preset(name) == Settings.preset(name).changed(outside="none")
    sources = listed(run_sow, "--model", checkpoint)["normal"]["sources"]
    assert sources["cycles"] == sources["outside"] == "checkpoint"
    assert sources["eta"] == "paper, Sec. V"


def test_own_presets_survive_saving(tiny, tmp_path):
    tiny.register_to_config(sow_presets={"normal": {"cycles": 2}})
    try:
        tiny.save_pretrained(tmp_path / "m")
    finally:
        tiny.register_to_config(sow_presets=None)
    assert find_model(str(tmp_path / "m")).checkpoint_spec.preset("normal").cycles == 2


@pytest.mark.parametrize(
    "presets",
    [{"normal": {"warp": 9}}, {"normal": {"cycles": -1}}, {"cow": {}}, {"normal": 3}, [1]],
)
def test_own_presets_that_are_none_get_one_line(checkpoint, presets):
    with pytest.raises(ModelError) as caught:
        with_index(checkpoint, sow_presets=presets).checkpoint_spec.preset("normal")
    assert "\n" not in str(caught.value)


FOUND = TunedPreset(candidate="planted again", settings={"replant": 1, "cycles": 3}, pairs=40,
                    date="2026-11-30")  # fmt: skip


def work_of(checkpoint, **how):
    service = sow.Service(checkpoint, device="cpu", planner=PlannerChoice("offline"))
    box = {"box": [16, 8, 32, 32]}
    return service.resolve(sow.Request(noise_picture(1), "a thing", subject="thing", **box, **how))


def test_what_was_tuned_here_runs_where_no_preset_is_named(checkpoint, run_sow):
    save_tuned(find_model(str(checkpoint)), "normal", FOUND)
    tuned = work_of(checkpoint)
    assert (tuned.settings.replant, tuned.settings.cycles) == (1, 3)
    assert [note for note in tuned.notes if "sow tune" in note and "planted again" in note]
    named = work_of(checkpoint, preset="normal")
    assert named.settings == Settings()
    assert not [note for note in named.notes if "sow tune" in note]
    normal = listed(run_sow, "--model", checkpoint)["normal"]
    assert normal["sources"]["cycles"] == "tuned here"
    assert normal["settings"]["cycles"] == 3


def test_what_was_tuned_holds_for_these_very_weights(checkpoint, tiny_folder):
    model = find_model(str(checkpoint))
    save_tuned(model, "normal", FOUND)
    save_tuned(model, "style", FOUND)
    assert set(read_tuned(model).presets) == {"normal", "style"}
    (checkpoint / "unet" / "config.json").write_text(
        (checkpoint / "unet" / "config.json").read_text() + "\n"
    )
    assert read_tuned(find_model(str(checkpoint))).presets == {}
    assert delete_tuned(model)
    assert not delete_tuned(model)


def test_settings_that_are_none_are_not_kept(checkpoint):
    model = find_model(str(checkpoint))
    with pytest.raises(UsageError, match="warp"):
        save_tuned(model, "normal", FOUND.model_copy(update={"settings": {"warp": 1}}))
    assert not tuned_file(model.revision).exists()


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"version": 9}', '{"model": "a", "presets": {"x": 1}}']
)
def test_a_damaged_file_of_tuned_presets_gets_one_line(checkpoint, text):
    file = tuned_file(find_model(str(checkpoint)).revision)
    file.parent.mkdir(parents=True)
    file.write_text(text)
    with pytest.raises(UsageError, match="delete the file") as caught:
        work_of(checkpoint)
    assert "\n" not in str(caught.value)
    assert work_of(checkpoint, preset="normal").settings == Settings()


@pytest.mark.parametrize(("before", "now"), [("paper-normal", "published-normal"),
                                             ("thorough-style", "swift-style")])  # fmt: skip
def test_a_name_of_before_is_said_as_it_is_called_now(run_sow, before, now):
    done = run_sow("generate", "--face", "a.png", "--prompt", "a man", "--preset", before)
    assert done.returncode == UsageError.exit_code
    assert f"it is called {now} now" in done.stderr
    assert done.stderr.count("\n") == 1
