"""What a stranger can do with the server: nothing."""

from __future__ import annotations

import json
import os
import socket
import stat

import pytest
from browsing import chromium, visited
from conftest import EXAMPLES

import sow
from sow.errors import UsageError

pytest.importorskip("gradio", reason="the extra studio is not installed")
import httpx

from sow.studio.access import check_access, free_port, read_accounts
from sow.studio.guard import MAX_WRONG
from sow.studio.launch import serve

FACE = EXAMPLES / "drawn-curls.png"


@pytest.fixture
def web(served):
    """A browser without a page: it keeps cookies."""
    with httpx.Client(base_url=served.url, timeout=30) as client:
        client.get("/")
        yield client


def functions(served, web):
    """The numbers of the page's functions, by their names."""
    config = web.get("/config").json()
    return {one["api_name"]: one["id"] for one in config["dependencies"]}


# ---------------------------------------------------------------------- who asks


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[", "0.0.0.0"]
)
def test_a_name_that_was_rebound_to_this_machine_reaches_nothing(served, host):
    for path in ("/", "/config", "/gradio_api/info", "/assets/index.js"):
        answer = httpx.get(served.url + path[1:], headers={"Host": host})
        assert answer.status_code in (400, 403)
        assert "gradio" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_this_machine_has_several_names(served, host):
    port = httpx.URL(served.url).port
    assert httpx.get(served.url, headers={"Host": f"{host}:{port}"}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "file://"]
)
def test_other_sites_reach_nothing(served, web, origin):
    body = {"data": [], "fn_index": 0, "session_hash": "abc"}
    for answer in (
        web.post("/gradio_api/queue/join", json=body, headers={"Origin": origin}),
        web.get("/config", headers={"Origin": origin}),
    ):
        assert answer.status_code == 403
        assert answer.text == "another site asked\n"
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    answer = web.options("/gradio_api/queue/join", headers=asked)
    assert "evil" not in answer.headers.get("access-control-allow-origin", "")
    answer = web.get("/")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


# ---------------------------------------------------------------------- what is asked


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/gradio_api/run/plan"),
        ("POST", "/gradio_api/api/plan"),
        ("POST", "/gradio_api/call/plan"),
        ("POST", "/gradio_api/vibe-edit"),
        ("POST", "/gradio_api/vibe-code"),
        ("GET", "/gradio_api/vibe-code"),
        ("POST", "/gradio_api/process_recording"),
        ("POST", "/gradio_api/stream/abc"),
        ("GET", "/gradio_api/stream/a/b/c/playlist.m3u8"),
        ("GET", "/gradio_api/proxy=https://huggingface.co/"),
        ("GET", "/gradio_api/file=https://huggingface.co/"),
        ("GET", "/gradio_api/file=http://127.0.0.1/"),
        ("GET", "/gradio_api/file=file:///etc/passwd"),
        ("GET", "/gradio_api/runs"),
        ("GET", "/gradio_api/token"),
        ("GET", "/gradio_api/queue/status"),
        ("GET", "/gradio_api/openapi.json"),
        ("GET", "/gradio_api/deep_link?session_hash=abc"),
        ("GET", "/gradio_api/custom_component/0/client/component/index.js"),
        ("GET", "/gradio_api/dev/reload"),
        ("GET", "/monitoring"),
        ("GET", "/monitoring/summary"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("PUT", "/config"),
        ("DELETE", "/"),
    ],
)
def test_what_the_page_does_not_need_is_not_there(web, method, path):
    answer = web.request(method, path, **({"json": {}} if method == "POST" else {}))
    assert answer.status_code == 404, answer.text
    assert answer.text == "there is nothing here\n"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd", "//etc/passwd", "../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd",
        "/proc/self/environ", "sow/errors.py", "pyproject.toml", ".git/config", "~/.bashrc",
        str(FACE), "C:/Windows/win.ini",
    ],
)  # fmt: skip
def test_files_cannot_be_read(web, path):
    assert web.get(f"/gradio_api/file={path}").status_code in (403, 404)
    for folder in ("assets", "static", "svelte"):
        assert web.get(f"/{folder}/../../../../../../{path}").status_code in (403, 404)
        assert web.get(f"/{folder}/%2e%2e/%2e%2e/%2e%2e/{path}").status_code in (403, 404)


