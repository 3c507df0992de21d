"""What the teacher answers, computed once for all students of a search."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from edgekit.artifacts import sha256_bytes
from edgekit.data import AugmentConfig, Mix
from edgekit.distill import teacher_source
from edgekit.errors import EdgekitError
from edgekit.model import evaluating, try_module
from edgekit.train import Takes


class TeacherAnswers(nn.Module):
    """A teacher that remembers. The same takes in the same batches, float32 (batch, time, features), get the logits
    (batch, classes) that they got before.

    teacher: None for one that could not be sent to another process; it then knows only what was remembered.
    """

    def __init__(self, teacher: nn.Module | None) -> None:
        super().__init__()
        self.teacher = teacher
        self.known: dict[str, Tensor] = {}

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        key = sha256_bytes(x.contiguous().numpy().tobytes())
        if key not in self.known:
            self.known[key] = self._ask(x)
        return self.known[key]

    def _ask(self, x: Tensor) -> Tensor:
        if self.teacher is None:
            raise EdgekitError(
                "search: the teacher can't be sent to other processes, and this one makes other takes than those that"
                " it answered before; leave out --cluster and --jobs"
            )
        with evaluating(self.teacher):
            logits: Tensor = self.teacher(x).float()
            return logits

    def __getstate__(self) -> dict[str, object]:
        """For other processes: without a teacher that can't be pickled, such as an open ONNX file."""
        return {**self.__dict__, "_modules": {"teacher": self.teacher if _can_be_sent(self.teacher) else None}}


def _can_be_sent(module: nn.Module | None) -> bool:
    with contextlib.suppress(Exception):  # modules of the user's may fail in any way
        pickle.dumps(module)
        return True
    return False


def remember_answers(
    teacher: nn.Module,
    train: Takes,
    augmentation: AugmentConfig | None,
    seed: int,
    runs: Iterable[tuple[int, Mix | None]],
) -> TeacherAnswers:
    """The teacher with all that students will ask. runs: copies of the training takes, and the mix, of each kind of
    run, as `edgekit.distill.teacher_source` is told."""
    answers = TeacherAnswers(teacher)
    try_module(answers, train.x, "search: teacher")
    for copies, mix in runs:
        source = teacher_source(answers, train, augmentation, copies, seed, mix)
        for copy in range(copies if augmentation is not None or mix is not None else 1):
            source(copy)
    return answers
