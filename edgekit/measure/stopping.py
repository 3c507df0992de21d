"""When a process has measured enough: until the constrained percentile is known, at looks fixed beforehand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.measure.statistics import closing_count, interval_ranks, least_count

#: Looks at the samples of one process, the last of them where the time limit ends it.
LOOKS = 20

#: Each look waits for this many times the samples of the one before.
GROWTH = 1.5

#: Of the interval that a verdict rests on, over all looks together.
CONFIDENCE = 0.99

#: The same of a single look. Looking often gives chance many chances; by Bonferroni's inequality all of LOOKS intervals
#: hold together with CONFIDENCE, so it does not matter which of them ended the run.
LOOK_CONFIDENCE = 1 - (1 - CONFIDENCE) / LOOKS

#: Half an interval's width, as a share of its middle, at which a percentile counts as known.
NARROW_RATIO = 0.05


@dataclass(frozen=True)
class StopRule:
    """When the worker may stop before its time limit.

    looks: samples to (l, u): at so many samples it looks at the l-th and the u-th smallest. Where there is no
    limit it stops when they are within `narrow_ratio` of their middle; where there is one, when both lie on the
    same side of it, at least their own distance away, so that spells of slow runs can't decide it.
    """

    looks: Mapping[int, tuple[int, int]]
    narrow_ratio: float = NARROW_RATIO
    limit_ns: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The rule as the worker's request has it."""
        return {
            "looks": {str(count): list(ranks) for count, ranks in self.looks.items()},
            "narrow_ratio": self.narrow_ratio,
            "limit_ns": self.limit_ns,
        }


def stop_rule(percent: float, least: int, limit_s: float | None) -> StopRule:
    """The rule for one percentile: the first look at `least` samples, or as many as it and its interval need.

    limit_s: what the percentile is held against, or None.
    """
    first = max(least, least_count(percent), closing_count(percent, LOOK_CONFIDENCE))
    counts = [math.ceil(first * GROWTH**look) for look in range(LOOKS - 1)]
    looks = {count: interval_ranks(count, LOOK_CONFIDENCE, percent) for count in counts}
    return StopRule(looks, limit_ns=None if limit_s is None else round(limit_s * 1e9))
