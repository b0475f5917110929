"""Measure how long the engine waits when every plan comes from a slow planner, over real HTTP.

OMP_NUM_THREADS=1 sow bench study idle
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sow.batch.run_batch import Batch
from sow.batch.runners.options import Options
from sow.batch.sources import make_job_source
from sow.benchmarks.batch.survival import verdict_table
from sow.benchmarks.batch.throughput import jobs_of, local_run
from sow.benchmarks.output import StudyOutput
from sow.service.planning import PlannerChoice

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
    """A stand-in for OpenAI's server that answers after a delay."""

    protocol_version = "HTTP/1.1"
    delay = 0.0

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_POST(self) -> None:
        """Send one answer."""
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.delay)
        body = json.dumps(
            {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": "slow",
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": {"role": "assistant", "content": ANSWER},
                    }
                ],
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def study(output: StudyOutput, *, jobs: int, delay: float) -> None:
    """Write `idle.md`."""
    output.check_output_path("idle.md")
    Slow.delay = delay
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    choice = PlannerChoice(
        "openai", base_url=f"http://127.0.0.1:{server.server_port}/v1", planner_calls=1, cache=False
    )
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        batch = Batch(
            make_job_source(jobs_of(jobs), None, {}, out),
            out,
            Options("figures", planner=choice, batch_size=4),
        )
        run = local_run(batch)
        _ = run.service.pipe
        started, first, done = time.monotonic(), 0.0, 0
        for result in batch:
            done += result.done
            first = first or run.waited
        elapsed = time.monotonic() - started
    server.shutdown()
    later = run.waited - first
    output.write_page(
        "idle.md",
        [
            "# Waiting for plans",
            "",
            f"`{output.command}`, "
            "`figures`, four pictures in a call, plans over HTTP, eight at a time.",
            "",
            *verdict_table(
                {
                    "jobs done": str(done),
                    "seconds in all": f"{elapsed:.1f}",
                    "seconds that the plans take one after another": f"{jobs * delay:.0f}",
                    "seconds of the engine's calls": f"{run.engine.busy:.1f}",
                    "seconds in which it waited before its first call": f"{first:.1f}",
                    "seconds in which it waited after that": f"{later:.1f}",
                    "of the time after that": f"{100 * later / (elapsed - first):.1f} %",
                }
            ),
        ],
    )
