"""The studio's server: who may ask, what is answered, and takes that come in."""

from __future__ import annotations

import datetime
import http.client
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.data import load_recordings
from edgekit.errors import DataError, InputError
from edgekit.hands import TRACKER, HandTake
from edgekit.jobs.take_file import TakeFile
from edgekit.shipped import open_box
from edgekit.studio import Studio, open_studio
from edgekit.studio import takes as takes_module

pytest.importorskip("starlette", reason="needs starlette and uvicorn: pip install '.[studio]'")

from edgekit.studio.app import LARGEST_REQUEST, page_files

Answer = tuple[int, dict[str, str], bytes]
Ask = Callable[..., Answer]


@pytest.fixture
def ask(studio: Studio) -> Ask:
    """(method, path, body, headers that are other than the page's): status, headers and content."""

    def request(method: str, path: str, body: bytes | None = None, **changed: str | None) -> Answer:
        headers = {"host": f"127.0.0.1:{studio.port}", "authorization": f"Bearer {studio.token}"}
        headers |= {"origin": f"http://127.0.0.1:{studio.port}", "sec-fetch-site": "same-origin"}
        headers |= {name.replace("_", "-"): value for name, value in changed.items()}  # type: ignore[dict-item]
        connection = http.client.HTTPConnection("127.0.0.1", studio.port, timeout=20)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                if value is not None:
                    connection.putheader(name, value)
            if body is not None:
                connection.putheader("content-length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    return request


def post(ask: Ask, path: str, said: Any = None) -> tuple[int, Any]:
    status, _, content = ask("POST", path, json.dumps({} if said is None else said).encode())
    return status, json.loads(content)


def get(ask: Ask, path: str) -> Any:
    status, _, content = ask("GET", path)
    assert status == 200, content
    return json.loads(content)


def take(**changed: Any) -> dict[str, Any]:
    """As the page sends one: 30 frames, the third without a hand."""
    rng = np.random.default_rng(0)
    frames: list[Any] = [[float(value) for value in rng.random(63)] for _ in range(30)]
    frames[2] = None
    known = {"label": "A", "signer": "anna", "session": "2026-11-27", "hand": "L", "aspect": 4 / 3}
    return {**known, "landmarks": frames, **changed}


def test_the_page_is_served_to_whoever_names_this_host(ask: Ask, studio: Studio) -> None:
    status, headers, content = ask("GET", "/", authorization=None, origin=None, sec_fetch_site="none")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b'content="served"' in content
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe-inline" not in policy
    assert headers["cross-origin-embedder-policy"] == "require-corp"
    assert studio.token.encode() not in content
    assert ask("GET", "/app.mjs", host=f"localhost:{studio.port}", origin=None)[0] == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"host": "evil.example"},
        {"host": "evil.example:80"},
        {"host": "127.0.0.1"},
        {"host": None},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
    ids=str,
)
def test_strangers_are_refused_even_with_the_token(ask: Ask, changed: dict[str, str | None]) -> None:
    """A name that was rebound to this machine, and pages of another site or of another port here."""
    for path in ("/", "/app.mjs", "/api/studio.json", "/report/x"):
        status, headers, content = ask("GET", path, **changed)
        assert status in (400, 403)
        assert b"token" not in content
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("token", [None, "Bearer ", "Bearer x", "Basic x", "Bearer \xff"], ids=str)
def test_without_the_token_only_the_pages_own_code_is_served(ask: Ask, token: str | None) -> None:
    for path in ("/api/studio.json", "/api/model.onnx", "/api/palm.onnx", "/api/takes", "/api/check"):
        assert ask("GET", path, authorization=token)[0] == 401
    assert ask("POST", "/api/takes", b"{}", authorization=token)[0] == 401
    assert ask("OPTIONS", "/api/takes", authorization=token)[0] == 401


def test_two_tokens_are_none(studio: Studio) -> None:
    with socket.create_connection(("127.0.0.1", studio.port), timeout=20) as line:
        token = f"authorization: Bearer {studio.token}\r\n"
        asked = f"GET /api/studio.json HTTP/1.1\r\nhost: 127.0.0.1:{studio.port}\r\nconnection: close\r\n"
        line.sendall(f"{asked}{token}{token}\r\n".encode())
        assert b" 401 " in line.recv(100)


