"""The studio's answers: the page's own files, the model and networks, takes, and the last report."""

from __future__ import annotations

import datetime
import functools
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from edgekit import __version__
from edgekit.artifacts import json_text, parse_json
from edgekit.errors import EdgekitError, InputError
from edgekit.hands.networks import HAND, PALM, find_network
from edgekit.reading import FileKind, read_text
from edgekit.studio.assets import FILES, find_asset
from edgekit.studio.findings import findings_of
from edgekit.studio.model import PageModel
from edgekit.studio.takes import Takes, UnknownTakeError

PAGE = Path(__file__).with_name("page")
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
}
#: Bytes of a take as JSON: a minute at 30 frames a second has 2 million.
LARGEST_REQUEST = 4_000_000
#: A report opens in a window of its own, which can show no token: by an address that works once, and not for long.
TICKET_S = 60.0
REPORT, REPORT_TEXT = "report.html", "report.md"
REPORTS = FileKind("a report", InputError, 10**7)
#: The report may have scripts of its own, and reaches nothing: neither this server nor any other.
REPORT_POLICY = (
    "sandbox allow-scripts allow-popups; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline';"
    " img-src data:; font-src data:"
)


@dataclass
class Served:
    """What an app answers from. clock: seconds that only go on; tests pass their own."""

    workdir: Path
    model: PageModel
    takes: Takes
    signer: str = ""
    beside: PageModel | None = None
    clock: Callable[[], float] = time.monotonic
    tickets: dict[str, float] = field(default_factory=dict)


def page_files() -> dict[str, Path]:
    """Every file of the page by its path on the server: no other path leads to a file."""
    found = {f"/{path.name}": path for path in sorted(PAGE.iterdir()) if path.suffix in TYPES}
    return {"/": PAGE / "index.html", **found, **{f"/ort/{name}": find_asset(name) for name in FILES}}


def make_app(served: Served) -> Starlette:
    """The answers, without the guard."""
    private = [
        ("/api/studio.json", _json(functools.partial(_studio, served)), ["GET"]),
        ("/api/model.onnx", _bytes(served.model.content), ["GET"]),
        *([] if served.beside is None else [("/api/beside.onnx", _bytes(served.beside.content), ["GET"])]),
        ("/api/palm.onnx", _file(find_network(PALM)), ["GET"]),
        ("/api/hand.onnx", _file(find_network(HAND)), ["GET"]),
        ("/api/counts", _json(lambda request: served.takes.counts(*_who(request))), ["GET"]),
        ("/api/takes", _json(lambda request: {"takes": served.takes.listed()}), ["GET"]),
        ("/api/takes", _posted(served.takes.add), ["POST"]),
        ("/api/takes/{key}", _json(lambda request: served.takes.landmarks(request.path_params["key"])), ["GET"]),
        ("/api/takes/{key}/out", _json(lambda request: served.takes.throw_out(request.path_params["key"])), ["POST"]),
        ("/api/undo", _json(lambda request: served.takes.undo()), ["POST"]),
        ("/api/check", _json(lambda request: findings_of(served.takes.checked())), ["GET"]),
        ("/api/report", _json(functools.partial(_ticket, served)), ["POST"]),
    ]
    public = [(name, _file(path), ["GET"]) for name, path in page_files().items()]
    report = ("/report/{ticket}", functools.partial(_report, served), ["GET"])
    return Starlette(routes=[Route(path, answer, methods=ways) for path, answer, ways in [*private, *public, report]])


def _studio(served: Served, request: Request) -> dict[str, Any]:
    """What the page needs to begin."""
    report = served.workdir / REPORT
    text = served.workdir / REPORT_TEXT
    return {
        "version": __version__,
        "workdir": str(served.workdir),
        "model": served.model.to_dict(),
        "beside": None if served.beside is None else served.beside.to_dict(),
        "classes": served.takes.classes(),
        "file": str(served.takes.path),
        "signer": served.signer,
        "today": datetime.date.today().isoformat(),
        "report": report.stat().st_mtime if report.is_file() else None,
        "report_text": read_text(text, REPORTS) if text.is_file() else None,
    }


def _who(request: Request) -> tuple[str, str]:
    return request.query_params.get("signer", ""), request.query_params.get("session", "")


def _ticket(served: Served, request: Request) -> dict[str, Any]:
    now = served.clock()
    for old in [ticket for ticket, made in served.tickets.items() if now - made > TICKET_S]:
        del served.tickets[old]
    ticket = secrets.token_urlsafe(24)
    served.tickets[ticket] = now
    return {"path": f"/report/{ticket}"}


async def _report(served: Served, request: Request) -> Response:
    made = served.tickets.pop(request.path_params["ticket"], None)
    path = served.workdir / REPORT
    if made is None or served.clock() - made > TICKET_S or not path.is_file():
        return Response("this address has been used, or the report is gone: open it from the studio again", 404)
    return FileResponse(path, media_type=TYPES[".html"], headers={"content-security-policy": REPORT_POLICY, **FRESH})


#: Nothing of the user's stays in a browser's cache; the page's code is asked for again after an update.
FRESH = {"cache-control": "no-store"}
Answer = Callable[[Request], Any]


def _file(path: Path) -> Answer:
    async def answer(request: Request) -> Response:
        kind = TYPES.get(path.suffix, "application/octet-stream")
        return FileResponse(path, media_type=kind, headers={"cache-control": "no-cache"})

    return answer


def _bytes(content: bytes) -> Answer:
    async def answer(request: Request) -> Response:
        return Response(content, media_type=TYPES[".onnx"], headers=FRESH)

    return answer


def _json(answers: Callable[[Request], Any]) -> Answer:
    async def answer(request: Request) -> Response:
        return await _told(lambda: answers(request))

    return answer


def _posted(answers: Callable[[Any], Any]) -> Answer:
    """Of a request whose body is JSON."""

    async def answer(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LARGEST_REQUEST:
                return _error(413, f"the request is larger than {LARGEST_REQUEST:,} bytes")
        try:
            said = parse_json(body.decode())
        except ValueError as error:
            return _error(400, f"the request is no JSON: {error}")
        return await _told(lambda: answers(said))

    return answer


async def _told(answers: Callable[[], Any]) -> Response:
    """What they say, as JSON; what edgekit refuses, as one message."""
    try:
        content = await run_in_threadpool(answers)
    except UnknownTakeError as error:
        return _error(404, str(error))
    except EdgekitError as error:
        return _error(400, str(error))
    except OSError as error:
        return _error(500, f"{error.filename or ''}: {error.strerror or error}")
    return Response(json_text(content), media_type="application/json", headers=FRESH)


def _error(status: int, message: str) -> Response:
    return Response(json_text({"error": message}), status, media_type="application/json", headers=FRESH)
