"""Intermediate states: the student's last recurrent layer learns to say at every frame what the teacher's says.

Its outputs go through a linear layer that learns along and is thrown away afterwards. Sources: Romero et al. 2015
("FitNets", section 2.2), the regressor; Sun et al. 2019 ("Patient Knowledge Distillation", section 3.2), the distance
of states that are normalised first. Axes are batch, time, hidden, the last one of both directions together.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgekit.errors import ConfigError, ShapeError
from edgekit.model import evaluating, on_device_of


@dataclass(frozen=True, eq=False)
class StatesOf:
    """Where the states of a module are read: at its last recurrent layer. name: of the module, for messages. time,
    width: of what that gives for the training takes, both directions together."""

    name: str
    layer: nn.RNNBase
    time: int
    width: int


def states_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared distance of the two directions, mean over takes and frames: 0 for the same, 4 for opposite ones.

    student, teacher float32 (batch, time, hidden), the student's after its linear layer. Source: Sun et al. 2019,
    equation 7.
    """
    apart = nn.functional.normalize(student, dim=2) - nn.functional.normalize(teacher, dim=2)
    return apart.square().sum(dim=2).mean()


class StatesObjective(nn.Module):
    """An objective over batches of (x, labels, teacher's logits, states of each teacher float32 (batch, time, hidden)):
    `of_logits` and `weight` times the mean of the teachers' `states_loss`.

    Every teacher has a linear layer of its own, which `edgekit.train.fit` trains along with the student. The student's
    states are those of its last forward pass in training, inside `watching`.
    """

    def __init__(
        self,
        of_logits: Callable[[Tensor, tuple[Tensor, ...]], Tensor],
        weight: float,
        student: StatesOf,
        teachers: Sequence[StatesOf],
        seed: int,
    ) -> None:
        super().__init__()
        self.of_logits = of_logits
        self.weight = weight
        self._watched = (student.layer,)  # in a tuple: as an attribute, its weights would be counted twice
        self._seen: Tensor | None = None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.regressors = nn.ModuleList(nn.Linear(student.width, teacher.width) for teacher in teachers)

    def forward(self, logits: Tensor, batch: tuple[Tensor, ...]) -> Tensor:
        """logits float32 (batch, classes) of the pass whose states were seen. Returns a scalar in nats and distance."""
        seen, self._seen = self._seen, None
        if seen is None:
            raise ConfigError("distill.states: the student's recurrent layer did not run; set distill.states to 0")
        own = seen.float()
        apart = [
            states_loss(regressor(own), states) for regressor, states in zip(self.regressors, batch[3:], strict=True)
        ]
        return self.of_logits(logits, batch) + self.weight * torch.stack(apart).mean()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Inside it the student's states are seen. Nothing stays attached to the student."""

        def see(layer: nn.Module, given: Any, output: Any) -> None:
            if layer.training:
                self._seen = _batch_first(layer, output)

        handle = self._watched[0].register_forward_hook(see)
        try:
            yield
        finally:
            handle.remove()


@contextlib.contextmanager
def recording(read: Sequence[StatesOf]) -> Iterator[Callable[[], tuple[Tensor, ...]]]:
    """Inside it, what is read is kept from every forward pass; what it gives returns that, (takes, time, hidden) of
    each, on the CPU."""
    parts: list[list[Tensor]] = [[] for _ in read]
    handles = [one.layer.register_forward_hook(_keep_in(kept)) for one, kept in zip(read, parts, strict=True)]
    try:
        yield lambda: tuple(torch.cat(kept) for kept in parts)
    finally:
        for handle in handles:
            handle.remove()


def _keep_in(kept: list[Tensor]) -> Callable[[nn.Module, Any, Any], None]:
    def keep(layer: nn.Module, given: Any, output: Any) -> None:
        kept.append(_batch_first(layer, output).detach().float().cpu())

    return keep


def read_states(student: nn.Module, teachers: Mapping[str, nn.Module], x: np.ndarray[Any, Any]) -> list[StatesOf]:
    """Where states are read, the student first. x: training takes float32 (takes, time, features), of which two are
    tried; teachers: by the name that messages call them.

    Raises ConfigError for a module without such a layer, or whose layer is run more than once or on packed takes;
    ShapeError where student and teacher differ in frames.
    """
    found = [_last_layer(one, x, name) for name, one in {"distill_model: student": student, **teachers}.items()]
    for teacher in found[1:]:
        if teacher.time != found[0].time:
            raise ShapeError(
                f"{teacher.name}: its last recurrent layer gives {teacher.time} frames and the student's"
                f" {found[0].time}; distill.states needs the same, so set it to 0"
            )
    return found


@torch.no_grad()
def _last_layer(module: nn.Module, x: np.ndarray[Any, Any], name: str) -> StatesOf:
    ran: list[tuple[nn.RNNBase, Any]] = []
    layers = [layer for layer in module.modules() if isinstance(layer, nn.RNNBase)]
    handles = [layer.register_forward_hook(lambda layer, _, output: ran.append((layer, output))) for layer in layers]
    try:
        with evaluating(module):
            module(on_device_of(module, x[:2]))
    finally:
        for handle in handles:
            handle.remove()
    if not ran:
        raise ConfigError(
            f"{name}: has no nn.LSTM, nn.GRU or nn.RNN whose outputs can be read, which an ONNX file never has;"
            " distill.states needs one, so set it to 0"
        )
    layer, output = ran[-1]
    if sum(one is layer for one, _ in ran) > 1 or not isinstance(output[0], Tensor) or output[0].ndim != 3:
        raise ConfigError(
            f"{name}: its last recurrent layer runs several times for a batch, or on packed or single takes;"
            " distill.states needs its outputs (batch, time, hidden), so set it to 0"
        )
    _, time, width = _batch_first(layer, output).shape
    return StatesOf(name, layer, time, width)


def _batch_first(layer: nn.Module, output: Any) -> Tensor:
    states: Tensor = output[0]
    return states if layer.batch_first else states.transpose(0, 1)
