"""What the engine has to know of a study's points, trials and results."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Protocol, TypeVar

from edgekit.results.tuning import State

#: Accuracies of the steps so far, first to last; answers whether to go on.
Report = Callable[[tuple[float, ...]], bool]


class Point(Hashable, Protocol):
    """What is tried: a frozen dataclass of plain values."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `Task.read_point` is the way back."""


class Result(Protocol):
    """What came of a trial: a frozen dataclass."""

    @property
    def point(self) -> Any:
        """What was tried."""

    @property
    def state(self) -> State:
        """How it ended."""

    @property
    def accuracy(self) -> float | None:
        """What the study shows of it; None where there is none."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `Task.read_result` is the way back."""


P = TypeVar("P", bound=Point)
R = TypeVar("R", bound=Result)
P_co = TypeVar("P_co", bound=Point, covariant=True)
R_co = TypeVar("R_co", bound=Result, covariant=True)
R_contra = TypeVar("R_contra", bound=Result, contravariant=True)


class Task(Protocol[P, R_co]):
    """What all trials of a study share, and how one is run; can be pickled."""

    @property
    def steps(self) -> int:
        """Reports of a trial that nobody stops."""

    def run(self, point: P, report: Report) -> R_co:
        """Try `point`, until `report` says that it is hopeless."""

    def stopped(self, point: P, accuracies: tuple[float, ...], elapsed_s: float) -> R_co:
        """What is kept of a trial that was ended from outside after these reports."""

    def failed(self, point: P, reason: str) -> R_co:
        """What is kept of a trial that nobody could run."""

    def read_point(self, values: Mapping[str, Any]) -> P:
        """Of `Point.to_dict`."""

    def read_result(self, values: Mapping[str, Any]) -> R_co:
        """Of `Result.to_dict`."""
