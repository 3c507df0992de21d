"""Intermediate states: the loss is the formula, any recurrent modules will do, and nothing stays behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgekit.data import AugmentConfig, Mix
from edgekit.distill import DistillConfig, distill_model
from edgekit.distill.states import StatesObjective, StatesOf, read_states, states_loss
from edgekit.errors import ConfigError, InterruptedRunError, ShapeError
from edgekit.model import RecurrentClassifier
from edgekit.prune import PruneConfig, prune_model
from edgekit.train import Epoch, Hardware, RunSetup, SchedulerConfig, Takes, TrainingConfig

TinyModel = Callable[..., RecurrentClassifier]
Learnable = tuple[Takes, Takes]


def config(states: float = 1.0, epochs: int = 2, **more: Any) -> DistillConfig:
    training = TrainingConfig(
        epochs=epochs,
        learning_rate=0.02,
        batch_size=8,
        lr_scheduler=SchedulerConfig(type="constant"),
        early_stopping=None,
    )
    return DistillConfig(states=states, training=training, **{"copies": 2, **more})


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def hooks(module: nn.Module) -> int:
    return sum(len(part._forward_hooks) for part in module.modules())


def apart(student: nn.Module, teacher: nn.Module, takes: Takes) -> float:
    """How far a student's states are from the teacher's: 1 - R^2 of the best linear map, on these takes."""
    states = []
    for model in (student, teacher):
        kept: list[Tensor] = []
        (own,) = read_states(model, {}, takes.x)
        handle = own.layer.register_forward_hook(lambda layer, _, out, kept=kept: kept.append(out[0]))
        with torch.no_grad():
            model.eval()(torch.from_numpy(takes.x))
        handle.remove()
        states.append(kept[0].flatten(0, 1).double().numpy())
    own_states = np.c_[states[0], np.ones(len(states[0]))]
    left = states[1] - own_states @ np.linalg.lstsq(own_states, states[1], rcond=None)[0]
    return float((left**2).sum() / ((states[1] - states[1].mean(axis=0)) ** 2).sum())


class Own(nn.Module):
    """Somebody's module: time first, two layers, both directions, sizes that edgekit's have not."""

    def __init__(self, kind: type[nn.LSTM] | type[nn.GRU] = nn.GRU, classes: int = 3) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.layers = kind(63, 5, num_layers=2, bidirectional=True)
            self.head = nn.Linear(10, classes)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.layers(x.transpose(0, 1))[0].mean(dim=0))
        return out


class Strided(Own):
    """Reads every other frame."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x[:, ::2])


class Stepped(Own):
    """Runs its layer frame by frame."""

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(torch.cat([self.layers(frame[None])[0] for frame in x.transpose(0, 1)]).mean(dim=0))
        return out


