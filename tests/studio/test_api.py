"""Programs use a running page: over real HTTP, with gradio_client."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from conftest import EXAMPLES

import sow
from sow.pictures.recipe import read_recipe
from sow.plan.box import Box

gradio_client = pytest.importorskip("gradio_client", reason="the extra studio is not installed")
FACE = str(EXAMPLES / "drawn-curls.png")


@contextlib.contextmanager
def client_of(served, folder, **options):
    """A program's connection, which is closed at the end."""
    client = gradio_client.Client(served.url, download_files=folder, verbose=False, **options)
    yield client
    client.close()


@pytest.fixture
def client(served, tmp_path):
    with client_of(served, tmp_path) as one:
        yield one


@pytest.fixture
def face():
    return gradio_client.handle_file(FACE)


def wait_until(so):
    """Wait for something that happens after a while."""
    for _ in range(1000):
        if so():
            return True
        time.sleep(0.02)
    return False


def test_the_endpoints_are_described(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert set(endpoints) == {"/plan", "/generate", "/words"}
    taken = {one["parameter_name"]: one for one in endpoints["/generate"]["parameters"]}
    assert list(taken) == [
        "image", "prompt", "negative", "setting", "preset", "likeness", "canvas", "box",
        "related", "plan", "seed", "num", "explain",
    ]  # fmt: skip
    assert taken["num"]["parameter_default"] == 1
    assert taken["image"]["parameter_has_default"] is False


def test_a_plan_is_made_and_carried_out(client, face):
    made = client.predict(image=face, prompt="a woman in a red coat", api_name="/plan")
    assert made["plan"]["subject"] == "face"
    plan = {**made["plan"], "box": [48, 24, 32, 32]}
    files, known = client.predict(image=face, plan=plan, seed=5, num=2, api_name="/generate")
    recipes = [read_recipe(Path(file))[0] for file in files]
    assert [recipe.seed for recipe in recipes] == known["seeds"] == [5, 6]
    assert known["plan"]["box"] == [48, 24, 32, 32]
    assert recipes[0].plan.box == Box(x=48, y=24, width=32, height=32)
    assert known["stage"] == "done"


def test_it_is_the_picture_that_python_makes(served, client, face):
    wanted = {"prompt": "a man in the snow", "negative": "hat", "preset": "attribute",
              "likeness": 0.9, "canvas": "2:3"}  # fmt: skip
    [file], _ = client.predict(image=face, **wanted, seed=3, api_name="/generate")
    result = served.studio.service.generate(sow.Request(FACE, **wanted), seed=3)
    assert read_recipe(Path(file))[0] == result.pictures[0].recipe


def test_a_sheet_explains(client, face):
    files, _ = client.predict(
        image=face, prompt="a woman", explain=True, seed=1, api_name="/generate"
    )
    assert [Path(file).name for file in files] == ["1.png", "1.explain.png"]


def test_words_that_the_model_does_not_know(client):
    told = client.predict("a woman with a zeppelin", api_name="/words")
    assert told["unknown"] == ["zeppelin"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"prompt": ""}, "no prompt"),
        ({"num": 9}, "num=9; give 1 to 8"),
        ({"num": True}, "num=True"),
        ({"num": "1"}, "num=1"),
        ({"seed": -2}, "seed"),
        ({"preset": "nonsense"}, "preset"),
        ({"setting": "nonsense"}, "setting"),
        ({"likeness": 2}, "likeness"),
        ({"canvas": "8192x8192"}, "canvas"),
        ({"canvas": "../../etc/passwd"}, "canvas"),
        ({"box": [0, 0, 1]}, "box"),
        ({"box": "here"}, "box"),
        ({"related": {"body": [1]}}, "related"),
        ({"plan": "/etc/passwd"}, "plan= is no JSON object"),
        ({"plan": {}}, "plan"),
        ({"negative": 5}, "negative"),
    ],
)
def test_mistakes_are_one_line(client, face, wanted, said):
    with pytest.raises(gradio_client.exceptions.AppError) as caught:
        client.predict(image=face, **{"prompt": "a woman", **wanted}, api_name="/generate")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + bytes(100)])
def test_what_is_no_picture_is_refused(client, tmp_path, data):
    path = tmp_path / "broken.png"
    path.write_bytes(data)
    for endpoint in ("/plan", "/generate"):
        with pytest.raises(gradio_client.exceptions.AppError, match=r"broken\.png"):
            client.predict(
                image=gradio_client.handle_file(path), prompt="a woman", api_name=endpoint
            )


def test_what_one_sent_and_got_ends_with_it(served, tmp_path, face):
    with client_of(served, tmp_path) as client:
        client.predict(image=face, prompt="a woman", seed=1, api_name="/generate")
        held = [path for path in served.folder.rglob("*") if path.is_file()]
        assert {path.name for path in held} >= {"drawn-curls.png", "1.png"}
    assert wait_until(lambda: not any(path.exists() for path in held)), held


def test_a_job_tells_its_place_and_is_cancelled(served, tmp_path, client, face):
    line = served.studio.line
    blocker = line.join("somebody else")
    try:
        job = client.submit(image=face, prompt="a woman", api_name="/generate")
        assert wait_until(lambda: job.outputs())
        assert job.outputs()[0] == [[], {"stage": "waiting", "place": 1, "done": 0.0}]
        second = line.join("a third one")
        assert line.place(second) == 2
        job.cancel()
        assert wait_until(lambda: line.place(second) == 1)
        line.leave(second)
    finally:
        line.leave(blocker)


def test_two_programs_at_once_get_their_own_pictures(served, tmp_path, face):
    prompts = {"one": "a man in the snow", "two": "a woman on a beach"}
    with contextlib.ExitStack() as stack:
        clients = {
            name: stack.enter_context(client_of(served, tmp_path / name)) for name in prompts
        }
        jobs = {
            name: client.submit(image=face, prompt=prompts[name], num=2, api_name="/generate")
            for name, client in clients.items()
        }
        for name, job in jobs.items():
            files, _ = job.result(timeout=100)
            prompts_made = {read_recipe(Path(file))[0].plan.prompt for file in files}
            assert prompts_made == {prompts[name]}