@pytest.mark.parametrize(
    "path",
    ["/../app.py", "/..%2fapp.py", "/%2e%2e/guard.py", "/page/app.mjs", "/style.css/", "//etc/passwd", "/ort/../../x",
     "/ort/LICENSE", "/my-signs.npz", "/engine.mjs%00", "/report/..%2f..%2fetc"],
)  # fmt: skip
def test_no_path_leads_out_of_the_page(ask: Ask, path: str) -> None:
    status, _, content = ask("GET", path)
    assert status in (307, 404)
    assert b"import" not in content


def test_every_file_of_the_page_is_there_and_nothing_else_of_the_web(ask: Ask, blank_files: None) -> None:
    for path in page_files():
        status, _, content = ask("GET", path)
        assert status == 200
        text = content.decode("utf-8", "replace").replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text
        assert "https://" not in text


def test_it_tells_of_the_student_where_no_model_is(ask: Ask) -> None:
    told = get(ask, "/api/studio.json")
    assert "the student that edgekit comes with answers" in told["model"]["note"]
    assert told["model"]["names"] == list("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert told["model"]["no_sign"]["score"] == "energy"
    assert told["model"]["card"].startswith("# Model card")
    assert told["classes"] == told["model"]["names"]
    assert told["report"] is None


def test_a_take_is_recorded_as_edgekit_record_does(ask: Ask, studio: Studio) -> None:
    status, told = post(ask, "/api/takes", take())
    assert (status, told["counts"]["A"], told["counts"]["B"], told["takes"]) == (200, 1, 0, 1)
    found = load_recordings(studio.takes.path)
    assert (found.class_names, found.tracker) == (("A",), TRACKER)
    assert [found.signer[0], found.session[0], found.hand[0]] == ["anna", "2026-11-27", "L"]  # type: ignore[index]
    assert found.aspect is not None
    assert found.aspect[0] == np.float32(4 / 3)
    assert found.lengths.tolist() == [30]
    assert not found.sequences[0, 2].any()
    assert found.sequences[0, 0].tolist() == np.array(take()["landmarks"][0], np.float32).tolist()
    assert get(ask, "/api/counts?signer=anna&session=2026-11-27")["counts"]["A"] == 1
    assert get(ask, "/api/counts?signer=ben&session=2026-11-27")["counts"]["A"] == 0
    post(ask, "/api/takes", take(session=""))
    assert load_recordings(studio.takes.path).session.tolist()[1] == datetime.date.today().isoformat()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"landmarks": []}, "1 to 1,800 frames"),
        ({"landmarks": "x"}, "1 to 1,800 frames"),
        ({"landmarks": [[0.0] * 63] * 1801}, "1 to 1,800 frames"),
        ({"landmarks": [[0.5] * 62]}, "frame 0 of the take: expected 63 numbers"),
        ({"landmarks": [[0.5] * 63, [True] * 63]}, "frame 1 of the take"),
        ({"landmarks": [[0.5] * 62 + [1e30]]}, "frame 0 of the take"),
        ({"landmarks": [None, None]}, "no hand in any frame"),
        ({"landmarks": [[0.0] * 63]}, "no hand in any frame"),
        ({"label": "wave"}, "the sign 'wave' is none of A, B"),
        ({"label": " ", "new_class": True}, "a sign has no name"),
        ({"label": 3}, "are text"),
        ({"label": "\ud800", "new_class": True}, "not text"),
        ({"signer": "x" * 20_000}, "20,000 characters"),
        ({"new_class": 1}, "true or false"),
        ({"hand": "left"}, "L, R or empty"),
        ({"aspect": 0}, "width / height"),
        ({"aspect": None}, "width / height"),
        ({"aspect": True}, "width / height"),
    ],
)
def test_what_is_no_take_is_refused_and_nothing_is_written(
    ask: Ask, studio: Studio, changed: dict[str, Any], said: str
) -> None:
    status, told = post(ask, "/api/takes", take(**changed))
    assert status == 400
    assert said in told["error"]
    assert not studio.takes.path.exists()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"label": NaN}', 400),
        (b'{"aspect": 1e999}', 400),
        (b"\xff", 400),
        (b"[" * 5000, 400),
        (b"[]", 400),
        (b" " * (LARGEST_REQUEST + 1), 413),
    ],
    ids=["NaN", "infinity", "no text", "deep", "a list", "too large"],
)
def test_what_is_no_request_is_refused(ask: Ask, studio: Studio, body: bytes, status: int) -> None:
    found, _, content = ask("POST", "/api/takes", body)
    assert (found, "error" in json.loads(content)) == (status, True)
    assert not studio.takes.path.exists()


