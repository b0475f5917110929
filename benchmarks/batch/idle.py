"""How long the engine waits while every plan comes from a slow planner, over real HTTP.

OMP_NUM_THREADS=1 python -m sow.benchmarks.batch.idle
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sow.benchmarks.batch.throughput import jobs, own
from sow.jobs.batch import Batch
from sow.jobs.options import Options
from sow.jobs.sources import source_of
from sow.service.asking import PlannerChoice

ANSWER = json.dumps(
    {
        "recognition": {"subject": "face", "features": ["round face"], "setting": "normal"},
        "position": {"box": {"x": 160, "y": 64, "width": 220, "height": 220}},
        "refinement": {
            "regions": [
                {"label": "body", "box": {"x": 100, "y": 284, "width": 330, "height": 228}}
            ],
            "relations": [],
        },
    }
)
"""The same for every face: how good the plans are is not the question here."""


class Slow(BaseHTTPRequestHandler):
    """Speaks as OpenAI's server does, after a while."""

    protocol_version = "HTTP/1.1"
    delay = 0.0

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        """One answer."""
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.delay)
        body = json.dumps({
            "id": "1", "object": "chat.completion", "created": 0, "model": "slow",
            "choices": [{"index": 0, "finish_reason": "stop",
                         "message": {"role": "assistant", "content": ANSWER}}],
        }).encode()  # fmt: skip
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Writes `idle.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--jobs", type=int, default=96)
    parser.add_argument("--delay", type=float, default=3.0, help="seconds of every plan")
    options = parser.parse_args()
    Slow.delay = options.delay
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    choice = PlannerChoice("openai", base_url=f"http://127.0.0.1:{server.server_port}/v1",
                           planner_calls=1, cache=False)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        batch = Batch(source_of(jobs(options.jobs), None, {}, out), out,
                      Options("figures", planner=choice, batch_size=4))  # fmt: skip
        run = own(batch)
        _ = run.service.pipe
        started, first, done = time.monotonic(), 0.0, 0
        for result in batch:
            done += result.done
            first = first or run.waited
        took = time.monotonic() - started
    waited = run.waited
    lines = [
        "# Waiting for plans", "",
        f"`python -m sow.benchmarks.batch.idle --jobs {options.jobs} --delay {options.delay:g}`, "
        "`figures`, four pictures in a call, plans over HTTP, eight at a time.", "", "| | |",
        "|---|---|",
        f"| jobs done | {done} |",
        f"| seconds in all | {took:.1f} |",
        f"| seconds that the plans take one after another | {options.jobs * options.delay:.0f} |",
        f"| seconds of the engine's calls | {run.engine.busy:.1f} |",
        f"| seconds in which it waited before its first call | {first:.1f} |",
        f"| seconds in which it waited after that | {waited - first:.1f} |",
        f"| of the time after that | {100 * (waited - first) / (took - first):.1f} % |", "",
    ]  # fmt: skip
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "idle.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