def test_results_and_the_folder_of_files_cannot_be_listed(served, web):
    for path in (served.folder, served.studio.history.out):
        assert web.get(f"/gradio_api/file={path}").status_code in (403, 404)
    assert stat.S_IMODE(served.folder.stat().st_mode) == 0o700


def test_paths_that_were_not_uploaded_are_not_read(served, web):
    for path in ("/etc/passwd", str(FACE), "http://127.0.0.1:1/a.png", None, 5, ["a"], "\0"):
        image = {"path": path, "url": path, "meta": {"_type": "gradio.FileData"}}
        rest = ["", "", "", "", None, "", None, None, None, -1, 1, False]
        for name, data in (("plan", ["a woman", "", ""]), ("generate", rest)):
            said = ask(served, web, name, [image, *data])
            refused = ('"success":false', "not where it is")  # by Gradio, or by us
            assert any(one in said for one in refused), said
            assert "root:" not in said


def ask(served, web, name, data, session="stranger"):
    """Call a function of the page as its JavaScript does, and return all that is answered."""
    body = {"data": data, "fn_index": functions(served, web)[name], "session_hash": session}
    answer = web.post("/gradio_api/queue/join", json=body)
    if answer.status_code != 200:
        return answer.text
    with web.stream("GET", f"/gradio_api/queue/data?session_hash={session}") as events:
        text = ""
        for line in events.iter_lines():
            text += line
            if "process_completed" in line or "unexpected_error" in line:
                break
    return text


def test_requests_are_bounded(served, web, monkeypatch):
    from sow.studio.guard import MAX_BODY

    def chunks():
        yield b"{"

    assert web.post("/gradio_api/queue/join", content=chunks()).status_code == 411
    port = httpx.URL(served.url).port
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:  # sends no body
        head = (
            "POST /gradio_api/upload HTTP/1.1",
            "Host: localhost",
            f"Content-Length: {MAX_BODY + 1}",
        )
        raw.sendall("\r\n".join([*head, "", ""]).encode())
        assert b" 413 " in raw.recv(100)


def raw(served, *head, body=b""):
    """Send a request as it is, and return how its answer begins."""
    lines = "\r\n".join([*head, "Host: localhost", "", ""]).encode()
    with socket.create_connection(("127.0.0.1", httpx.URL(served.url).port), timeout=10) as wire:
        wire.sendall(lines + body)
        return wire.recv(100)


def test_a_length_that_is_not_the_length(served):
    answer = raw(
        served,
        "POST /gradio_api/queue/join HTTP/1.1",
        "Content-Length: 5",
        "Transfer-Encoding: chunked",
    )
    assert b" 411 " in answer


def test_what_makes_gradio_fail_is_refused_or_one_line(served, web, caplog, capfd):
    assert b" 403 " in raw(served, "GET / HTTP/1.1", "Origin: http://[")
    for path in ("queue/join", "cancel"):
        assert web.post(f"/gradio_api/{path}", content=b"[" * 4000).status_code == 400
    join = "/gradio_api/queue/join"
    good = {"data": [], "fn_index": functions(served, web)["search"], "session_hash": "odd"}
    for odd in (
        {"session_hash": "\ud800"}, {"session_hash": "a/b"}, {"session_hash": 5},
        {"session_hash": None}, {"event_data": {"query": "\ud800"}},
    ):  # fmt: skip
        # As programs write it: with "\ud800" in ASCII.
        assert web.post(join, content=json.dumps({**good, **odd})).status_code == 400
    assert web.get("/gradio_api/queue/data?session_hash=%ff").status_code == 400
    assert web.get("/gradio_api/heartbeat/" + "a" * 100).status_code == 400
    assert '"success":true' in ask(served, web, "search", [], session="fine")
    caplog.clear()
    assert web.post(join, json={**good, "fn_index": 999}).status_code == 500
    words = {"session_hash": "a", "component_id": 9999, "fn_name": "words", "data": 1}
    assert web.post("/gradio_api/component_server", json=words).status_code == 500
    assert web.get("/static/" + "a" * 5000).status_code == 500
    assert [len(record.getMessage().splitlines()) for record in caplog.records] == [1, 1, 1]
    assert "Traceback" not in capfd.readouterr().err


