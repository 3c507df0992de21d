"""Which files are worth having: no other is as accurate, as small and as fast, and better in one of the three."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from edgekit.results.searching import FrontRow, SearchedModel

#: Part by which medians of latency have to differ before one counts as faster, all files measured in turns: copies of
#: one file differ by up to 2.5 %.
SAME_TIME_RATIO = 0.05


def dominates(a: SearchedModel, b: SearchedModel, latencies_s: Mapping[str, float]) -> bool:
    """Whether `a` is as good as `b` in accuracy, size and latency, and better in one. latencies_s: by name."""
    here, there = latencies_s[a.name], latencies_s[b.name]
    as_good = a.accuracy >= b.accuracy and a.size_bytes <= b.size_bytes and here <= there * (1 + SAME_TIME_RATIO)
    better = a.accuracy > b.accuracy or a.size_bytes < b.size_bytes or here * (1 + SAME_TIME_RATIO) < there
    return as_good and better


def pareto_front(models: Sequence[SearchedModel], latencies_s: Mapping[str, float]) -> tuple[SearchedModel, ...]:
    """Those that no other dominates, the smallest first; of several alike in all three, the first."""
    front = [one for one in models if not any(dominates(other, one, latencies_s) for other in models)]
    alike: dict[tuple[float, int], SearchedModel] = {}
    for one in sorted(front, key=lambda model: (model.size_bytes, latencies_s[model.name])):
        alike.setdefault((one.accuracy, one.size_bytes), one)
    kept = {model.name for model in alike.values()}
    rest = [one for one in front if one.name in kept]
    return tuple(sorted(rest, key=lambda model: (model.size_bytes, latencies_s[model.name])))


def standard_error(model: SearchedModel) -> float:
    """Of its accuracy on so many takes, above 0 also where all are right: two right and two wrong ones are added.
    Source: Agresti and Coull 1998, The American Statistician 52, 119-126."""
    takes = model.int8.takes
    ratio = (model.accuracy * takes + 2) / (takes + 4)
    return math.sqrt(ratio * (1 - ratio) / (takes + 4))


def choose(rows: Sequence[FrontRow]) -> tuple[FrontRow, FrontRow] | None:
    """The row to take, and the most accurate one; of those that pass, None where none does.

    The smallest whose accuracy is within one standard error of the most accurate's: what is closer can't be told apart.
    Source: the rule of one standard error, Breiman et al. 1984, Classification and Regression Trees, section 3.4.3.
    """
    fit = [row for row in rows if row.verdict == "pass"]
    if not fit:
        return None
    best = max(fit, key=lambda row: (row.model.accuracy, -row.model.size_bytes))
    least = best.model.accuracy - standard_error(best.model)
    close = [row for row in fit if row.model.accuracy >= least]
    return min(close, key=lambda row: (row.model.size_bytes, row.latency_p50_s)), best
