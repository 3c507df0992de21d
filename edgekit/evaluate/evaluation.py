"""What `evaluate` finds: metrics of a file with everything that says how far to trust them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgekit.evaluate.metrics import Metrics
from edgekit.evaluate.misread import Misread
from edgekit.evaluate.order import OrderCheck, Origin, complaint, doubt
from edgekit.evaluate.seen import Seen


@dataclass(frozen=True)
class Silence:
    """How often a file says that nobody signs: it has a class for it, its answer is weaker than its rule asks for, or
    no hand is seen.

    silent: of the takes that the metrics are of; lost: those of them that it would have read rightly. others: takes of
    classes that it does not know, which the metrics leave out; others_silent: of these.
    """

    silent: int = 0
    lost: int = 0
    others: int = 0
    others_silent: int = 0


@dataclass(frozen=True)
class Evaluation:
    """Metrics with what they were measured on.

    synthetic: the takes are generated, not recorded. names: where those of the model's outputs are from. order: how its
    answers fit them. seen: how many of the takes it has learned from. takes_cut: those that are longer than the
    model's sequence_length. picture: the file with the confusion matrix, where one was drawn.
    otherwise: that the model itself calls its outputs otherwise, in words. shipped: that the model is the one that
    edgekit comes with, because there is no other, in words. silence: how often it says that nobody signs. misread:
    takes that it read wrong, to look at, no part of its JSON.
    """

    model: str
    data: str
    part: str
    synthetic: bool
    metrics: Metrics
    names: Origin
    order: OrderCheck
    seen: Seen
    sequence_length: int
    takes_cut: int
    picture: str | None = None
    otherwise: str | None = None
    shipped: str | None = None
    silence: Silence = Silence()
    misread: Misread | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What keeps the accuracy from being taken at its word, a sentence each."""
        found: list[str | None] = [self.shipped, self.otherwise]
        if self.names == "assumed":
            found.append(
                "the file holds no class names: its outputs are taken in the data's order of classes; --class-names"
                " gives another"
            )
        wrong = complaint(self.order, self.metrics.class_names, self.names != "assumed")
        found.append(wrong or doubt(self.order))
        found.append(self.seen.note(self.metrics.takes))
        return tuple(note for note in found if note)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; accuracy, takes and per_class at the top level."""
        return {
            "schema_version": 1,
            **self.metrics.to_dict(),
            "model": self.model,
            "data": self.data,
            "part": self.part,
            "synthetic": self.synthetic,
            "class_names_from": self.names,
            "order": self.order.to_dict(),
            "seen": self.seen.to_dict(),
            "sequence_length": self.sequence_length,
            "takes_cut": self.takes_cut,
            "no_sign": asdict(self.silence),
            "notes": list(self.notes),
            "picture": self.picture,
        }
