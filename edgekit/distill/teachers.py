"""One teacher, or several that speak as one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edgekit.errors import InputError

#: One teacher, or several.
Teachers = nn.Module | Sequence[nn.Module]


class MeanTeacher(nn.Module):
    """Several teachers as one, whose softened probabilities are the mean of theirs.

    Its logits are T * log(mean over teachers of softmax(logits / T)), float32 (batch, classes): divided by the
    temperature T, their softmax is that mean. Source: Hinton et al. 2015, section 3, an ensemble's arithmetic mean.
    """

    def __init__(self, teachers: Sequence[nn.Module], temperature: float) -> None:
        super().__init__()
        self.teachers = nn.ModuleList(teachers)
        self.temperature = temperature

    def forward(self, x: Tensor) -> Tensor:
        softened = [torch.log_softmax(teacher(x).float() / self.temperature, dim=1) for teacher in self.teachers]
        return self.temperature * (torch.stack(softened).logsumexp(dim=0) - math.log(len(softened)))


def as_one(teacher: Teachers, temperature: float) -> nn.Module:
    """A teacher that stands for one or several. Raises InputError for a list of none."""
    if isinstance(teacher, nn.Module):
        return teacher
    if not len(teacher):
        raise InputError("distill_model: teacher: a list of no teachers; give one at least")
    return teacher[0] if len(teacher) == 1 else MeanTeacher(teacher, temperature)


def each_teacher(function: str, teacher: Teachers) -> dict[str, nn.Module]:
    """Every teacher, by the name that messages call it. function: that they were given to."""
    if isinstance(teacher, (list, tuple)):
        return {f"{function}: teacher {k}": one for k, one in enumerate(teacher, 1)}
    return {f"{function}: teacher": teacher}  # type: ignore[dict-item]
