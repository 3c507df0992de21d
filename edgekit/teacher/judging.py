"""Whether a teacher's answers fit the labels, before a student spends hours on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError
from edgekit.evaluate import OrderCheck, check_order, checked_logits, complaint
from edgekit.model import predict_logits
from edgekit.teacher.foreign import ForeignTeacher

#: So many takes tell as well as more.
MOST_TAKES = 2000


def check_teacher(
    teacher: ForeignTeacher, x: NDArray[np.float32], labels: NDArray[np.int64], class_names: Sequence[str]
) -> OrderCheck:
    """How a teacher's answers to training takes agree with their labels.

    x: float32 (takes, time, features); labels: int64 (takes,), indices into class_names, which are the data's. At most
    MOST_TAKES of them, evenly spread. Raises ConfigError where the answers fit clearly better in another order of
    classes, or are no better than chance; ModelFileError where they are no numbers.
    """
    some = np.linspace(0, len(x) - 1, min(len(x), MOST_TAKES)).round().astype(np.int64)
    logits = checked_logits(predict_logits(teacher.module, x[some]), f"--teacher {teacher.said}")
    check = check_order(logits.argmax(axis=1), labels[some], len(class_names))
    wrong = complaint(check, class_names, named=teacher.names != "assumed")
    if wrong is not None:
        raise ConfigError(
            f"--teacher {teacher.said}: {wrong}. To learn from it anyway: --set gates.check_teacher=false"
        )
    return check
