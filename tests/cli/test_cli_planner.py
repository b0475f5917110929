"""The command line with a multimodal model behind it: a loopback server in each vendor's format."""

from __future__ import annotations

import json

import pytest
from conftest import EXAMPLES
from mllm_server import GOOD, Server, small

from sow.errors import PlannerError

FACE = EXAMPLES / "drawn-curls.png"
KEY = "sk-very-secret-1234567890"
ASK = ("plan", "--model", "figures", "--face", FACE, "--prompt", "a person in a red coat")


@pytest.fixture
def server():
    running = Server(small)
    yield running
    running.close()


@pytest.fixture
def env(tmp_path):
    """No keys but those that a test sets; a cache of its own."""
    keys = ("GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL")
    folders = {"SOW_CACHE": str(tmp_path / "cache"), "SOW_CONFIG": str(tmp_path / "config")}
    return {**dict.fromkeys(keys, ""), **folders}


def test_a_local_openai_server_plans_without_a_key(run_sow, server, env):
    words = (*ASK, "--planner", "openai", "--base-url", server.address + "/v1", "--json")
    done = run_sow(*words, env=env)
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["cache"] == "miss"
    assert data["plan"]["prompt"].startswith("a person in a red coat, short gray hair")
    assert data["plan"]["related"][0]["label"] == "body"
    assert data["plan"]["planner"].startswith("openai chat-latest")
    assert "planner: openai chat-latest, asked at 127.0.0.1" in done.stderr
    again = run_sow(*words, "--force", env=env)
    assert json.loads(again.stdout) == {**data, "cache": "hit"}
    assert len(server.asked) == 3
    fresh = run_sow(*words, "--force", "--no-cache", env=env)
    assert json.loads(fresh.stdout)["cache"] == "off"
    assert len(server.asked) == 6


def test_gemini_plans_and_generate_grows_the_picture(run_sow, server, env, tmp_path):
    env |= {"GEMINI_API_KEY": KEY, "GOOGLE_GEMINI_BASE_URL": server.address}
    done = run_sow("generate", *ASK[1:], "--planner", "gemini", "--set", "cycles=1",
                   "--seed", "1", "--out", "a.png", "--json", env=env)  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)[0]
    assert made["plan"]["planner"].startswith("gemini gemini-flash-latest")
    assert "round glasses" not in made["plan"]["prompt"]  # figures does not know "round"
    assert {asked.stage for asked in server.asked} == {"Recognition", "Position", "Refinement"}
    told = done.stdout + done.stderr + (tmp_path / "a.png").read_bytes().decode("latin1")
    told += "".join(file.read_text() for file in (tmp_path / "cache").rglob("*.json"))
    assert KEY not in told


def test_auto_falls_back_to_rules_and_says_so(run_sow, server, env):
    alone = run_sow(*ASK, "--no-draw", env=env)
    assert alone.returncode == 0
    assert "planner: rules (no GEMINI_API_KEY or OPENAI_API_KEY is set)" in alone.stderr
    server.reply = lambda asked: (401, {"error": {"message": f"bad key {KEY}"}})
    words = ("--base-url", server.address + "/v1")  # who names a server agrees to it
    refused = run_sow(*ASK, "--no-draw", *words, env=env | {"SOW_PLANNER_KEY": KEY})
    assert refused.returncode == 0, refused.stderr
    assert "note: planned by rules: openai: the API key was rejected" in refused.stderr
    assert json.loads(refused.stdout)["planner"] == "offline"
    assert KEY not in refused.stdout + refused.stderr


def test_a_planner_that_was_named_is_not_replaced_unless_allowed(run_sow, server, env):
    server.reply = lambda asked: (401, {"error": {"message": f"bad key {KEY}"}})
    env |= {"GEMINI_API_KEY": KEY, "GOOGLE_GEMINI_BASE_URL": server.address}
    failed = run_sow(*ASK, "--no-draw", "--planner", "gemini", env=env)
    assert failed.returncode == 8
    assert failed.stderr.strip().splitlines()[-1] == (
        "sow: gemini: the API key was rejected; check GEMINI_API_KEY"
    )
    assert failed.stdout == ""
    allowed = run_sow(*ASK, "--no-draw", "--planner", "gemini", "--fallback", env=env)
    assert allowed.returncode == 0, allowed.stderr
    assert "planned by rules" in allowed.stderr


def test_a_dry_run_shows_what_would_be_sent_and_sends_nothing(run_sow, server, env):
    done = run_sow(*ASK, "--planner", "openai", "--base-url", server.address + "/v1",
                   "--dry-run", env=env)  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["host"] == server.address.removeprefix("http://")
    assert [q["stage"] for q in shown["questions"]] == ["recognition", "position", "refinement"]
    assert "a person in a red coat" in shown["questions"][0]["prompt"]
    assert shown["picture"]["bytes"] > 100
    assert server.asked == []
    for vendor in ("gemini", "openai"):
        without_key = run_sow(*ASK, "--planner", vendor, "--dry-run")
        assert json.loads(without_key.stdout)["vendor"] == vendor, without_key.stderr
    nobody = run_sow(*ASK, "--planner", "offline", "--dry-run", env=env)
    assert nobody.returncode == 2


BAD = {
    "no such planner": (("--planner", "claude"), 2, "choose auto, offline, gemini, openai"),
    "two calls": (("--planner", "openai", "--planner-calls", "2"), 2, "--planner-calls 1 or 3"),
    "no folder": (("--prompts", "nowhere"), 2, "no folder 'nowhere'"),
    "no address": (("--planner", "openai", "--base-url", "localhost"), 2, "http://"),
    "no key": (("--planner", "gemini"), 8, "set GEMINI_API_KEY"),
    "nobody there": (("--planner", "openai", "--base-url", "http://127.0.0.1:9/v1"), 8, "reached"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_planner_options_get_one_line(run_sow, env, name):
    words, code, says = BAD[name]
    done = run_sow(*ASK, "--no-draw", *words, env=env)
    assert done.returncode == code, done.stderr
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("sow: ")
    assert says in line
    assert "Traceback" not in done.stderr


def test_the_good_answers_fit_their_schemas():
    from sow.planners.mllm import answers

    for stage, answer in GOOD.items():
        getattr(answers, stage).model_validate(answer)


def test_who_is_refused_does_not_wait_for_the_model(start_sow, server, env):
    """It is being loaded meanwhile, in a thread that is left behind."""
    server.reply = lambda asked: (401, {"error": {"message": "no", "code": "invalid_api_key"}})
    words = ("generate", *ASK[1:], "--planner", "openai", "--base-url", server.address + "/v1")
    done = start_sow(*words, "--out", "x.png", env={**env, "OPENAI_API_KEY": KEY})
    assert done.returncode == PlannerError.exit_code, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("sow: openai")
    assert KEY not in line
