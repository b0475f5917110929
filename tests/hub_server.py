"""A model hub on loopback: enough of the real one's protocol for its own client to download."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Serves folders as repositories; `asked` lists the paths that were requested."""

    def __init__(self, repositories: dict[str, Path]) -> None:
        self.repositories, self.asked = repositories, []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Quiet."""

            def do_HEAD(self) -> None:
                hub.answer(self, body=False)

            def do_GET(self) -> None:
                hub.answer(self, body=True)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        # close() waits for the next poll: by default half a second for every test.
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler, body: bool) -> None:
        path = unquote(urlsplit(request.path).path)
        self.asked.append(path)
        for name, folder in self.repositories.items():
            if path.startswith(f"/api/models/{name}/tree/"):
                return self.send(request, body, json.dumps(self.tree(folder)).encode())
            if path.startswith(f"/api/models/{name}"):
                return self.send(request, body, json.dumps(self.info(name, folder)).encode())
            prefix = f"/{name}/resolve/"
            if path.startswith(prefix):
                file = folder / path.removeprefix(prefix).partition("/")[2]
                if file.is_file():
                    return self.send(request, body, file.read_bytes())
                return self.send(request, body, b"", 404, "EntryNotFound")
        if path == "/":
            return self.send(request, body, b"a hub")
        return self.send(request, body, b"", 404, "RepoNotFound")

    @staticmethod
    def send(request, body: bool, data: bytes, status: int = 200, error: str = "") -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(data)))
        request.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        request.send_header("X-Repo-Commit", COMMIT)
        if error:
            request.send_header("X-Error-Code", error)
        request.end_headers()
        if body:
            request.wfile.write(data)

    @staticmethod
    def files(folder: Path) -> list[Path]:
        return sorted(file for file in folder.rglob("*") if file.is_file())

    def info(self, name: str, folder: Path) -> dict:
        names = [file.relative_to(folder).as_posix() for file in self.files(folder)]
        return {
            "id": name,
            "modelId": name,
            "sha": COMMIT,
            "private": False,
            "tags": [],
            "downloads": 0,
            "siblings": [{"rfilename": n} for n in names],
        }

    def tree(self, folder: Path) -> list[dict]:
        return [
            {
                "type": "file",
                "path": file.relative_to(folder).as_posix(),
                "size": file.stat().st_size,
                "oid": hashlib.sha1(file.read_bytes()).hexdigest(),
            }
            for file in self.files(folder)
        ]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
