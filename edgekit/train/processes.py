"""Several processes for one run: forked from this one, so that any module, loss and data go along as they are.

Lightning's own launchers start the script again, which would meet the work directory's lock, or ask for what can be
pickled, which closures can't. They bring back weights only. Here the processes talk to this one through pipes: it
hears of every epoch while rank 0 waits, gets rank 0's answer, and the first error. They talk to each other through a
file and the loopback interface only.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import pickle
import platform
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.strategies import DDPStrategy

from edgekit.artifacts import scratch_folder
from edgekit.errors import ConfigError, EdgekitError
from edgekit.train.hardware import Hardware
from edgekit.train.progress import Epoch, Listener
from edgekit.train.signals import answered_here

if TYPE_CHECKING:
    from multiprocessing.context import ForkProcess  # Windows has none

#: How long a process waits for the others, in seconds; the death of one is noticed at once.
TIMEOUT_S = 1800.0
#: (rank, the listener of this process) to the answer; only rank 0's is read.
Work = Callable[[int, Listener], bytes]
#: When, by the monotonic clock in seconds, and what.
Failure = tuple[float, BaseException]
#: How long other processes may take to say that they failed, too.
GRACE_S = 1.0


def strategy_of(hardware: Hardware, rank: int) -> DDPStrategy:
    """Lightning's, in one of the processes of `in_processes`."""
    return DDPStrategy(
        cluster_environment=_Forked(rank, hardware.accelerators), process_group_backend=_backend(hardware)
    )


def in_processes(hardware: Hardware, work: Work, listener: Listener | None) -> bytes:
    """Call `work` in `hardware.accelerators` forked processes of one group; returns rank 0's answer.

    work gets its rank and a listener; rank 0's calls `listener` in this process and returns when that has. An error in
    a process, or its death, ends all of them and is raised here, and so is what `listener` raises, KeyboardInterrupt
    included. No process outlives this one. Raises ConfigError where processes can't be forked.
    """
    _check_fork(hardware)
    with scratch_folder("group") as folder, _lifeline() as lifeline:
        group = _Group(hardware, folder / "store", lifeline)
        members: dict[Connection, ForkProcess] = {}
        try:
            for rank in range(hardware.accelerators):
                _start(rank, group, work, members)
            return _listen(members, listener)
        finally:
            for process in members.values():
                process.kill()
                process.join()


def states_of(callbacks: Sequence[Callback]) -> bytes:
    """What Lightning's callbacks know in a process that ends, as an answer."""
    content = io.BytesIO()
    torch.save([callback.state_dict() for callback in callbacks], content)
    return content.getvalue()


def take_states(callbacks: Sequence[Callback], answer: bytes) -> None:
    """The way back, into the same callbacks of this process; tensors come to the CPU."""
    states = torch.load(io.BytesIO(answer), map_location="cpu", weights_only=True)
    for callback, state in zip(callbacks, states, strict=True):
        callback.load_state_dict(state)


def _check_fork(hardware: Hardware) -> None:
    if "fork" not in multiprocessing.get_all_start_methods():
        raise ConfigError(
            f"--accelerators {hardware.accelerators}: needs processes that fork, which {platform.system()} lacks"
        )
    if hardware.cuda and torch.cuda.is_initialized():
        raise ConfigError(
            f"--accelerators {hardware.accelerators}: CUDA is in use in this process and can't be divided any more;"
            " train on several GPUs in a process that has used none"
        )


@dataclass(frozen=True)
class _Group:
    """What every process of one run is told. lifeline: (read, write) ends of a pipe that only the parent keeps open."""

    hardware: Hardware
    store: Path
    lifeline: tuple[int, int]


@contextlib.contextmanager
def _lifeline() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


def _start(rank: int, group: _Group, work: Work, members: dict[Connection, ForkProcess]) -> None:
    """One more of the members."""
    mine, its = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(
        target=_member, args=(rank, group, work, its), name=f"edgekit-{rank}", daemon=True
    )
    with warnings.catch_warnings():
        # Python 3.12 warns of forking with threads around. The members touch nothing that those may hold: they print
        # nothing, use one thread of the CPU, and leave through os._exit.
        warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*fork.*")
        with answered_here():
            process.start()
            members[mine] = process
    its.close()


