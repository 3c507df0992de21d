"""Whether a model's outputs are in the order of classes that they are taken to be in, by labelled takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.evaluate.intervals import Flips, accuracy_interval

I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: Another order is clearly the right one where it takes away so much of the errors, as a ratio and for certain. Good
#: models of other people's hands, and models of one epoch, stayed below 0.42 in 567 groups of takes (every signer of
#: four sets of recordings, nine models): people's takes are alike, so a few classes taken for each other look like an
#: order. A model of 93 % with two thirds of its outputs permuted has 0.9.
CLEARLY_BETTER = 0.5
#: So little of the way from chance to perfect is no knowledge.
LEAST_KNOWLEDGE = 0.1

Verdict = Literal["fits", "other order", "guessing", "unclear"]
#: Where the names of a model's outputs are from: itself, the command line, or nowhere but the data's own order.
Origin = Literal["own", "said", "assumed"]


@dataclass(frozen=True, eq=False)
class OrderCheck:
    """How a model's answers agree with labels, as its outputs are taken and in the order that fits them best.

    takes: judged. right: of them, with the outputs as they are taken. otherwise: with each half of a class's takes
    judged by the order that fits the other half best. flips: how the two differ (lost: only otherwise right). chance,
    chance_otherwise: the accuracy that the same answers would have, dealt out at random. order: int64 (classes,), the
    output that each class has in the order that fits best.
    """

    takes: int
    right: int
    otherwise: int
    flips: Flips
    chance: float
    chance_otherwise: float
    order: I64

    @property
    def accuracy(self) -> float:
        """Accuracy with the outputs as they are taken."""
        return self.right / self.takes

    @property
    def accuracy_otherwise(self) -> float:
        """Accuracy in the order that fits best."""
        return self.otherwise / self.takes

    @property
    def gain(self) -> float:
        """The accuracy that another order gains for certain, the low end of its interval."""
        return self.flips.interval()[0]

    @property
    def verdict(self) -> Verdict:
        """other order: it is clearly better. guessing: the answers are hardly better than chance, or not for certain
        and nowhere near perfect. unclear: too few takes to tell these from a model that fits."""
        sure = accuracy_interval(self.otherwise, self.takes)[0] > self.chance_otherwise
        if sure and self.gain > max(0.0, CLEARLY_BETTER * (1 - self.accuracy)):
            return "other order"
        low, high = accuracy_interval(self.right, self.takes)
        if high < self.chance + LEAST_KNOWLEDGE * (1 - self.chance):
            return "guessing"
        if low > self.chance:
            return "fits"
        return "guessing" if high < (1 + self.chance) / 2 else "unclear"

    def names(self, class_names: Sequence[str]) -> tuple[str, ...]:
        """The classes' names in the order of the outputs, as they fit best."""
        named = [""] * len(class_names)
        for k, output in enumerate(self.order):
            named[output] = class_names[k]
        return tuple(named)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "takes": self.takes,
            "accuracy": self.accuracy,
            "accuracy_otherwise": self.accuracy_otherwise,
            "chance": self.chance,
            "verdict": self.verdict,
        }


def check_order(answers: I64, labels: I64, classes: int) -> OrderCheck:
    """Hold answers against labels in the order that is taken, and in the one that fits best.

    answers, labels: int (takes,), both indices of classes; at least one take. An answer is the largest output.
    """
    half = _place_in_class(labels) % 2
    otherwise = np.zeros(len(labels), np.bool_)
    for this in (0, 1):
        mine = half == this
        found, clear = _order(answers[~mine], labels[~mine], classes)
        output = np.where(clear, found, np.arange(classes))[labels]
        otherwise[mine] = (answers == output)[mine]
    right = answers == labels
    shares = [np.bincount(part, minlength=classes) / len(labels) for part in (answers, labels)]
    order, better = _order(answers, labels, classes)
    return OrderCheck(
        takes=len(labels),
        right=int(right.sum()),
        otherwise=int(otherwise.sum()),
        flips=Flips(len(labels), int((otherwise & ~right).sum()), int((right & ~otherwise).sum())),
        chance=float(shares[0] @ shares[1]),
        chance_otherwise=float(shares[0][np.where(better, order, np.arange(classes))] @ shares[1]),
        order=order,
    )


def _place_in_class(labels: I64) -> I64:
    """0, 1, 2 ... of each class's takes."""
    sorted_by_class = np.argsort(labels, kind="stable")
    counts = np.bincount(labels)
    place = np.empty(len(labels), dtype=np.int64)
    place[sorted_by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return place


def _order(answers: I64, labels: I64, classes: int) -> tuple[I64, Bools]:
    """One output for each class, and whether it has more of its takes than the class's own output.

    The pair of class and output with most takes comes first, then that with most of the rest; of equals, a class keeps
    its own. Half as many takes as the best assignment at least, and the same wherever a model is mostly right.
    """
    votes = np.bincount(labels * classes + answers, minlength=classes**2).reshape(classes, classes)
    pairs = np.flatnonzero(votes.ravel())
    ranked = pairs[np.lexsort((pairs // classes != pairs % classes, -votes.ravel()[pairs]))]
    order, free = np.full(classes, -1), np.ones(classes, dtype=np.bool_)
    for k, output in zip(*np.divmod(ranked, classes), strict=True):
        if order[k] < 0 and free[output]:
            order[k], free[output] = output, False
    own = np.flatnonzero((order < 0) & free)
    order[own], free[own] = own, False
    order[order < 0] = np.flatnonzero(free)
    better: Bools = votes[np.arange(classes), order] > np.diag(votes)
    return order, better


def complaint(check: OrderCheck, class_names: Sequence[str], named: bool) -> str | None:
    """What is wrong with the order of a model's outputs, in words, with what to do; None where the answers fit.

    class_names: of the data. named: whether the outputs have names, or were taken in the data's order.
    """
    taken = "by its class names" if named else "in the data's order of classes"
    if check.verdict == "other order":
        return (
            f"its answers {taken} are right on {_percent(check.accuracy)} of {check.takes:,} takes, but on"
            f" {_percent(check.accuracy_otherwise)} with its outputs in another order, by these takes"
            f" {_some(check.names(class_names))}; name the class of each output, first to last, with"
            " --class-names NAME,NAME,... or --class-names FILE (one name per line)"
        )
    if check.verdict == "guessing":
        return (
            f"its answers {taken} are right on {_percent(check.accuracy)} of {check.takes:,} takes, and dealt out at"
            f" random they would be on {_percent(check.chance)}: it does not know these classes, does not read"
            " landmarks as recorded, or has its outputs in an order that --class-names has to say"
        )
    return None


def doubt(check: OrderCheck) -> str | None:
    """What can't be told of the order of a model's outputs, in words; None where the answers fit."""
    if check.verdict == "unclear":
        return (
            f"too few takes to check the order of its outputs: {check.right} of {check.takes} right, and"
            f" {_percent(check.chance)} would be by chance"
        )
    if check.verdict == "fits" and check.gain > 0:
        more = check.otherwise - check.right
        return (
            f"with some of its outputs exchanged {more} more of {check.takes:,} takes would be right: check their"
            " order, unless these people sign that way"
        )
    return None


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.1f} %"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:30]) + (", ..." if len(names) > 30 else "")
