"""From instructions to time on a board: a band, fitted on latencies that others have published.

    time = instructions / (IPC x clock)          + bytes from main memory / memory rate, where noted

**Convolutional networks.** `calibration.json` holds 19 published one-thread latencies of ncnn on each of four boards,
and the instructions of those networks, counted. Each gives a rate of instructions per cycle, their waiting for memory
included. The estimate takes a board's geometric mean; the band goes from the lowest rate, less a quarter
(`MARGIN_RATIO`), to the highest, and a quarter more, because ONNX Runtime and a compiled model are not ncnn.

**Everything else**: recurrent and dense layers use each weight once a step, so they wait more. One recurrent network
was published on one board, DTLN on the 3B+ under TensorFlow Lite: 0.40 to 0.47 where convolutional ones have 0.55 and
more. What it has less is taken off for every board: of the lowest rate what its lower one has less than their lowest,
of the estimate what its mean has less than theirs. On Cortex-A72 and A76 no such network was ever timed, so that is an
assumption. Weights that the last cache does not hold come from main memory; that is added to the estimate and to the
upper end, at the rate of a copy.

**The floor** is the issue width at the highest clock: no program is faster. It is no estimate.

What is left out: throttling and lower clocks, time in the kernel, other programs, the SD card, several threads, and
whatever makes a percentile larger than the median. How far left-out networks are off: `python bench/transfer.py`.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgekit.artifacts import parse_json
from edgekit.profiles import Board

CALIBRATION = Path(__file__).with_name("calibration.json")
MARGIN_RATIO = 0.75

Kind = Literal["convolutional", "other"]


@dataclass(frozen=True)
class Rates:
    """Instructions per cycle: the least, the likely and the most that is expected."""

    least: float
    likely: float
    most: float


@dataclass(frozen=True)
class Band:
    """Latency of one prediction on a board, in seconds.

    low_s, likely_s, high_s: of the estimate. floor_s: no program of as many instructions takes less. rates: that they
    come from. needed: instructions per cycle below which the limit would be missed, None without a limit; other waiting
    is taken off first, and inf means that it alone is too long.
    """

    board: str
    low_s: float
    likely_s: float
    high_s: float
    floor_s: float
    rates: Rates
    needed: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        finite = self.needed if self.needed is None or math.isfinite(self.needed) else None
        return {**vars(self), "rates": vars(self.rates).copy(), "needed": finite}


@dataclass(frozen=True)
class Published:
    """One network on one board: what was published and counted."""

    board: str
    core: str
    clock_hz: float
    network: str
    latency_s: float
    instructions: int

    @property
    def ipc(self) -> float:
        """Instructions per cycle."""
        return self.instructions / (self.latency_s * self.clock_hz)


@functools.cache
def _calibration() -> Mapping[str, Any]:
    content: Mapping[str, Any] = parse_json(CALIBRATION.read_text(encoding="utf-8"))
    return content


@functools.cache
def published() -> tuple[Published, ...]:
    """All convolutional networks of the calibration."""
    return tuple(
        Published(
            each["board"],
            each["core"],
            each["clock_mhz"] * 1e6,
            network,
            found["milliseconds"] / 1e3,
            found["instructions"],
        )
        for each in _calibration()["convolutional"]["boards"]
        for network, found in each["networks"].items()
    )


def likely_rate(networks: Sequence[Published]) -> float:
    """What one rate fits them best: the geometric mean."""
    return statistics.geometric_mean(network.ipc for network in networks)


def rates(board: str, core: str, kind: Kind) -> Rates | None:
    """Of a board that was published, else of all with its core; None for a core that none has."""
    networks = [each for each in published() if each.board == board]
    networks = networks or [each for each in published() if each.core == core]
    if not networks:
        return None
    found = sorted(each.ipc for each in networks)
    less, likely = (1.0, 1.0) if kind == "convolutional" else _recurrent_ratios()
    least, middle = found[0] * less * MARGIN_RATIO, likely_rate(networks) * likely
    return Rates(least=least, likely=middle, most=found[-1] / MARGIN_RATIO)


def _recurrent_ratios() -> tuple[float, float]:
    """What the published recurrent network has of the lowest, and of the mean rate of convolutional ones there."""
    recurrent = _calibration()["recurrent"]
    networks = [each for each in published() if each.board == recurrent["board"]]
    lowest, mean = min(recurrent["ipc"]), statistics.geometric_mean(recurrent["ipc"])
    return lowest / min(each.ipc for each in networks), mean / likely_rate(networks)


def latency_band(
    instructions: int, missed_bytes: float, board: Board, kind: Kind, limit_s: float | None = None
) -> Band | None:
    """The band of a prediction of that many instructions; None for a board whose core was never published.

    missed_bytes: from or to main memory in one prediction, which counts for networks that are not convolutional.
    """
    found = rates(board.name, board.core.value, kind)
    if found is None:
        return None
    clock_hz, width = board.clock_mhz.value * 1e6, board.issue_width.value
    memory_s = 0.0 if kind == "convolutional" else missed_bytes / (board.memory_mb_per_s.value * 1e6)
    cycles_s = instructions / clock_hz
    left_s = None if limit_s is None else limit_s - memory_s
    needed = None if left_s is None else cycles_s / left_s if left_s > 0 else math.inf
    most = min(found.most, width)
    return Band(
        board=board.name,
        low_s=cycles_s / most,
        likely_s=cycles_s / found.likely + memory_s,
        high_s=cycles_s / found.least + memory_s,
        floor_s=cycles_s / width,
        rates=Rates(found.least, found.likely, most),
        needed=needed,
    )
