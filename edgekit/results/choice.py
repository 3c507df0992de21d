"""Which form of a model was chosen and why: what each candidate takes, loses and weighs, and what fine-tuning did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgekit.results.quantization import Int8Loss
from edgekit.results.training import UsedHardware


@dataclass(frozen=True)
class FineTuning:
    """What a model learned with its weights rounded to `bits`, under its teacher.

    reason: why it did. before, after: the file with rounded weights against the pruned model's fp32 one, without and
    with what it learned. kept: whether the file has it. epochs: that were run; best_epoch: whose weights these are.
    """

    bits: int
    reason: str
    before: Int8Loss
    after: Int8Loss
    kept: bool
    epochs: int
    best_epoch: int
    elapsed_s: float
    hardware: UsedHardware | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "before": self.before.to_dict(), "after": self.after.to_dict()}


@dataclass(frozen=True)
class SchemeTrial:
    """One candidate, as it was measured.

    latency_p50_s: of one take on the machine that chose, median of the processes'; latency_low_s, latency_high_s: the
    ends of all processes' intervals. ratio: its time over the fp32 file's, side by side, and the ends of its
    intervals; speed: what can be said of that, "faster", "slower", "same" or "undecided"; all four are None for fp32.
    An end is None where there were too few rounds. loss: against fp32, on validation takes. gate: why it does not
    pass the accuracy gate, empty where it does. refused: why it can't be chosen, said of it; empty where it can.
    """

    scheme: str
    size_bytes: int
    latency_p50_s: float
    latency_low_s: float | None = None
    latency_high_s: float | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    speed: str | None = None
    loss: Int8Loss | None = None
    gate: str = ""
    refused: str = ""
    tuning: FineTuning | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        loss, tuning = self.loss and self.loss.to_dict(), self.tuning and self.tuning.to_dict()
        return {**vars(self), "loss": loss, "tuning": tuning}


@dataclass(frozen=True)
class SchemeChoice:
    """What `--scheme auto` chose. reason: in words. rule: that it followed. trials: fp32 first. machine: that measured,
    as `measure.Machine` tells it; takes: of how many validation takes all files were given one at a time. Where the
    model is too small for any form, nothing was measured, and the last three are empty."""

    scheme: str
    reason: str
    rule: str
    trials: tuple[SchemeTrial, ...]
    machine: Mapping[str, Any]
    takes: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**vars(self), "trials": [trial.to_dict() for trial in self.trials], "machine": dict(self.machine)}
