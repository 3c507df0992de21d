"""The studio's server: on loopback, with a port and a token of its own, until somebody ends it."""

from __future__ import annotations

import errno
import importlib.util
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.errors import InputError, missing_extra
from edgekit.reading import StrPath
from edgekit.studio.model import PageModel
from edgekit.studio.takes import Takes

HOST = "127.0.0.1"
#: Names that lead here, as browsers write them into a request.
NAMES = ("127.0.0.1", "localhost")
PATIENCE_S = 10.0


@dataclass(frozen=True)
class Studio:
    """A server that runs. address: of the page, with the token."""

    address: str
    port: int
    token: str
    model: PageModel
    takes: Takes
    _ended: threading.Event = field(repr=False)

    def wait(self) -> None:
        """Until the server ends, which it does not by itself; a signal interrupts it."""
        while not self._ended.wait(0.5):
            pass


@contextmanager
def open_studio(
    workdir: StrPath,
    model: StrPath | None = None,
    port: int = 0,
    signer: str = "",
    beside: StrPath | None = None,
) -> Iterator[Studio]:
    """A server for the block. port: 0 for any that is free. model: see `edgekit.jobs.model_files.find_reader`. signer:
    who signs, until the page says another. beside: a second model, which reads the same hand.

    Raises MissingExtraError without starlette and uvicorn, ModelFileError where the hand tracker's networks or
    onnxruntime-web are not set up or no model can answer, InputError for a port that is in use.
    """
    _require_server()
    from edgekit.studio.app import Served, make_app

    page_model = PageModel(workdir, model)
    takes = Takes(workdir, tuple(page_model.to_dict()["names"]))
    second = None if beside is None else PageModel(workdir, beside)
    app = make_app(Served(Path(workdir), page_model, takes, signer, second))
    with _listening(port) as listening:
        number = int(listening.getsockname()[1])
        token = secrets.token_urlsafe(24)
        with _running(app, listening, token) as ended:
            address = f"http://{HOST}:{number}/#token={token}"
            yield Studio(address, number, token, page_model, takes, ended)


def _require_server() -> None:
    for package in ("starlette", "uvicorn"):
        if importlib.util.find_spec(package) is None:
            raise missing_extra("studio", package, "studio")


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen(128)  # whoever comes before the server is ready waits
        yield listening
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        why = "is in use by another program" if error.errno == errno.EADDRINUSE else "is not for you to use"
        raise InputError(f"port {port} {why}; name another with --port, or 0 for any that is free") from None
    finally:
        listening.close()


@contextmanager
def _running(app: Any, listening: socket.socket, token: str) -> Iterator[threading.Event]:
    """The app behind its guard, in a thread, so that signals stay the command's; what is set when that has ended.

    The thread itself is not waited for: Python takes one for ended when a signal interrupts who waits (3.11).
    """
    import uvicorn

    from edgekit.studio.guard import Guard

    port = listening.getsockname()[1]
    names = frozenset(f"{name}:{port}" for name in NAMES)
    config = uvicorn.Config(
        Guard(app, token, names),
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server, ended = uvicorn.Server(config), threading.Event()

    def run() -> None:
        try:
            server.run([listening])
        finally:
            ended.set()

    threading.Thread(target=run, name="edgekit-studio", daemon=True).start()
    try:
        yield ended
    finally:
        server.should_exit = True
        ended.wait(PATIENCE_S)
