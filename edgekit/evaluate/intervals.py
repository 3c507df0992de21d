"""How far a figure of some takes can be from the truth: intervals of an accuracy, of a drop, and of a share kept.

All are score intervals: those values of the figure at which what was counted is within the normal quantile of what
would be expected. They speak of takes like these, drawn independently: other people's takes may do worse.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

#: Of all intervals here: either end is on the wrong side of the truth in 2.5 % of all cases.
CONFIDENCE = 0.95


def accuracy_interval(right: int, takes: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """(low, high) of an accuracy of which `right` of `takes` answers were right; takes at least 1.

    (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n). Source: Wilson 1927, Journal of the American
    Statistical Association 22, 209-212; recommended for all numbers of takes by Brown, Cai and DasGupta 2001.
    """
    z, ratio = _quantile(confidence), right / takes
    middle = ratio + z * z / (2 * takes)
    reach = z * math.sqrt(ratio * (1 - ratio) / takes + z * z / (4 * takes * takes))
    low, high = ((middle + side * reach) / (1 + z * z / takes) for side in (-1, 1))
    return max(0.0, low if right else 0.0), min(1.0, high if right < takes else 1.0)


@dataclass(frozen=True)
class Flips:
    """McNemar's discordant pairs: how two models' answers to the same takes differ.

    lost: takes that the first model answered right and the second wrong; gained: the other way round.
    """

    takes: int
    lost: int
    gained: int

    @property
    def drop(self) -> float:
        """Accuracy of the first model less the second's, a ratio -1..1."""
        return (self.lost - self.gained) / self.takes

    def score(self, drop: float) -> float:
        """How many standard errors the observed drop lies above a supposed one, -1..1; falls as `drop` grows.

        Source: Tango 1998, Statistics in Medicine 17, 891-908, equation for z with the constrained estimate of q21.
        """
        n, difference = self.takes, self.lost - self.gained
        b = (2 * n - difference) * drop - self.lost - self.gained
        c = -self.gained * drop * (1 - drop)
        smaller = (math.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
        variance = n * (2 * smaller + drop * (1 - drop))
        distance = difference - n * drop
        return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance) if distance else 0

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """(low, high) of the drop: those drops whose score is within the normal quantile of `confidence`.

        Takes without a flip narrow it, and no flip at all is no proof of no drop. It speaks of takes like these, drawn
        independently: other people's takes may do worse. Tango's score interval keeps what it says where flips are
        rare and accuracies near 1: enumerated for drops of 0.5 to 5 points and 50 to 2000 takes, the high end is too
        low in 3 % of all cases at most, the low end too high in 4 % (2.5 % is meant); Newcombe's in up to 32 %.
        """
        low, high = (_end(self.score, self.drop, outer, _quantile(confidence)) for outer in (-1.0, 1.0))
        return low, high

    def judge(self, limit: float, confidence: float = CONFIDENCE) -> Literal["pass", "fail", "undecided"]:
        """Whether the whole interval is at most `limit`, beyond it, or neither."""
        low, high = self.interval(confidence)
        return "pass" if high <= limit else "fail" if low > limit else "undecided"

    def takes_needed(self, limit: float, confidence: float = CONFIDENCE) -> int | None:
        """Takes in all with which `judge` decides if flips stay as frequent as they are; None when no number does.

        The score grows with the root of the number of takes.
        """
        score = abs(self.score(limit))
        return math.ceil(self.takes * (_quantile(confidence) / score) ** 2) if score > 1e-6 else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with the drop and its interval."""
        low, high = self.interval()
        return {**vars(self), "drop": self.drop, "low": low, "high": high, "confidence": CONFIDENCE}


@dataclass(frozen=True)
class Retention:
    """What a model keeps of its teacher's accuracy, on the same takes.

    both: takes that both answer right; lost: the teacher alone; gained: the model alone.
    """

    takes: int
    both: int
    lost: int
    gained: int

    @property
    def ratio(self) -> float | None:
        """Accuracy of the model over the teacher's; None where the teacher has none right."""
        return (self.both + self.gained) / (self.both + self.lost) if self.both + self.lost else None

    def score(self, ratio: float) -> float:
        """How many standard errors the observed ratio lies above a supposed one, above 0; falls as `ratio` grows.

        Source: Tang, Tang and Chan 2003, Statistics in Medicine 22, 1217-1233, with the constrained estimate of the
        chance of a lost take; the same as Nam and Blackwelder 2002, Statistics in Medicine 21, 689-699.
        """
        n, some = self.takes, self.both + self.lost + self.gained
        a, c = n * (1 + ratio), self.lost * (1 - ratio) * some / n
        b = (self.both + self.lost) * ratio**2 - (some + self.lost)
        lost = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
        variance = a * lost + some * (ratio - 1)
        distance = self.both + self.gained - ratio * (self.both + self.lost)
        if variance > 1e-12 * n:
            return distance / math.sqrt(variance)
        return math.copysign(math.inf, distance) if distance else 0.0

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float] | None:
        """(low, high) of the ratio; None where there is no ratio."""
        if self.ratio is None:
            return None
        quantile, beyond = _quantile(confidence), max(1.0, 2 * self.ratio)
        while abs(self.score(beyond)) <= quantile:
            beyond *= 2
        low, high = (_end(self.score, self.ratio, outer, quantile) for outer in (0.0, beyond))
        return low, high


def _quantile(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _end(score: Callable[[float], float], inner: float, outer: float, quantile: float) -> float:
    """Where the score's size is `quantile`, between the observed figure and `outer`, by bisection to 1e-9 of it."""
    while abs(outer - inner) > 1e-9 * max(1.0, abs(outer)):
        middle = (inner + outer) / 2
        within = abs(score(middle)) <= quantile
        inner, outer = (middle, outer) if within else (inner, middle)
    return inner


def points_text(drop: float) -> str:
    """A difference of accuracies in words instead of with a sign: `0.36 points lost`, `0.16 points gained`.

    drop: a ratio, positive where accuracy was lost.
    """
    return f"{abs(100 * drop):.2f} points {_side(drop)}"


def points_interval_text(low: float, high: float) -> str:
    """Both ends of such a difference: `1.02 gained to 2.03 lost`, `0.10 to 2.03 lost`; of ratios, low <= high."""
    same = _side(low) == _side(high)
    return f"{abs(100 * low):.2f}{'' if same else f' {_side(low)}'} to {abs(100 * high):.2f} {_side(high)}"


def _side(drop: float) -> str:
    """What rounds to nothing counts as lost: a loss of 0.00."""
    return "gained" if round(100 * drop, 2) < 0 else "lost"