class Averages(nn.Module):
    """Without a recurrent layer."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(63, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(x.mean(dim=1))
        return out


def test_the_loss_is_the_formula_and_blind_to_size() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(2, 3, 4)) for _ in range(2))
    cosines = (a * b).sum(2) / np.linalg.norm(a, axis=2) / np.linalg.norm(b, axis=2)
    found = states_loss(torch.from_numpy(7 * a), torch.from_numpy(0.1 * b))
    assert float(found) == pytest.approx((2 - 2 * cosines).mean())
    assert float(states_loss(torch.from_numpy(a), torch.from_numpy(-a))) == pytest.approx(4.0)


def test_of_several_teachers_the_mean_counts() -> None:
    """Each through a linear layer of its own, which passes states on as they are here."""
    layer = nn.LSTM(2, 2, batch_first=True)
    where = [StatesOf(name, layer, 3, 2) for name in ("student", "one", "other")]
    objective = StatesObjective(lambda logits, batch: logits.sum(), 0.5, where[0], where[1:], seed=0)
    for regressor in objective.regressors:
        assert isinstance(regressor, nn.Linear)
        nn.init.eye_(regressor.weight)
        nn.init.zeros_(regressor.bias)
    with objective.watching():
        states = layer(torch.ones(1, 3, 2))[0].detach()
    batch = (torch.ones(1, 3, 2), torch.tensor([0]), torch.ones(1, 2), states, -states)
    assert objective(torch.tensor([[10.0]]), batch).item() == pytest.approx(10 + 0.5 * (0 + 4) / 2, abs=1e-5)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_students_states_come_closer_to_the_teachers(
    cell: str, tiny_model: TinyModel, learnable: Learnable
) -> None:
    teacher = tiny_model(seed=9, hidden_size=12, bidirectional=True, type=cell)
    before, found = weights(teacher), []
    for states in (0.0, 10.0):
        student = tiny_model(type=cell)
        distill_model(teacher, student, *learnable, config(states, epochs=12))
        assert set(student.state_dict()) == set(tiny_model(type=cell).state_dict()), "nothing of it is left"
        found.append(apart(student, teacher, learnable[0]))
    assert found[1] < 0.9 * found[0]
    assert same(weights(teacher), before)
    assert hooks(teacher) == hooks(student) == 0


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_modules_of_ones_own_and_several_teachers(
    kind: type[nn.LSTM] | type[nn.GRU], tiny_model: TinyModel, learnable: Learnable
) -> None:
    plain, student = Own(kind), Own(kind)
    teachers = [Own(), tiny_model(seed=4)]
    for states, one in ((0.0, plain), (1.0, student)):
        result = distill_model(teachers, one, *learnable, config(states, epochs=1))
        assert np.isfinite(result.history[0].loss)
    assert not same(weights(plain), weights(student))


def test_zero_changes_no_bit_and_says_nothing_to_a_teacher_without_states(
    tiny_model: TinyModel, learnable: Learnable
) -> None:
    distill_model(Averages(), tiny_model(), *learnable, config(0.0, epochs=1))


@pytest.mark.parametrize(
    ("teacher", "error", "words"),
    [
        (Averages, ConfigError, "distill_model: teacher: has no nn.LSTM"),
        (Strided, ShapeError, "gives 3 frames and the student's 6"),
        (Stepped, ConfigError, "runs several times"),
    ],
)
def test_a_teacher_whose_states_do_not_fit_is_refused(
    teacher: Any, error: type[Exception], words: str, tiny_model: TinyModel, learnable: Learnable
) -> None:
    student = tiny_model()
    before = weights(student)
    with pytest.raises(error, match=words):
        distill_model(teacher(), student, *learnable, config())
    assert same(weights(student), before)
    assert hooks(student) == 0


def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(
    tiny_model: TinyModel, learnable: Learnable, tmp_path: Path
) -> None:
    """The linear layers and their optimiser's state go on, too."""

    def stop(epoch: Epoch) -> None:
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    def run(**more: Any) -> dict[str, Tensor]:
        student = tiny_model()
        distill_model(Own(), student, *learnable, config(epochs=4), augmentation=AugmentConfig(), **more)
        return weights(student)

    whole, resume_file = run(), tmp_path / "resume.ckpt"
    with pytest.raises(InterruptedRunError):
        run(setup=RunSetup(resume_file, stop))
    assert same(run(setup=RunSetup(resume_file)), whole)


def test_a_mixed_stream_and_the_recovery_of_pruning_use_it_too(tiny_model: TinyModel, learnable: Learnable) -> None:
    mix = Mix.of_classes(("A", "B", "C"))
    found = []
    for states in (0.0, 1.0):
        recovery = config(states, epochs=1)
        student = tiny_model()
        distill_model(Own(), student, *learnable, recovery, mix=mix)
        pruned = prune_model(tiny_model(), Own(), *learnable, PruneConfig(sparsity=0.4, recovery=recovery), mix=mix)
        found.append((weights(student), weights(pruned.model)))
    assert not any(same(plain, other) for plain, other in zip(*found, strict=True))


@pytest.mark.slow
def test_several_processes_learn_the_same_linear_layers(tiny_model: TinyModel, learnable: Learnable) -> None:
    students = []
    for accelerators in (1, 2):
        students.append(tiny_model(dropout=0.0))
        hardware = Hardware(accelerators=accelerators)
        distill_model(Own(), students[-1], *learnable, config(), setup=RunSetup(hardware=hardware))
    for name, weight in students[0].state_dict().items():
        torch.testing.assert_close(students[1].state_dict()[name], weight, rtol=1e-3, atol=1e-4)
