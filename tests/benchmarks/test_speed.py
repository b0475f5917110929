"""`sow bench speed`: what it counts and times, its tables, and what a run may cost."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import torch

from sow.benchmarks.checkpoints import TINY_SD3, TINY_XL, random_pipeline
from sow.benchmarks.speed.attention import FORMS, layer, runs
from sow.benchmarks.speed.cost import calls, wall
from sow.benchmarks.speed.hardware import flops, hardware, shape_of
from sow.benchmarks.speed.memory import MIB, live_bytes, peak_of
from sow.benchmarks.speed.scaling import batches, scaling
from sow.benchmarks.speed.sections import SECTIONS, sections_of
from sow.benchmarks.speed.subject import Subject
from sow.benchmarks.speed.tables import Section, Table
from sow.benchmarks.speed.timing import Elapsed, Times, alternated
from sow.cli.bench_speed import batch_sizes_of
from sow.errors import UsageError
from sow.pipeline.compiling import compile_blocks
from sow.settings.settings import PRESETS, Settings

QUICK = Settings(steps=4, t1=2, t2=3, cycles=1, preserve=(), outside="none")
CPU = torch.device("cpu")


@pytest.fixture
def subject(tiny):
    return Subject(tiny, "tiny", QUICK, sizes=(1, 2))


def cells(table, column):
    return [row[list(table.columns).index(column)] for row in table.rows]


def test_ratios_are_of_rounds_and_on_a_cpu_of_its_own_seconds():
    rounds = [
        {"run": Elapsed(9.0, 2.0), "unet": Elapsed(1.0, 1.0), "vae": Elapsed(1.0, 1.0)},
        {"run": Elapsed(2.0, 6.0), "unet": Elapsed(2.0, 2.0), "vae": Elapsed(1.0, 2.0)},
        {"run": Elapsed(3.0, 4.0), "unet": Elapsed(1.0, 1.0), "vae": Elapsed(1.0, 0.0)},
    ]
    here, there = Times(rounds, on_cpu=True), Times(rounds, on_cpu=False)
    assert (here.ratio("run", "unet"), there.ratio("run", "unet")) == (3.0, 3.0)
    assert (here.share("run", ["unet", "vae"]), there.share("run", ["unet", "vae"])) == (1.5, 1.5)
    assert (here.seconds("run"), here.spent("run"), there.spent("run")) == (3.0, 4.0, 3.0)


def test_everything_takes_its_turn_forwards_and_backwards():
    seen = []
    forms = {name: lambda name=name: seen.append(name) for name in "ab"}
    times = alternated(forms, 2, CPU)
    assert seen == ["a", "b", "a", "b", "b", "a"]
    assert [set(each) for each in times.rounds] == [{"a", "b"}] * 2


def test_tables_are_markdown_and_data():
    table = Table(("name", "s"), [("a", 1.23456), ("b", None), ("c", 123456.7)], "Of a.")
    section = Section("wall", "A wall", [table])
    assert "| a | 1.235 |\n| b | — |\n| c | 123457 |" in section.markdown()
    assert section.data()["tables"][0]["rows"][0] == {"name": "a", "s": 1.23456}


def test_sections_are_chosen_by_name():
    everything = list(SECTIONS)
    assert sections_of(None, on_gpu=True) == everything
    assert sections_of(None, on_gpu=False, compiled=True) == everything
    assert "compile" not in sections_of(None, on_gpu=False)
    assert "presets" in sections_of(None, on_gpu=False)
    assert "presets" not in sections_of(None, on_gpu=False, model="sd21-random")
    assert "presets" in sections_of(None, on_gpu=True, model="sd21-random")
    assert sections_of("presets", on_gpu=False, model="sd21-random") == ["presets"]
    assert sections_of("memory, calls", on_gpu=False) == ["calls", "memory"]
    with pytest.raises(UsageError, match="unknown section 'walls'"):
        sections_of("walls", on_gpu=False)


def test_calls_are_counted_preset_by_preset(subject):
    (table,) = calls(subject, 1).tables
    found = dict(zip(cells(table, "preset"), cells(table, "UNet samples"), strict=True))
    assert set(PRESETS) <= set(found)
    assert found["normal, outside=pair"] > found["normal, outside=joined"] > 0
    assert found["normal, outside=joined"] > found["normal, outside=none"]


def test_random_weights_are_counted_by_a_small_model(tiny, subject):
    """Of the same canvas they count alike; of a larger one the shapes grow with it."""
    large = Subject(tiny, "sd21-random", QUICK)
    assert large.shapes(count=3) == subject.shapes(count=3)
    wide = large.shapes(canvas=(128, 64))
    assert wide == Counter({(n, c, h, 2 * w): k for (n, c, h, w), k in large.shapes().items()})


@pytest.mark.parametrize("architecture", [TINY_XL, TINY_SD3], ids=["SDXL", "SD3"])
def test_the_bare_call_of_every_family_is_its_denoisers(architecture):
    subject = Subject(random_pipeline(architecture), "small", QUICK)
    shape = (2, 16 if "transformer" in architecture else 4, 8, 8)
    assert subject.unet(shape)()[0].shape == shape


def test_of_many_bare_calls_a_few_stand_for_the_rest(tiny):
    seen = []
    hook = tiny.unet.register_forward_pre_hook(lambda *_: seen.append(1))
    some = Subject(tiny, "tiny", QUICK, bare_calls=2)
    elapsed = some.bare(Counter({(1, 4, 8, 8): 50, (2, 4, 8, 8): 1}))
    hook.remove()
    assert len(seen) == 3
    assert elapsed.cpu > 0


def test_every_section_measures(subject):
    (over,) = wall(subject, 1).tables
    assert cells(over, "run / bare UNet")[0] > 0
    (together,) = batches(subject, 1).tables
    assert cells(together, "pictures in a call") == [1, 2]
    assert cells(together, "reached")[0] == 1
    by_cycles, by_canvas = scaling(subject, 1).tables
    samples = cells(by_cycles, "UNet samples")
    assert samples == sorted(samples)
    assert len(set(samples)) == len(samples)
    assert cells(by_canvas, "pixels over the model's own") == [1, 1.5, 2.25, 4]
    assert len(runs(subject, 1).rows) == 1
    precisions, kinds = hardware(subject, 1).tables
    assert {"float32", "bfloat16"} == set(cells(precisions, "precision"))
    assert cells(kinds, "a call, ms")[0] > 0


def test_operations_are_those_of_the_samples(subject):
    one, two = (flops(subject.unet(shape_of(subject, n))) for n in (1, 2))
    assert two == 2 * one > 0


def test_all_forms_of_a_layer_say_the_same():
    plain, fast, dense = (layer(form, torch.float32, "cpu", 32)() for form in FORMS)
    assert (fast - dense).abs().max() < 1e-4
    assert (fast - plain).abs().max() > 1e-2


def test_tensors_are_counted_while_they_live():
    def work():
        kept = torch.zeros(MIB, dtype=torch.uint8)
        for _ in range(3):
            torch.ones(2 * MIB, dtype=torch.uint8)
        return kept.view(2, -1)  # the same bytes

    assert live_bytes(work) == 3 * MIB


def test_the_peak_of_a_process_is_seen():
    peak = peak_of(lambda: torch.ones(300 * MIB, dtype=torch.uint8), CPU)
    if peak is None:
        pytest.skip("this system does not tell")
    assert 250 * MIB < peak.more < 700 * MIB


@pytest.mark.parametrize("size", [4, 8])
def test_a_batch_needs_hardly_more_memory_than_its_unet(figures, size):
    """Within a tenth, autoencoder, attention and all that is kept; 2.3 times it was once."""
    subject = Subject(figures, "figures", figures.preset("normal").changed(
        steps=4, t1=2, t2=3, cycles=1, preserve=()))  # fmt: skip
    (branches,) = {subject.settings.branches}
    side = figures.unet.config.sample_size
    bare = live_bytes(subject.unet((size * branches, 4, side, side)))
    assert live_bytes(subject.picture(count=size)) <= 1.1 * bare


def test_a_compiled_picture_is_compiled_wholly_and_once(figures):
    """With a body, so that attention is changed; more forms than the compiler takes by itself."""
    torch._dynamo.reset()
    pipe = type(figures)(**figures.components, requires_safety_checker=False,
                         sow_settings=figures.config.sow_settings)  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    subject = Subject(pipe, "figures", figures.preset("normal").changed(cycles=1))
    draw = subject.picture(output_type="pt")
    before = draw().images
    compile_blocks(pipe, fullgraph=True, backend="eager")
    counters = torch._dynamo.utils.counters
    try:
        found = []
        for _ in range(2):
            counters.clear()
            images = draw().images
            found.append(counters["stats"]["unique_graphs"])
    finally:
        for block in pipe.unet.modules():
            block._compiled_call_impl = None
        torch._dynamo.reset()
    assert (images - before).abs().max() < 1e-3
    assert found[0] > 8
    assert found[1] == 0


def test_the_command_prints_and_writes(run_sow, tiny_folder, tmp_path):
    words = (
        "bench",
        "speed",
        "--model",
        tiny_folder,
        "--sections",
        "calls",
        "--repeats",
        1,
        "--set",
        "cycles=1",
    )
    ran = run_sow(*words, "--json")
    assert ran.returncode == 0, ran.stderr
    data = json.loads(ran.stdout)
    assert data == json.loads((tmp_path / "speed" / "speed.json").read_text(encoding="utf-8"))
    assert data["sections"][0]["name"] == "calls"
    assert str(tiny_folder) in data["measured"]
    text = (tmp_path / "speed" / "speed.md").read_text(encoding="utf-8")
    assert "| normal |" in text
    assert "1 section" not in ran.stderr  # a word, as for people
    assert "a section to measure: " in ran.stderr
    assert "calls: UNet calls and samples, preset by preset; " in ran.stderr
    again = run_sow(*words, "--json")
    assert "calls: measured before" in again.stderr
    assert json.loads(again.stdout)["sections"] == data["sections"]


@pytest.mark.parametrize("said", ["1,x", "", "0", "1,-2", "99999"])
def test_sizes_of_batches_are_numbers(said):
    assert batch_sizes_of(" 1, 16") == [1, 16]
    with pytest.raises(UsageError, match="invalid batch sizes"):
        batch_sizes_of(said)
