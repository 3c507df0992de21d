"""What a student keeps of its teacher's accuracy, and the gate that asks for enough of it."""

from __future__ import annotations

from torch import nn

from edgekit.distill.teachers import Teachers, as_one
from edgekit.errors import GateError
from edgekit.evaluate import Retention
from edgekit.model import predict_logits
from edgekit.train import Takes


def measure_retention(student: nn.Module, teacher: Teachers, takes: Takes) -> Retention:
    """Which takes both answer right, which only one of them. Of several teachers, the mean of their probabilities
    answers."""
    right = [predict_logits(one, takes.x).argmax(axis=1) == takes.labels for one in (student, as_one(teacher, 1.0))]
    own, taught = right
    return Retention(
        takes=len(takes),
        both=int((own & taught).sum()),
        lost=int((taught & ~own).sum()),
        gained=int((own & ~taught).sum()),
    )


def require_retention(found: Retention, least: float, name: str) -> None:
    """The gate: at least `least` of the teacher's accuracy, as a ratio. name: of the model, for the message.

    Raises GateError where less was kept on these takes, with the 95 % interval of what is kept on such takes; a teacher
    that answers nothing right is no measure, and fails, too.
    """
    ratio, interval = found.ratio, found.interval()
    if ratio is None or interval is None:
        raise GateError(f"{name}: its teacher answers none of {found.takes} validation takes right; check the teacher")
    if ratio < least:
        low, high = (100 * end for end in interval)
        raise GateError(
            f"{name}: keeps {100 * ratio:.1f} % of its teacher's accuracy on {found.takes} validation takes ({low:.1f}"
            f" to {high:.1f} % with 95 % confidence), and gates.min_retention asks for {100 * least:g} %; train longer,"
            " choose a larger student, or remove less"
        )