def _listen(members: dict[Connection, ForkProcess], listener: Listener | None) -> bytes:
    """Until every process is done."""
    answers: dict[Connection, bytes] = {}
    while len(answers) < len(members):
        for connection in _ready(connection for connection in members if connection not in answers):
            kind, content = _received(connection, members[connection])
            if kind == "failed":
                others = {other: members[other] for other in members if other not in (connection, *answers)}
                raise _cause(content, others)
            if kind == "done":
                answers[connection] = content
            else:
                if listener is not None:
                    listener(content)
                connection.send(None)
    return answers[next(iter(members))]


def _cause(failure: Failure, others: dict[Connection, ForkProcess]) -> BaseException:
    """The error that came first: where a process fails, the others' connections to it break at once."""
    failures = [failure]
    while others and (ready := _ready(others, GRACE_S)):
        for connection in ready:
            kind, content = _received(connection, others.pop(connection))
            if kind == "failed":
                failures.append(content)
    return min(failures, key=lambda found: found[0])[1]


def _ready(connections: Iterable[Connection], timeout_s: float | None = None) -> list[Connection]:
    found = wait(list(connections), timeout_s)
    return [connection for connection in found if isinstance(connection, Connection)]


def _received(connection: Connection, process: ForkProcess) -> tuple[str, Any]:
    """What a process says, or that it can't any more."""
    try:
        kind, content = connection.recv()
    except (EOFError, ConnectionError):
        process.join()
        code = process.exitcode or 0
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        text = (
            f"training process {process.name} {how}, perhaps for lack of memory; finished epochs are kept, the same"
            " command continues from there"
        )
        return "failed", (0.0, EdgekitError(text))
    return kind, content


# In a forked process.


def _member(rank: int, group: _Group, work: Work, connection: Connection) -> None:
    os.close(group.lifeline[1])
    threading.Thread(target=_end_with_parent, args=(group.lifeline[0],), daemon=True).start()
    _be_silent()

    def say(epoch: Epoch) -> None:
        if rank == 0:
            connection.send(("epoch", epoch))
            connection.recv()

    try:
        _join(rank, group)
        message: tuple[str, Any] = ("done", work(rank, say))
    except BaseException as error:
        message = ("failed", (time.monotonic(), _portable(error, rank)))
    connection.send(message)
    connection.close()
    os._exit(0)


def _end_with_parent(lifeline: int) -> None:
    os.read(lifeline, 1)  # nobody writes: it returns when the parent is gone
    os._exit(1)


def _be_silent() -> None:
    """gloo announces its connections on stdout. Errors go to the parent."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


def _join(rank: int, group: _Group) -> None:
    hardware = group.hardware
    loopback = "lo0" if platform.system() == "Darwin" else "lo"
    os.environ |= {"GLOO_SOCKET_IFNAME": loopback, "NCCL_SOCKET_IFNAME": loopback, "OMP_NUM_THREADS": "1"}
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        _backend(hardware),
        store=torch.distributed.FileStore(  # type: ignore[attr-defined]
            str(group.store), hardware.accelerators
        ),
        rank=rank,
        world_size=hardware.accelerators,
        timeout=timedelta(seconds=TIMEOUT_S),
    )


def _backend(hardware: Hardware) -> str:
    return "nccl" if hardware.cuda else "gloo"


def _portable(error: BaseException, rank: int) -> BaseException:
    """The error itself where it can be pickled, with where it happened; tracebacks do not travel."""
    where = f"In training process {rank}:\n{''.join(traceback.format_exception(error))}"
    try:
        copy = pickle.loads(pickle.dumps(error))
    except Exception:
        copy = None
    found: BaseException = copy if isinstance(copy, BaseException) else RuntimeError(str(error))
    if not isinstance(found, EdgekitError):
        found.add_note(where)
    return found


class _Forked(ClusterEnvironment):
    """Processes that are there already, on this machine."""

    def __init__(self, rank: int, processes: int) -> None:
        self.rank = rank
        self.processes = processes

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return "127.0.0.1"

    @property
    def main_port(self) -> int:
        return 0  # the group meets in a file

    @staticmethod
    def detect() -> bool:
        return False

    def world_size(self) -> int:
        return self.processes

    def set_world_size(self, size: int) -> None:
        """It is what it is."""

    def global_rank(self) -> int:
        return self.rank

    def set_global_rank(self, rank: int) -> None:
        """It is what it is."""

    def local_rank(self) -> int:
        return self.rank

    def node_rank(self) -> int:
        return 0
