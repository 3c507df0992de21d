"""What was emulated, beside this machine: bands of latency, how far answers agree, and instructions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.device import Band, UnknownWork, Work, latency_band, network_kind
from edgekit.device.emulator import BY_NAME, Core, CoreRun, Emulated
from edgekit.device.transfer import Kind
from edgekit.profiles import Board, Profile
from edgekit.runtime import ModelInfo

#: How far a number may be from this machine's, times the largest where that is above 1: sums in another order.
FLOAT_TOLERANCE = 1e-5
#: The same as a part of the answers' range, where numbers are rounded to integers on the way.
ROUNDED_TOLERANCE = 0.1


@dataclass(frozen=True)
class Agreement:
    """Answers of a core beside this machine's.

    difference: the largest of a number, inf where one of both is not finite. tolerance: what is allowed.
    others: answers whose largest number is another.
    """

    difference: float
    tolerance: float
    others: int

    @property
    def holds(self) -> bool:
        """Whether the numbers are within the tolerance."""
        return self.difference <= self.tolerance


@dataclass(frozen=True)
class Emulation:
    """What was emulated. kind: for the transfer model. agreements: by core, of those that ended. bands: by board."""

    emulated: Emulated
    kind: Kind
    agreements: Mapping[str, Agreement]
    bands: Mapping[str, Band]
    max_instructions: int | None = None

    @property
    def instructions(self) -> Mapping[str, int]:
        """Core to instructions of a prediction, of the cores that ended."""
        return {run.core: run.instructions for run in self.emulated.runs if not run.failure}

    def run_of(self, board: Board) -> CoreRun | None:
        """Of the board's core; None where that was not emulated."""
        return next((run for run in self.emulated.runs if run.core == board.core.value), None)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        agreements = {
            core: {**vars(each), "difference": each.difference if math.isfinite(each.difference) else None}
            for core, each in self.agreements.items()
        }
        bands = {board: band.to_dict() for board, band in self.bands.items()}
        kept = {"kind": self.kind, "agreements": agreements, "bands": bands, "max_instructions": self.max_instructions}
        return {**self.emulated.to_dict(), **kept}


def cores_of(profile: Profile) -> tuple[Core, ...]:
    """The cores of the profile's boards that can be emulated, each once."""
    names = dict.fromkeys(board.core.value for board in profile.boards)
    return tuple(BY_NAME[name] for name in names if name in BY_NAME)


def weigh(
    emulated: Emulated,
    info: ModelInfo,
    work: Work | UnknownWork,
    profile: Profile,
    max_instructions: int | None,
    integers: bool = False,
) -> Emulation:
    """The bands and the agreements of what was emulated. work: of one prediction, which says what kind of network it
    is. integers: whether all arithmetic is exact, so that answers are
    the same bits."""
    kind = network_kind(work)
    ended = {run.core: run for run in emulated.runs if not run.failure}
    bands = {}
    for board in profile.boards:
        run = ended.get(board.core.value)
        band = run and latency_band(run.instructions, run.missed_bytes, board, kind, profile.max_latency_s)
        if band:
            bands[board.name] = band
    rounded = any(_rounds(name) for name in info.op_types)
    agreements = {core: agreement(emulated.reference, run.answers, rounded, integers) for core, run in ended.items()}
    return Emulation(emulated, kind, agreements, bands, max_instructions)


def _rounds(name: str) -> bool:
    """Whether an operator makes integers of numbers, or reckons with such."""
    return any(word in name for word in ("Integer", "QLinear", "DynamicQuantize", "QuantizeLinear")) and (
        name != "DequantizeLinear"
    )


Answers = Sequence[Sequence[float | None]]


def agreement(wanted: Answers, got: Answers, rounded: bool, integers: bool = False) -> Agreement:
    """How far answers are apart. rounded: whether numbers become integers on the way. integers: whether all do,
    exactly, so that nothing may differ. Where no number can be compared, they are infinitely far apart."""
    if [len(one) for one in wanted] != [len(other) for other in got]:
        return Agreement(math.inf, 0.0, len(wanted))
    pairs = [pair for one, other in zip(wanted, got, strict=True) for pair in zip(one, other, strict=True)]
    finite = [(a, b) for a, b in pairs if a is not None and b is not None]
    broken = sum(1 for a, b in pairs if (a is None) != (b is None))
    difference = math.inf if broken else max((abs(a - b) for a, b in finite), default=math.inf)
    values = [a for a, _ in finite] or [0.0]
    tolerance = FLOAT_TOLERANCE * max(1.0, *map(abs, values))
    if rounded:
        tolerance = max(tolerance, ROUNDED_TOLERANCE * (max(values) - min(values)))
    others = sum(1 for one, other in zip(wanted, got, strict=True) if _largest(one) != _largest(other))
    return Agreement(difference, 0.0 if integers else tolerance, others)


def _largest(numbers: Sequence[float | None]) -> int:
    known = [(-math.inf if value is None else value, -index) for index, value in enumerate(numbers)]
    return -max(known, default=(0.0, 0))[1]
