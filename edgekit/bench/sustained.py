"""A run as long, or as paced, as an application's: what becomes of the latency, of clock and temperature."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.measure import LatencySummary, WorkerResult, summarise


@dataclass(frozen=True)
class Window:
    """One of the equal stretches of a sustained run. latency: None where no take was run.

    frequency_hz, temperature_c: at its end; None where the machine does not show them.
    """

    runs: int
    latency: LatencySummary | None
    frequency_hz: float | None
    temperature_c: float | None


@dataclass(frozen=True)
class Sustained:
    """Runs of one process for `duration_s`: back to back, or `rate_hz` takes per second.

    Information, no part of the verdict. due: takes whose time came; missed: those that were not done when the
    next one was due; both None without a rate.
    """

    duration_s: float
    rate_hz: float | None
    result: WorkerResult

    @property
    def windows(self) -> tuple[Window, ...]:
        """Windows in the order of time."""
        return tuple(
            Window(
                runs=window.runs,
                latency=_summary([window.samples_ns]),
                frequency_hz=window.frequency_hz,
                temperature_c=window.temperature_c,
            )
            for window in self.result.windows
        )

    @property
    def latency(self) -> LatencySummary | None:
        """Latency of every run kept, from start to end of the run itself."""
        return _summary(window.samples_ns for window in self.result.windows)

    @property
    def response(self) -> LatencySummary | None:
        """Latency of every run kept, from the moment that the take was due; None without a rate."""
        return _summary(window.response_ns for window in self.result.windows) if self.rate_hz else None

    @property
    def change_ratio(self) -> float | None:
        """Median of the last window over the first one's, less 1; None where one has too few runs."""
        first, last = (window.latency for window in (self.windows[0], self.windows[-1]))
        if first is None or last is None or first.p50_s is None or last.p50_s is None:
            return None
        return last.p50_s / first.p50_s - 1

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; the samples are with the processes."""
        return {
            "duration_s": self.duration_s,
            "rate_hz": self.rate_hz,
            "due": self.result.due,
            "missed": self.result.missed,
            "latency": None if self.latency is None else self.latency.to_dict(),
            "response": None if self.response is None else self.response.to_dict(),
            "change_ratio": self.change_ratio,
            "windows": [
                {**vars(window), "latency": None if window.latency is None else window.latency.to_dict()}
                for window in self.windows
            ],
        }


def _summary(parts: Iterable[Sequence[int]]) -> LatencySummary | None:
    """The summary of all parts' samples together, in nanoseconds; None for no sample."""
    samples = [sample for part in parts for sample in part]
    return summarise(samples) if samples else None
