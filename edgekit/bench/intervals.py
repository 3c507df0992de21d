"""The percentile of one process with the interval that a verdict rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edgekit.measure import LOOK_CONFIDENCE, PercentileInterval, level_change, percentile, percentile_interval


def process_interval(samples_ns: Sequence[int], percent: float) -> PercentileInterval:
    """The percentile of one process in seconds, with its interval.

    samples_ns: (n,) in the order taken, n >= 1. At LOOK_CONFIDENCE, so that it holds with 99 % whichever look ended the
    process. Where the level changed during the run, the interval reaches over the percentiles before and after.
    """
    seconds = np.asarray(samples_ns, dtype=np.float64) / 1e9
    found = percentile_interval(seconds, percent, LOOK_CONFIDENCE)
    change = level_change(seconds)
    if change is None:
        return found
    parts = seconds[: change.run - change.blur_runs], seconds[change.run + change.blur_runs :]
    levels = [percentile(part, percent) for part in parts if part.size]
    return replace(found, low=min(found.low, *levels), high=max(found.high, *levels))