def test_the_server_fetches_nothing_that_somebody_names(served, web):
    file = {"path": "https://example.com/a.png", "meta": {"_type": "gradio.FileData"}}
    for data in ([file, "a woman", "", ""], [None, {"prompt": "a", "x": [file]}]):
        assert "not where it is" in ask(served, web, "plan", data)


def test_a_number_that_no_browser_knows_comes_back_as_none(served, web):
    functions_of_page = functions(served, web)
    body = {"data": [None, None], "fn_index": functions_of_page["placed"], "session_hash": "edit"}
    web.post("/gradio_api/queue/join", json={**body, "event_data": {"edit": 10**30}})
    with web.stream("GET", "/gradio_api/queue/data?session_hash=edit") as events:
        said = next(line for line in events.iter_lines() if "completed" in line or "error" in line)
    assert '"edit":null' in said


# ---------------------------------------------------------------------- whose it is


def test_who_knows_the_name_of_anothers_page_can_do_nothing_with_it(served, web):
    with web.stream("GET", "/gradio_api/heartbeat/victim") as answer:
        assert answer.status_code == 200  # the page was opened
        with httpx.Client(base_url=served.url) as stranger:
            stranger.get("/")
            for path in (
                "/gradio_api/queue/data?session_hash=victim",
                "/gradio_api/heartbeat/victim",
            ):
                assert stranger.get(path).status_code == 403
            body = {"session_hash": "victim", "fn_index": 0, "event_id": "x"}
            assert stranger.post("/gradio_api/cancel", json=body).status_code == 403
            assert stranger.post("/gradio_api/cancel", json=[]).status_code == 400
        # A program, which has no cookie, neither.
        assert httpx.get(f"{served.url}gradio_api/heartbeat/victim").status_code == 403


def test_a_session_is_found_by_its_browser_too(served, web):
    from sow.studio.guard import COOKIE

    ask(served, web, "turn", [None, None], session="mine")
    keys = [key for key in served.studio.sessions._sessions if key.endswith("/mine")]
    assert keys == [f"{web.cookies[COOKIE]}/mine"]


# ---------------------------------------------------------------------- accounts


@pytest.mark.parametrize(
    ("host", "share"),
    [("0.0.0.0", False), ("192.168.1.5", False), ("::", False), ("127.0.0.1", True)],
)
def test_others_need_a_password(host, share):
    with pytest.raises(UsageError, match="others can use this machine; add auth=user:password"):
        check_access(host, share, [])
    check_access(host, share, [("user", "long enough")])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.8.8.8"])
def test_this_machine_needs_none(host):
    check_access(host, False, [])


def test_accounts_come_from_options_files_and_a_variable(tmp_path, monkeypatch):
    file = tmp_path / "accounts"
    file.write_text("two:password:2\n\n  three:password 3 \n")
    monkeypatch.setenv("SOW_STUDIO_AUTH", "four:password4")
    assert read_accounts(["one:password1"], file) == [
        ("one", "password1"), ("four", "password4"), ("two", "password:2"), ("three", "password 3"),
    ]  # fmt: skip


@pytest.mark.parametrize("line", ["1234567890", "user:", ":1234567890", "user:1234567"])
def test_accounts_have_a_user_and_a_long_password(line):
    with pytest.raises(UsageError, match="user or a password is missing") as caught:
        read_accounts([line])
    assert "1234567" not in str(caught.value)


def test_a_file_of_accounts_that_cannot_be_read(tmp_path):
    for path, why in ((tmp_path / "none", "no such file"), (tmp_path, "not a regular file")):
        with pytest.raises(UsageError, match=why):
            read_accounts([], path)


