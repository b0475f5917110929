"""Fixtures shared by the tests: the bundled model, random checkpoints, drawn faces, a runner."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
from functools import partial
from pathlib import Path

import pytest
from mllm_server import Server
from PIL import Image

if "PYTEST_XDIST_WORKER" in os.environ:  # one of several: before torch counts the cores
    share = (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, share)))

# Nobody's consent or tuned presets decide a test.
os.environ["SOW_CONFIG"] = tempfile.mkdtemp(prefix="sow-tests-")

from browsing import chromium
from commands import load_once, run_here, run_process
from helpers import draw_quickly

import sow
from sow.benchmarks.checkpoints import TINY, random_pipeline
from sow.models import load

# Half a million objects of libraries are looked through whenever Python looks for garbage.
gc.set_threshold(100_000, 10, 10)
EXAMPLES = Path(__file__).parent.parent / "examples"
FACES = ("drawn-long-hair", "drawn-curls", "drawn-beard")
FIGURES = ("figures-tv2i", "--limit", 3, "--methods", "sow,sdedit", "--batch-size", 1,
           "--tables", "methods")  # fmt: skip
"""The run of `sow bench` that several files of tests look at."""


LONG = (
    "test_docs_run.py", "benchmarks/test_figures.py", "benchmarks/test_studies.py",
    "batch/test_cluster.py", "models/test_models.py", "cli/test_cli.py",
    "benchmarks/test_bench.py", "batch/test_run.py", "planners/test_offline.py",
    "batch/test_remote_s3.py", "planners/test_stages_failing.py", "test_calls.py",
    "benchmarks/test_speed.py", "benchmarks/test_speed_keeping.py", "planners/test_wire.py",
    "batch/test_batch_cli.py", "service/test_scene_reading.py", "service/test_service.py",
    "batch/test_gallery_page.py", "fuzz/test_fuzz_plans.py", "cli/test_cli_asking.py",
    "benchmarks/test_world_training.py", "studio/test_killed.py", "studio/test_stage.py",
    "studio/test_page.py", "studio/test_look.py", "studio/test_two_browsers.py",
    "studio/test_safety.py",
)  # fmt: skip
"""The files that take longest, in this order. A worker runs a whole file: see `make test`."""


def pytest_collection_modifyitems(items):
    """Start the longest files first, so that none of them is still running at the end alone."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONG)}
    assert not [file for file in places if not file.is_file()], "LONG names a file that is gone"
    items.sort(key=lambda item: places.get(item.path, len(places)))


def hear_interrupts() -> None:
    """To be called in a new process: a shell makes what it runs in the background deaf to them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def figures():
    """The bundled model, on the CPU in float32."""
    pipe = sow.load_pipeline("figures", device="cpu", dtype="float32")
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="session")
def tiny():
    """Random weights in Stable Diffusion's layout; canvas stride 16."""
    pipe = random_pipeline(TINY)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="session")
def tiny_folder(tiny, tmp_path_factory):
    """The same, saved as a checkpoint."""
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny"
    tiny.save_pretrained(folder, safe_serialization=True)
    return folder


@pytest.fixture(scope="session")
def faces():
    """Three drawn identities by name."""
    return {name: Image.open(EXAMPLES / f"{name}.png").convert("RGB") for name in FACES}


@pytest.fixture(scope="module")
def browser():
    """A chromium; tests are skipped where there is none."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A page on a free port: `url`, `studio`, `folder`. Its pictures are made in four steps."""
    pytest.importorskip("gradio", reason="the extra studio is not installed")
    from sow.studio.launch import serve

    out = tmp_path_factory.mktemp("studio") / "results"
    with pytest.MonkeyPatch.context() as changes:
        changes.setattr(load, "load_pipeline", load_once)
        draw_quickly(changes.setattr)
        service = sow.Service("figures", device="cpu", dtype="float32")
        with serve(service, out, port=0) as page:
            yield page


@pytest.fixture(scope="session")
def figures_run_kept(tmp_path_factory):
    """The results of `sow bench` with `FIGURES`, drawn once per worker, and a copy of them."""
    folder = tmp_path_factory.mktemp("figures-run")
    done = run_here(folder, "bench", *FIGURES, "--out", folder / "out")
    assert done.returncode == 0, done.stderr
    return folder / "out", shutil.copytree(folder / "out", folder / "kept")


@pytest.fixture(scope="module")
def figures_run(figures_run_kept):
    """The results of `sow bench` with `FIGURES`, as they were drawn; a file may change them.

    They stay where they were drawn: elsewhere a run does not take the pictures for its own.
    """
    out, kept = figures_run_kept
    shutil.rmtree(out)
    return shutil.copytree(kept, out)


@pytest.fixture(scope="session")
def astronaut():
    """A photograph of a person."""
    from skimage import data

    return Image.fromarray(data.astronaut())


@pytest.fixture
def quick_pictures(monkeypatch):
    """Draw in four steps, where a test is not about what the pictures show."""
    draw_quickly(monkeypatch.setattr)


@pytest.fixture
def server():
    """A multimodal model on loopback that answers well unless told otherwise."""
    running = Server()
    yield running
    running.close()


@pytest.fixture
def run_sow(tmp_path):
    """Run the command line in an empty folder, in this process."""
    return partial(run_here, tmp_path)


@pytest.fixture
def start_sow(tmp_path):
    """Run the command line in an empty folder, in a process of its own."""
    return partial(run_process, tmp_path)
