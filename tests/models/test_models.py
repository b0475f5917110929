"""Finding, trusting and loading weights; the hub is a real one on loopback."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import run_several
from conftest import EXAMPLES
from helpers import seeded
from hub_server import COMMIT, Hub
from huggingface_hub import constants
from ldm import save_single_file
from PIL import Image

from sow.benchmarks.checkpoints import TINY, random_pipeline
from sow.errors import DeviceError, ModelError
from sow.models import choose_device, choose_dtype, find_model, load_pipeline
from sow.models.hub import SD21, hub_problem
from sow.pipeline.pipeline import SowPipeline
from sow.plan.plan import Plan
from sow.settings.settings import Settings

PLAN = Plan.parse({"canvas": [64, 64], "prompt": "a person", "box": [16, 8, 32, 32]})
FACE = EXAMPLES / "drawn-beard.png"


def draw(pipe) -> bytes:
    pipe.set_progress_bar_config(disable=True)
    settings = Settings(cycles=1)
    face = Image.open(FACE)
    return pipe(image=face, plan=PLAN, settings=settings, generator=seeded(0)).images[0].tobytes()


def same(one: bytes, other: bytes) -> bool:
    """Equal but for rounding: convolutions in another memory format sum in another order."""
    difference = np.frombuffer(one, np.uint8).astype(int) - np.frombuffer(other, np.uint8)
    return bool(np.abs(difference).max() <= 1)


def test_a_folder_loads_as_the_library_loads_it(tiny, tiny_folder):
    ours = load_pipeline(str(tiny_folder), device="cpu")
    theirs = SowPipeline.from_pretrained(tiny_folder, torch_dtype=torch.float32)
    assert same(draw(ours), draw(theirs))
    assert same(draw(ours), draw(tiny))


def test_the_fp16_variant_is_found_and_used(tiny, tmp_path):
    random_pipeline(TINY).to(dtype=torch.float16).save_pretrained(tmp_path / "m", variant="fp16")
    pipe = load_pipeline(str(tmp_path / "m"), device="cpu", dtype="float32")
    assert pipe.unet.dtype == torch.float32
    weight = next(pipe.unet.parameters())
    assert torch.equal(weight, weight.half().float())
    half = load_pipeline(str(tmp_path / "m"), device="cpu", dtype="float16")
    assert half.unet.dtype == torch.float16


def test_of_both_variants_half_precision_takes_fp16(tiny_folder, tmp_path):
    shutil.copytree(tiny_folder, tmp_path / "m")
    other = random_pipeline(TINY, seed=7).to(dtype=torch.float16)
    other.save_pretrained(tmp_path / "m", variant="fp16")
    full = load_pipeline(str(tmp_path / "m"), device="cpu", dtype="float32")
    half = load_pipeline(str(tmp_path / "m"), device="cpu", dtype="bfloat16")
    first = [next(p.unet.parameters()).float() for p in (full, half)]
    assert (first[0] - first[1]).abs().max() > 0.01  # not the same files
    torch.testing.assert_close(
        first[1], next(other.unet.parameters()).bfloat16().float(), atol=0, rtol=0
    )


def test_v_prediction_is_read_from_the_checkpoint(tmp_path):
    random_pipeline(TINY, prediction_type="v_prediction").save_pretrained(tmp_path / "v")
    pipe = load_pipeline(str(tmp_path / "v"), device="cpu")
    assert pipe.scheduler.config.prediction_type == "v_prediction"
    assert len(draw(pipe)) == 64 * 64 * 3


def test_what_a_checkpoint_needs_set_otherwise_survives_saving(tmp_path):
    pipe = random_pipeline(TINY)
    pipe.register_to_config(sow_settings={"negative_prompt": "", "outside": "none"})
    pipe.save_pretrained(tmp_path / "m")
    again = load_pipeline(str(tmp_path / "m"), device="cpu")
    assert again.preset("style") == Settings.preset("style").changed(
        negative_prompt="", outside="none"
    )
    assert find_model(str(tmp_path / "m")).checkpoint_spec == again.checkpoint_spec


def pickled(folder):
    for file in folder.rglob("*.safetensors"):
        file.rename(file.with_suffix(".bin"))


def no_unet(folder):
    shutil.rmtree(folder / "unet")


def another_kind(folder):
    index = json.loads((folder / "model_index.json").read_text())
    index |= {"_class_name": "FluxPipeline", "transformer": ["diffusers", "X"]}
    (folder / "model_index.json").write_text(json.dumps(index))


def own_code(folder):
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "unet": ["evil", "X"]}))


def inpainting(folder):
    config = json.loads((folder / "unet/config.json").read_text())
    (folder / "unet/config.json").write_text(json.dumps({**config, "in_channels": 9}))


def truncated(folder):
    file = next((folder / "unet").glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:2000])


def other_shape(folder):
    config = json.loads((folder / "unet/config.json").read_text())
    config["block_out_channels"] = [32, 64]
    (folder / "unet/config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (pickled, "only as a pickle"),
        (no_unet, "no unet"),
        (another_kind, "FluxPipeline"),
        (inpainting, "9 input channels"),
        (truncated, "cannot be loaded"),
        (other_shape, "of other shapes"),
        (own_code, "code of its own"),
        (lambda folder: (folder / "unet" / "evil.py").write_text("boom"), "code of its own"),
        (lambda folder: shutil.rmtree(folder / "tokenizer"), "no tokenizer"),
        (lambda folder: (folder / "model_index.json").unlink(), "model_index.json"),
        (lambda folder: (folder / "model_index.json").write_text("{"), "model_index.json"),
    ],
)
def test_spoilt_checkpoints_get_one_line(tiny_folder, tmp_path, spoil, says):
    shutil.copytree(tiny_folder, tmp_path / "m")
    spoil(tmp_path / "m")
    with pytest.raises(ModelError) as caught:
        load_pipeline(str(tmp_path / "m"), device="cpu")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pickled_files_and_unknown_names_are_refused(tmp_path):
    (tmp_path / "model.ckpt").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("x")
    for name, says in [
        (str(tmp_path / "model.ckpt"), "pickle"),
        (str(tmp_path / "notes.txt"), "is not a model"),
        ("nonsense", "no model 'nonsense'"),
        ("~nobody/x/y", "no model"),
        ("x" * 5000, "no model"),
        ("../no/such", "no model"),
    ]:
        with pytest.raises(ModelError, match=says):
            find_model(name, download=False)


def test_the_library_way_of_loading_refuses_pickles_too(tiny_folder, tmp_path):
    shutil.copytree(tiny_folder, tmp_path / "m")
    pickled(tmp_path / "m")
    for asked in ({}, {"use_safetensors": False}):
        with pytest.raises(ModelError, match="only as a pickle"):
            SowPipeline.from_pretrained(tmp_path / "m", **asked)
    with pytest.raises(ModelError, match="pickle"):
        SowPipeline.from_single_file(str(tmp_path / "model.ckpt"))


def test_a_file_that_is_no_safetensors_gets_one_line(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"\x08" + bytes(300))
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_pipeline(str(tmp_path / "model.safetensors"), device="cpu")


def test_a_single_file_draws_what_the_folder_draws(tiny, tiny_folder, tmp_path):
    save_single_file(tiny, tmp_path / "model.safetensors")
    pipe = load_pipeline(str(tmp_path / "model.safetensors"), device="cpu", config=str(tiny_folder))
    assert same(draw(pipe), draw(tiny))


def test_devices_and_dtypes():
    assert choose_device("cpu") == "cpu"
    assert choose_dtype("auto", "cuda") == torch.float16
    assert choose_dtype("auto", "cpu") == torch.float32
    for strange in ("tpu", "cpu:7", "cpu:x", "cpu:", "mps:1", "cuda:x", "cuda:²"):
        with pytest.raises(DeviceError, match=strange):
            choose_device(strange)
    with pytest.raises(DeviceError, match="int8"):
        choose_dtype("int8", "cpu")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="cuda"):
            choose_device("cuda")


@pytest.mark.parametrize("kind", ["black hole", "refused", "unknown host"])
def test_a_hub_that_cannot_be_reached_is_found_out_in_time(monkeypatch, kind):
    silent = socket.create_server(("127.0.0.1", 0))  # accepts, and never answers
    urls = {
        "black hole": f"http://127.0.0.1:{silent.getsockname()[1]}",
        "refused": "http://127.0.0.1:9",
        "unknown host": "http://no-such-host.invalid",
    }
    monkeypatch.setattr(constants, "ENDPOINT", urls[kind])
    problem = hub_problem(timeout=1.0)
    silent.close()
    assert problem == "no answer within 1 seconds" if kind == "black hole" else problem


@pytest.fixture
def hub(tiny_folder):
    servers = []

    def start(**repositories):
        names = {name.replace("__", "/"): folder for name, folder in repositories.items()}
        servers.append(Hub(names))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def environment(server: Hub, tmp_path, **more) -> dict[str, str]:
    home = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
    return {"HF_ENDPOINT": server.url, "HF_HUB_OFFLINE": "", **home, **more}


GENERATE = ("generate", "--face", FACE, "--prompt", "a person", "--set", "cycles=1", "--seed", "0")


def test_auto_downloads_the_first_copy_it_can_get_and_then_needs_no_hub(
    start_sow, hub, tiny_folder, tmp_path
):
    """The first repository of the list is gone, the second has the weights."""
    server = Hub({SD21[1]: tiny_folder})
    done = start_sow(*GENERATE, "--out", "a.png", "--json", env=environment(server, tmp_path))
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)[0]
    assert (made["model"], made["revision"]) == (SD21[1], COMMIT)
    assert any(SD21[0] in path for path in server.asked)
    assert not any(path.endswith((".bin", ".ckpt")) for path in server.asked)
    server.close()
    offline = environment(server, tmp_path, HF_HUB_OFFLINE="1")
    again, repeat = run_several(
        tmp_path, (*GENERATE, "--out", "b.png"),
        ("generate", "--recipe", "a.png", "--out", "c.png"), env=offline,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert repeat.returncode == 0, repeat.stderr
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "c.png").read_bytes()


def test_pickles_on_the_hub_are_not_even_downloaded(start_sow, tiny_folder, tmp_path):
    shutil.copytree(tiny_folder, tmp_path / "m")
    pickled(tmp_path / "m")
    server = Hub({"some/one": tmp_path / "m"})
    done = start_sow(*GENERATE, "--model", "some/one", env=environment(server, tmp_path))
    server.close()
    assert done.returncode == 5
    assert done.stderr.count("\n") == 1
    assert not any(path.endswith(".bin") for path in server.asked)


def test_without_a_hub_auto_runs_figures_and_says_so_in_two_lines(tmp_path):
    env = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hf")}
    done, by_name = run_several(
        tmp_path, (*GENERATE, "--out", "a.png", "--json"), (*GENERATE, "--model", "sd2.1"), env=env
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["model"] == "figures"
    assert "bundled `figures` runs instead" in done.stderr
    assert "sow download" in done.stderr
    assert "HF_HOME" in done.stderr
    assert by_name.returncode == 5
    assert by_name.stderr.count("\n") == 1
    assert "sow download" in by_name.stderr


def test_download_says_where_it_went_and_completes_a_broken_cache(tiny_folder, tmp_path):
    server = Hub({SD21[0]: tiny_folder})
    env = environment(server, tmp_path)
    done, doctor = run_several(tmp_path, ("download", "--json"), ("doctor", "--json"), env=env)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["revision"] == COMMIT
    assert json.loads(doctor.stdout)["weights"][SD21[0]] == "cached"
    lost = Path(json.loads(done.stdout)["folder"]) / "scheduler" / "scheduler_config.json"
    lost.unlink()
    doctor, again = run_several(tmp_path, ("doctor", "--json"), ("download",), env=env)
    server.close()
    assert json.loads(doctor.stdout)["weights"][SD21[0]] == "not here"
    assert again.returncode == 0, again.stderr
    assert lost.exists()
