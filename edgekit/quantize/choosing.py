"""Which form of a model a device should run: what `--scheme auto` measures and the rule that it follows.

Every candidate is timed beside the fp32 file, in turns, on the machine that chooses. A choice is for that machine: int8
arithmetic pays on some and not on others.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from edgekit.bench import CompareConfig, CompareResult, TimeRatio, compare_onnx
from edgekit.bench.intervals import process_interval
from edgekit.errors import GateError, WeakEvidenceError
from edgekit.quantize.gates import GatesConfig, check_loss
from edgekit.quantize.settings import ChainQuantizeConfig, Scheme
from edgekit.quantize.weights import find_weights
from edgekit.results import FineTuning, Int8Loss, SchemeChoice, SchemeTrial

#: In this order where nothing else decides: the one that changes least first.
CANDIDATES: tuple[Scheme, ...] = ("int8-weights", "int8-dynamic", "int4-weights")
#: Files whose sizes differ by less count as equally small.
SIZE_TIE_RATIO = 0.05
#: Validation takes that the files are timed on.
TIMED_TAKES = 64
RULE = (
    "of the forms that pass the accuracy gate, lose no more than quantize.allowed_loss and are not slower than fp32,"
    f" the smallest; of those within {100 * SIZE_TIE_RATIO:g} % of its size one that is certainly faster; fp32 where"
    " there is none"
)


@dataclass(frozen=True)
class Candidate:
    """A finished file, what it loses against fp32 on validation takes, and what fine-tuning did to it."""

    file: Path
    loss: Int8Loss
    tuning: FineTuning | None = None


@dataclass(frozen=True)
class Limits:
    """What a form may lose: by the gate, and by the settings."""

    gates: GatesConfig
    quantize: ChainQuantizeConfig

    def gate(self, loss: Int8Loss) -> str:
        """Why it does not pass the accuracy gate; empty where it does."""
        try:
            check_loss(loss.flips, self.gates)
        except (GateError, WeakEvidenceError) as error:
            return str(error)
        return ""

    def refuse(self, loss: Int8Loss, speed: str) -> str:
        """Why a form can't be chosen, said of it; empty where it can."""
        if self.gate(loss):
            return "does not pass the accuracy gate"
        if self.quantize.loses_too_much(loss.flips):
            return f"loses more than {100 * self.quantize.allowed_loss:g} points"
        return "is slower than fp32" if speed == "slower" else ""


def candidates_for(cell: str) -> tuple[Scheme, ...]:
    """The schemes that models of this cell, "lstm" or "gru", can have."""
    return tuple(scheme for scheme in CANDIDATES if cell == "lstm" or scheme != "int8-dynamic")


def keep_small(fp32: Path, min_elements: int) -> SchemeChoice | None:
    """fp32, chosen without measuring, where no weight of the file has `min_elements`; None where one has."""
    largest = max((math.prod(weight.shape) for weight in find_weights(onnx.load(fp32), 1)), default=0)
    if largest >= min_elements:
        return None
    reason = (
        f"too small for rounding to pay: the largest weight has {largest} numbers, and quantize.min_elements is"
        f" {min_elements}"
    )
    return SchemeChoice("fp32", reason, RULE, (), {}, 0)


def measure_and_choose(
    fp32: Path, candidates: Mapping[str, Candidate], x: NDArray[np.float32], limits: Limits, config: CompareConfig
) -> SchemeChoice:
    """Time all files beside fp32, in turns, and choose by `RULE`.

    candidates: by scheme, in the order of `CANDIDATES`. x: validation takes float32 (takes, time, features). config:
    how files are compared; its shapes and values are for files of others, and have no say.
    """
    timed, config = x[:TIMED_TAKES], config.model_copy(update={"shapes": {}, "values": {}})
    found = compare_onnx([fp32, *(each.file for each in candidates.values())], config, timed)
    tried = [
        _trial(scheme, each, _p50_s(found, k), found.ratios[k - 1], limits)
        for k, (scheme, each) in enumerate(candidates.items(), 1)
    ]
    reference = SchemeTrial("fp32", fp32.stat().st_size, *_p50_s(found, 0))
    return choose((reference, *tried), found.machine.to_dict(), len(timed))


def choose(trials: Sequence[SchemeTrial], machine: Mapping[str, object], takes: int) -> SchemeChoice:
    """By `RULE`. trials: fp32 first, then the candidates in the order of `CANDIDATES`."""
    reference, *tried = trials
    allowed = [trial for trial in tried if not trial.refused and trial.size_bytes < reference.size_bytes]
    chosen, reason = _smallest(allowed) if allowed else (reference, _none_pays(tried))
    return SchemeChoice(chosen.scheme, reason, RULE, tuple(trials), machine, takes)


def _smallest(allowed: Sequence[SchemeTrial]) -> tuple[SchemeTrial, str]:
    least = min(trial.size_bytes for trial in allowed)
    near, *others = [trial for trial in allowed if trial.size_bytes <= (1 + SIZE_TIE_RATIO) * least]
    faster = [trial for trial in others if _certainly_faster(trial, near)]
    if faster:
        chosen = min(faster, key=lambda trial: trial.ratio or math.inf)
        return chosen, f"about as small as {near.scheme}, and faster"
    kind = "only" if len(allowed) == 1 else "smallest"
    return near, f"the {kind} form that is accurate enough and not slower than fp32"


def _certainly_faster(one: SchemeTrial, other: SchemeTrial) -> bool:
    """Whether all intervals of its time, over fp32's, lie below the other's."""
    return one.ratio_high is not None and other.ratio_low is not None and one.ratio_high < other.ratio_low


def _none_pays(tried: Sequence[SchemeTrial]) -> str:
    reasons = [f"{trial.scheme} {trial.refused or 'is no smaller'}" for trial in tried]
    return f"no other form pays: {', '.join(reasons)}"


def _trial(
    scheme: str, each: Candidate, p50_s: tuple[float, float | None, float | None], ratio: TimeRatio, limits: Limits
) -> SchemeTrial:
    value, low, high = p50_s
    return SchemeTrial(
        scheme=scheme,
        size_bytes=each.file.stat().st_size,
        latency_p50_s=value,
        latency_low_s=low,
        latency_high_s=high,
        ratio=ratio.ratio,
        ratio_low=_finite(ratio.low),
        ratio_high=_finite(ratio.high),
        speed=ratio.verdict,
        loss=each.loss,
        gate=limits.gate(each.loss),
        refused=limits.refuse(each.loss, ratio.verdict),
        tuning=each.tuning,
    )


def _p50_s(found: CompareResult, index: int) -> tuple[float, float | None, float | None]:
    """The p50 of one file, median of the processes', and the ends of all processes' intervals."""
    samples = [(result.samples_ns, *result.others_ns)[index] for result in found.measured]
    each = [process_interval(one, 50) for one in samples]
    low, high = min(one.low for one in each), max(one.high for one in each)
    return statistics.median(one.value for one in each), _finite(low), _finite(high)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
