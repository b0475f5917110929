"""A real server of somebody else's making: llama.cpp's, with a tiny random model.

Run if `llama_cpp` is installed: pip install 'llama-cpp-python[server]' gguf
"""

from __future__ import annotations

import json
import socket
import threading
import time

import numpy as np
import pytest
from planner_helpers import REQUEST

from sow.planners.mllm.planner import StagedPlanner
from sow.planners.mllm.vendors.openai import OpenAIAsker

gguf = pytest.importorskip("gguf")
pytest.importorskip("llama_cpp.server.app")

TEMPLATE = (
    "{% for m in messages %}{% for part in m.content %}{% if part.type == 'text' %}"
    "{{ part.text }}{% endif %}{% endfor %}{% endfor %}"
)
"""The model sees no pictures; it would not know what to do with them either."""
WIDTH, INNER, LIKELY = 32, 64, 6.0


def write_model(path):
    """Write a model of one layer whose tokens are bytes, and which likes to end what it begins."""
    out = gguf.GGUFWriter(path, "llama")
    dice = np.random.default_rng(1)
    tokens = [b"<unk>", b"<s>", b"</s>", *(f"<0x{byte:02X}>".encode() for byte in range(256))]
    kinds = [gguf.TokenType.UNKNOWN, *[gguf.TokenType.CONTROL] * 2, *[gguf.TokenType.BYTE] * 256]
    out.add_context_length(16384)
    out.add_embedding_length(WIDTH)
    out.add_block_count(1)
    out.add_feed_forward_length(INNER)
    out.add_head_count(2)
    out.add_head_count_kv(2)
    out.add_rope_dimension_count(WIDTH // 2)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_vocab_size(len(tokens))
    out.add_tokenizer_model("llama")
    out.add_token_list(tokens)
    out.add_token_scores([0.0] * len(tokens))
    out.add_token_types(kinds)
    out.add_bos_token_id(1)
    out.add_eos_token_id(2)
    out.add_unk_token_id(0)
    out.add_add_space_prefix(False)
    out.add_chat_template(TEMPLATE)

    def add(name, *shape):
        values = dice.standard_normal(shape).astype(np.float32)
        if name == "token_embd.weight":
            values[:, 0] = 10  # the same for all, so that the next tensor has a bias
        if name == "output.weight":
            values[:, 0] = 0
            values[[3 + byte for byte in b'"}],'], 0] = LIKELY
            values[2, 0] = 2 * LIKELY
        out.add_tensor(name, values * (1 if name.endswith("embd.weight") else 0.2))

    add("token_embd.weight", len(tokens), WIDTH)
    add("output.weight", len(tokens), WIDTH)
    out.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    for norm in ("attn_norm", "ffn_norm"):
        out.add_tensor(f"blk.0.{norm}.weight", np.ones(WIDTH, np.float32))
    for part in ("q", "k", "v", "output"):
        add(f"blk.0.attn_{part}.weight", WIDTH, WIDTH)
    add("blk.0.ffn_gate.weight", INNER, WIDTH)
    add("blk.0.ffn_up.weight", INNER, WIDTH)
    add("blk.0.ffn_down.weight", WIDTH, INNER)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    """The address of the server, in a thread of this process."""
    import uvicorn
    from llama_cpp.server.app import create_app
    from llama_cpp.server.settings import ModelSettings, ServerSettings

    path = tmp_path_factory.mktemp("llama") / "tiny.gguf"
    write_model(path)
    model = ModelSettings(model=str(path), n_ctx=8192, n_threads=1, verbose=False, seed=1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = create_app(server_settings=ServerSettings(port=port), model_settings=[model])
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not server.started and time.monotonic() < until:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}/v1"
    server.should_exit = True
    thread.join(10)


def test_its_grammar_makes_legal_json_and_a_plan(llama, run_sow, tmp_path):
    """It refuses `json_schema` in its own words, and enforces the schema given the older way."""
    from conftest import EXAMPLES

    words = ("plan", "--model", "figures", "--face", EXAMPLES / "drawn-curls.png", "--prompt",
             "a person in a red coat", "--base-url", llama, "--planner-calls", "1", "--no-draw",
             "--json")  # fmt: skip
    env = {"SOW_CACHE": str(tmp_path), "OPENAI_API_KEY": "", "SOW_PLANNER_KEY": ""}
    done = run_sow(*words, "--planner", "openai", env=env)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)["plan"]
    assert plan["prompt"].startswith("a person in a red coat")
    assert plan["planner"].startswith("openai chat-latest (everything 2")
    (note,) = [note for note in plan["notes"] if "refuses json_schema" in note]
    assert "response_format" in note
    (remembered,) = (tmp_path / "servers").iterdir()
    assert json.loads(remembered.read_text())["form"] == "json_object"


def test_what_it_makes_without_a_grammar_is_no_answer(llama):
    asker = OpenAIAsker("tiny", None, llama, 0)
    asker.abilities.lower("plain")
    with pytest.raises(Exception, match="no usable answer") as caught:
        StagedPlanner(asker, calls=1, seconds=60).plan(REQUEST)
    assert str(caught.value).isprintable()