def test_with_accounts_nothing_is_told_to_who_has_not_signed_in(tmp_path):
    service = sow.Service("figures", device="cpu")
    accounts = [("ann", "password of ann"), ("bob", "password of bob")]
    with (
        serve(service, tmp_path, port=0, accounts=accounts) as page,
        httpx.Client(base_url=page.url) as web,
    ):
        assert "SOW Studio" not in web.get("/config").text
        for path in ("/config", "/gradio_api/info", "/gradio_api/queue/data?session_hash=a"):
            assert web.get(path).status_code == 401
        for path in ("queue/join", "upload", "component_server"):
            body = {"data": [], "session_hash": "a", "fn_index": 0}
            assert web.post(f"/gradio_api/{path}", json=body).status_code == 401
        wrong = web.post("/login", data={"username": "ann", "password": "password of bob"})
        assert wrong.status_code == 400
        right = web.post("/login", data={"username": "ann", "password": "password of ann"})
        assert right.status_code == 200
        assert web.get("/gradio_api/info").status_code == 200
        for attempt in range(20):  # after the one above
            wrong = web.post("/login", data={"username": "bob", "password": f"guess {attempt}"})
            assert wrong.status_code == (400 if attempt < MAX_WRONG - 1 else 429)
        right = web.post("/login", data={"username": "bob", "password": "password of bob"})
        assert right.status_code == 429  # or a guess could be told from it
        assert web.get("/gradio_api/info").status_code == 200


def test_a_port_that_is_taken_and_a_host_that_is_not_here():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot listen on port {port} of"):
            free_port("127.0.0.1", port)
    with pytest.raises(UsageError, match=r"cannot listen on any port of 203\."):
        free_port("203.0.113.1", 0)
    with pytest.raises(UsageError, match=r"cannot listen on any port of no\."):
        free_port("no.such.host.invalid", None)
    assert free_port("127.0.0.1", 0) > 0


def test_results_do_not_go_into_a_file(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to(tmp_path / "none")
    for name in ("file", "nowhere"):
        with (
            pytest.raises(UsageError, match=f"{name} is not a folder; choose another"),
            serve(sow.Service("figures", device="cpu"), tmp_path / name, port=0),
        ):
            pass


# ---------------------------------------------------------------------- who is asked


def test_nothing_of_the_users_variables_opens_what_is_closed(tmp_path, monkeypatch):
    before = os.environ.get("GRADIO_TEMP_DIR")
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    monkeypatch.setenv("GRADIO_ALLOWED_PATHS", str(tmp_path))
    monkeypatch.setenv("GRADIO_SHARE", "True")
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    with serve(sow.Service("figures", device="cpu"), tmp_path / "out", port=0) as page:
        assert page.url.startswith("http://127.0.0.1:")
        assert page.share_url is None
        assert httpx.get(f"{page.url}gradio_api/file={secret}").status_code == 403
        folder = page.folder
    assert os.environ["GRADIO_SHARE"] == "True"
    assert os.environ.get("GRADIO_TEMP_DIR") == before
    assert not folder.exists()


def test_neither_the_page_nor_the_server_asks_anybody_else(tmp_path, monkeypatch):
    asked, connect, looked_up = [], socket.socket.connect, socket.getaddrinfo

    def watched(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            asked.append(address[0])
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", watched)
    looked_up = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *more, **named: asked.append(host) or looked_up(host, *more, **named),
    )
    with (
        serve(sow.Service("figures", device="cpu"), tmp_path / "out", port=0) as served,
        chromium() as browser,
        visited(browser, served.url) as page,  # it sees what the page asks for
    ):
        page.set_input_files("#stage input[type=file]", FACE)
        page.locator("#stage .piece").wait_for()
    assert {host.decode() if isinstance(host, bytes) else host for host in asked} <= {
        "127.0.0.1",
        "localhost",
        "::1",
    }


def test_the_servers_keys_are_on_no_page(served, web, monkeypatch):
    for name in ("OPENAI_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.setenv(name, "sk-a-very-secret-key")
    for path in ("/", "/config", "/gradio_api/info"):
        assert "sk-a-very-secret-key" not in web.get(path).text