def test_a_new_sign_may_have_any_name_and_is_text(ask: Ask, studio: Studio) -> None:
    name = "<img src=x onerror=alert(1)>"
    status, told = post(ask, "/api/takes", take(label=name, signer="<b>", new_class=True))
    assert (status, told["counts"][name]) == (200, 1)
    assert post(ask, "/api/takes", take(label=name))[0] == 200, "now it is known"
    assert load_recordings(studio.takes.path).class_names == (name,)


def test_two_pages_and_edgekit_record_lose_nothing(ask: Ask, studio: Studio, blank_files: None) -> None:
    """Both pages at once, then another process that writes the file in between."""
    threads = [
        threading.Thread(target=post, args=(ask, "/api/takes", take(label=label, signer=signer)))
        for label in "ABC" for signer in ("anna", "ben")
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert load_recordings(studio.takes.path).takes == 6
    with open_studio(studio.takes.path.parent) as other:
        other.takes.add(take(label="D"))
    status, told = post(ask, "/api/takes", take(label="E"))
    assert (status, told["takes"], told["counts"]["D"]) == (200, 8, 1)


def test_a_take_is_thrown_out_and_comes_back(ask: Ask, studio: Studio) -> None:
    for label in "AAB":
        post(ask, "/api/takes", take(label=label))
    listed = get(ask, "/api/takes")["takes"]
    assert [one["label"] for one in listed] == ["A", "A", "B"]
    assert (listed[0]["frames"], listed[0]["with_hand"], len({one["key"] for one in listed})) == (30, 29, 3)
    shown = get(ask, f"/api/takes/{listed[2]['key']}")
    assert (len(shown["frames"]), len(shown["frames"][0]), shown["aspect"]) == (30, 63, pytest.approx(4 / 3))
    assert get(ask, "/api/check")["takes"][listed[0]["key"]] == ["the same numbers as another take"] * 1
    for one in reversed(listed):
        assert post(ask, f"/api/takes/{one['key']}/out")[0] == 200
    assert not studio.takes.path.exists()
    assert post(ask, f"/api/takes/{listed[0]['key']}/out")[0] == 404
    assert get(ask, "/api/takes") == {"takes": []}
    assert get(ask, "/api/check")["takes"] == {}
    assert [post(ask, "/api/undo") for _ in range(3)] == [(200, {"thrown": left}) for left in (2, 1, 0)]
    assert sorted(one["label"] for one in get(ask, "/api/takes")["takes"]) == ["A", "A", "B"]
    status, told = post(ask, "/api/undo")
    assert (status, told["error"]) == (400, "no take was thrown out")


@pytest.mark.parametrize("way", ["out", "undo"])
def test_a_take_is_in_one_file_where_the_other_can_not_be_written(
    ask: Ask, studio: Studio, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    for label in "ABC":
        post(ask, "/api/takes", take(label=label))
    keys = {one["label"]: one["key"] for one in get(ask, "/api/takes")["takes"]}
    if way == "undo":
        assert post(ask, f"/api/takes/{keys['A']}/out")[0] == 200
        assert post(ask, f"/api/takes/{keys['B']}/out")[0] == 200
    shorten = takes_module._shorten

    def full(*given: Any) -> None:
        raise DataError("No space left on device")

    monkeypatch.setattr(takes_module, "_shorten", full)
    path = f"/api/takes/{keys['B']}/out" if way == "out" else "/api/undo"
    before = get(ask, "/api/takes")
    assert post(ask, path)[0] == 400
    assert get(ask, "/api/takes") == before
    monkeypatch.setattr(takes_module, "_shorten", shorten)
    assert post(ask, path) == (200, {"thrown": 1})
    left = sorted(one["label"] for one in get(ask, "/api/takes")["takes"])
    assert left == (["A", "C"] if way == "out" else ["B", "C"])


def test_a_class_without_takes_goes_and_comes_back(ask: Ask, studio: Studio) -> None:
    """A dead class in the file would be trained, and a word among letters changes how."""
    post(ask, "/api/takes", take(label="A"))
    post(ask, "/api/takes", take(label="hello", new_class=True))
    keys = {one["label"]: one["key"] for one in get(ask, "/api/takes")["takes"]}
    assert post(ask, f"/api/takes/{keys['hello']}/out")[0] == 200
    assert load_recordings(studio.takes.path).class_names == ("A",)
    assert post(ask, "/api/undo")[0] == 200
    assert load_recordings(studio.takes.path).class_names == ("A", "hello")


def test_processes_take_turns(tmp_path: Path) -> None:
    """Each reads, adds and writes; without turns the slower one would write over the faster one's."""
    hand = HandTake(np.random.default_rng(0).random((5, 63), np.float32), "R", 1.0, 5, 30.0)
    files = [TakeFile(tmp_path / "takes.npz") for _ in range(2)]

    def add(file: TakeFile, signer: str) -> None:
        for _ in range(8):
            file.add("A", hand, signer, "today")

    threads = [threading.Thread(target=add, args=each) for each in zip(files, ("anna", "ben"), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert load_recordings(tmp_path / "takes.npz").takes == 16


def test_a_file_that_is_replaced_is_not_served_with_the_old_names(ask: Ask, studio: Studio) -> None:
    own = studio.model.content
    studio.model.path = studio.takes.path.parent / "gone.onnx"
    assert ask("GET", "/api/model.onnx")[2] == own == open_box().student.read_bytes()
    assert get(ask, "/api/studio.json")["model"]["bytes"] == len(own)


def test_the_report_opens_once_and_reaches_nothing(ask: Ask, studio: Studio) -> None:
    report = studio.takes.path.parent / "report.html"
    report.parent.mkdir(exist_ok=True)
    report.write_text("<script>1</script>")
    assert get(ask, "/api/studio.json")["report"] == pytest.approx(report.stat().st_mtime)
    status, told = post(ask, "/api/report")
    assert status == 200
    status, headers, content = ask("GET", told["path"], authorization=None, origin=None)
    assert (status, content) == (200, b"<script>1</script>")
    assert headers["content-security-policy"].startswith("sandbox allow-scripts allow-popups; default-src 'none'")
    assert ask("GET", told["path"])[0] == 404
    assert ask("GET", "/report/x")[0] == 404


def test_a_second_model_is_served_beside_the_first(ask: Ask, blank_files: None, tmp_path: Path) -> None:
    assert get(ask, "/api/studio.json")["beside"] is None
    assert ask("GET", "/api/beside.onnx")[0] == 404
    with open_studio(tmp_path, beside=open_box().student) as opened:
        connection = http.client.HTTPConnection("127.0.0.1", opened.port, timeout=20)
        connection.request("GET", "/api/beside.onnx", headers={"authorization": f"Bearer {opened.token}"})
        assert connection.getresponse().read() == open_box().student.read_bytes()
        connection.close()


def test_a_port_that_is_in_use_is_one_message(studio: Studio, blank_files: None, tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=rf"port {studio.port} is in use by another program; name another"),
        open_studio(tmp_path, port=studio.port),
    ):
        pass


def test_the_server_ends_with_its_block(studio: Studio, blank_files: None, tmp_path: Path) -> None:
    with open_studio(tmp_path / "other") as opened:
        port = opened.port
        assert port != studio.port
        assert opened.token != studio.token
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=5)
