"""Whether a latency constraint holds: the interval of its percentile in each process, against the limit."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgekit.bench.result import Measurement, Row
from edgekit.bench.settings import Evidence, Verdict
from edgekit.measure import (
    LOOK_CONFIDENCE,
    Disturbance,
    PercentileInterval,
    closing_count,
)
from edgekit.profiles import Profile


def latency_row(profile: Profile, measurement: Measurement, evidence: Evidence) -> Row | None:
    """The constraint against this machine; None for no limit. measured: the percentile of the slowest process,
    None with too few samples, when floor is what it is certainly beyond.

    "pass": in every process the interval's upper end is within the limit. "fail": in every process its lower end is
    beyond. Anything else is undecided, with the reason and the next step. Where memory gives out a model's weights
    is luck that lasts as long as a process, and no number of samples in one process shows it; so processes aren't
    pooled, and all have to agree. That costs no confidence: were the percentile of one process beyond the limit, its
    own interval would have to be wrong for a pass, which happens at most once in a hundred times.

    Load by others makes runs slower and never faster: a pass under it stands, while a fail needs the fastest run of
    every process to be beyond the limit.
    """
    limit, percent = profile.max_latency_s, profile.latency_percentile
    if limit is None:
        return None
    intervals = measurement.intervals(percent)
    low = _finite(min((each.low for each in intervals), default=-math.inf))
    high = _finite(max((each.high for each in intervals), default=math.inf))
    verdict, note = _decide(intervals, percent, limit, measurement)
    return Row(
        constraint="max_latency_ms",
        quantity=f"latency p{percent:g}",
        board=None,
        measured=max(each.value for each in intervals) if high is not None else None,
        limit=limit,
        unit="s",
        evidence=evidence,
        verdict=verdict,
        note=note,
        floor=None if high is not None else low,
        low=low,
        high=high,
    )


def _decide(
    intervals: Sequence[PercentileInterval], percent: float, limit: float, measurement: Measurement
) -> tuple[Verdict, str]:
    if not intervals:
        return "undecided", "no run was measured: the model was stopped at its memory limit"
    low, high = min(each.low for each in intervals), max(each.high for each in intervals)
    span = f"{_ms(low)} to {_ms(high)} ms from {sum(each.samples for each in intervals)} samples"
    about = f"{span} in {len(intervals)} process{'' if len(intervals) == 1 else 'es'}"
    if high <= limit:
        return "pass", about
    if all(each.low > limit for each in intervals):
        return _fail(about, limit, measurement)
    if not math.isfinite(high):
        fewest = min(each.samples for each in intervals)
        return (
            "undecided",
            f"{fewest} samples in a process, {closing_count(percent, LOOK_CONFIDENCE)} are needed: raise --time-limit",
        )
    return "undecided", f"the limit lies within {about}: {_next_step(measurement.disturbances)}"


def _fail(about: str, limit: float, measurement: Measurement) -> tuple[Verdict, str]:
    loaded = [each for each in measurement.disturbances if each.kind == "foreign load"]
    fastest = min(min(result.samples_ns) for result in measurement.latency) / 1e9
    if loaded and fastest <= limit:
        return "undecided", f"{about}, but {loaded[0].text}, and the fastest run is within: {loaded[0].next_step}"
    return "fail", about


def _next_step(disturbances: Sequence[Disturbance]) -> str:
    named = {each.kind: each for each in disturbances}
    for kind in ("foreign load", "drift", "interruptions", "warm-up"):
        if kind in named:
            return f"{named[kind].text}; {named[kind].next_step}"
    return "raise --repeats and --time-limit"


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3g}" if math.isfinite(seconds) else "?"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
