"""While a language model is asked for a plan, the model that draws is loaded."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading

import accelerate
import pytest
from conftest import EXAMPLES
from mllm_server import Server, small
from PIL import Image
from spoiling import change

from sow.errors import ModelError
from sow.models import find_model, load
from sow.planners.offline import drawn_faces
from sow.service.planning import PlannerChoice
from sow.service.request import Request
from sow.service.service import Service
from sow.utils.libraries import MODEL_BUILD_LOCK

FACE = EXAMPLES / "drawn-beard.png"
ASKED = Request(image=FACE, prompt="a person in a red coat")
LONG = 300.0
"""Seconds that nothing here takes, however busy the machine is."""


@pytest.fixture
def server():
    running = Server(small)
    yield running
    running.close()


def asking(server, model="figures", **more):
    planner = PlannerChoice("openai", base_url=f"{server.address}/v1", cache=False,
                            planner_timeout=LONG)  # fmt: skip
    return Service(model, device="cpu", planner=planner, **more)


def test_the_model_is_there_before_the_plan_is(server, monkeypatch):
    loaded, load_pipeline = threading.Event(), load.load_pipeline

    def loading(*args, **options):
        pipe = load_pipeline(*args, **options)
        loaded.set()
        return pipe

    def late(asked):
        assert loaded.wait(LONG)  # or there is no answer, and no plan
        return small(asked)

    monkeypatch.setattr(load, "load_pipeline", loading)
    server.reply, told = late, []
    service = asking(server, report=lambda *line: told.append(line))
    spec = service.resolve(ASKED)
    assert spec.plan.prompt.startswith("a person in a red coat, short gray hair")
    kinds = [kind for kind, _ in told]
    assert "model" not in kinds  # it is told where it is used
    assert next(service.make(spec, [1])).image.size == spec.plan.canvas
    assert [kind for kind, _ in told].count("model") == 1


def test_what_is_wrong_with_the_model_is_told_where_it_is_needed(server, tmp_path, capsys):
    spoilt = tmp_path / "spoilt"
    shutil.copytree(find_model("figures").source, spoilt)
    change(spoilt, "unet", lambda tensors: tensors.pop("conv_in.bias"))
    service = asking(server, spoilt)
    service.resolve(ASKED)
    for _ in range(2):
        with pytest.raises(ModelError, match=r"1 tensors are missing, the first conv_in\.bias"):
            _ = service.pipe
    assert capsys.readouterr().err == ""


def test_a_detector_is_not_built_while_a_model_is():
    """What is built then has no memory, in all threads: it would find nothing."""
    drawn_faces._network.cache_clear()
    building = threading.Event()

    def build():
        with MODEL_BUILD_LOCK, accelerate.init_empty_weights():
            building.set()
            threading.Event().wait(0.5)

    thread = threading.Thread(target=build)
    thread.start()
    assert building.wait(LONG)
    assert len(drawn_faces.find_drawn_faces(Image.open(FACE))) == 1
    thread.join()


AT_ONCE = """
import sys, threading, time

class Slowly:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("torchvision"):
            time.sleep(0.02)

sys.meta_path.insert(0, Slowly())
import diffusers, torch
import sow
from sow.planners.offline.faces import THRESHOLDS, _detector

service = sow.Service("figures", device="cpu")
service.start_loading()
while "torchvision.models" not in sys.modules:
    time.sleep(0.001)
_detector(THRESHOLDS)
print(service.pipe.device)
"""


def test_a_detector_is_not_imported_while_a_model_is():
    """Modules that import each other are seen half imported by a second thread."""
    done = subprocess.run([sys.executable, "-c", AT_ONCE], capture_output=True, text=True)
    assert done.stdout == "cpu\n", done.stderr
