"""Trials on this machine: in this process, or in several worker processes; this process alone knows the study."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

import torch

from edgekit.errors import EdgekitError
from edgekit.study.task import P, P_co, R, R_contra, Report, Task
from edgekit.train.signals import answered_here


class Ledger(Protocol[P_co, R_contra]):
    """Who hands out points and hears of trials: `edgekit.study.board.Board`."""

    def next(self) -> tuple[int, P_co] | None:
        """A trial's number and its point; None when there is none left."""

    def step(self, number: int, accuracies: tuple[float, ...]) -> bool:
        """A trial has come one step further; answers whether to go on."""

    def finish(self, number: int, result: R_contra) -> None:
        """A trial is over."""

    def lose(self, number: int, result: R_contra) -> None:
        """A trial failed for no fault of its point; the next command tries it again."""


def run_here(ledger: Ledger[P, R], task: Task[P, R], jobs: int = 1) -> None:
    """Run what `ledger` hands out, `jobs` trials at a time, each training with one thread.

    Raises EdgekitError when a worker process dies.
    """
    if jobs > 1:
        _run_workers(ledger, task, jobs)
        return
    torch.set_num_threads(1)
    while (handed := ledger.next()) is not None:
        number, point = handed
        ledger.finish(number, task.run(point, _reporter(ledger, number)))


def _reporter(ledger: Ledger[P, R], number: int) -> Report:
    return lambda accuracies: ledger.step(number, accuracies)


def _run_workers(ledger: Ledger[P, R], task: Task[P, R], jobs: int) -> None:
    context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
    resource_tracker.ensure_running()  # Python's own helper; to start it would let the signals through again
    with contextlib.ExitStack() as stack:
        stack.enter_context(_safe_path())
        first: dict[Connection, tuple[int, P]] = {}
        for _ in range(jobs):
            handed = ledger.next()
            if handed is None:
                break
            here, there = context.Pipe()
            process = context.Process(target=_work, args=(there,), daemon=True)
            with answered_here():
                process.start()
                stack.callback(_end, process)
            there.close()
            first[here] = handed
        for worker, (number, point) in first.items():  # when all are on their way
            _tell(worker, number, task, point)
        running = {worker: number for worker, (number, _) in first.items()}
        while running:
            for connection in wait(list(running)):
                _listen(connection, running, ledger)  # type: ignore[arg-type]


@contextlib.contextmanager
def _safe_path() -> Iterator[None]:
    """Python started meanwhile looks for no modules in the current folder: a worker would import whatever lies there
    under the name of a standard one, before it is told its parent's own path."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        os.environ.pop("PYTHONSAFEPATH")
        os.environ.update({} if before is None else {"PYTHONSAFEPATH": before})


def _tell(connection: Connection, number: int, *messages: Any) -> None:
    """To a worker. What starts it holds next to nothing, since Python waits for ever for one that dies meanwhile."""
    try:
        for message in messages:
            connection.send(message)
    except ConnectionError:
        raise _died(number) from None


def _died(number: int) -> EdgekitError:
    return EdgekitError(
        f"a worker process died in trial {number + 1} (out of memory?); finished trials are kept, the same command"
        " continues from there; give fewer --jobs"
    )


def _listen(connection: Connection, running: dict[Connection, int], ledger: Ledger[Any, Any]) -> None:
    number = running[connection]
    try:
        said = connection.recv()
    except (EOFError, ConnectionError):
        raise _died(number) from None
    if isinstance(said, Exception):
        raise said
    if isinstance(said, tuple):
        _tell(connection, number, ledger.step(number, said))
        return
    ledger.finish(number, said)
    handed = ledger.next()
    if handed is None:
        del running[connection]
        connection.close()
    else:
        running[connection] = handed[0]
        _tell(connection, handed[0], handed[1])


def _end(process: Any) -> None:
    process.kill()
    process.join()


def _work(connection: Connection) -> None:
    """A worker's life: the task comes, then a point, accuracies go and are answered, the result goes, the next point
    comes. It ends with its parent."""
    if not hasattr(signal, "pthread_sigmask"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent ends the workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    try:
        task: Task[Any, Any] = connection.recv()
    except EOFError:  # the parent ended while this process was starting
        return

    def report(accuracies: tuple[float, ...]) -> bool:
        connection.send(accuracies)
        return bool(connection.recv())

    while True:
        try:
            point = connection.recv()
        except EOFError:
            return
        try:
            connection.send(task.run(point, report))
        except Exception as error:  # whatever it is, the parent has to show it
            connection.send(error)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
