"""The trial that chooses a number of threads: by an injected clock, and without a trace."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor, nn

from edgekit.model import RecurrentClassifier
from edgekit.train import choose_threads, choose_threads_and_precision
from edgekit.train.threads import BF16_WORTH, TRIAL_STEPS, WORTH, usable_cores

TinyModel = Callable[..., RecurrentClassifier]
SHAPE = (2, 3, 63)


class Clock:
    """Seconds that pass by the number of threads in use; `late` adds a disturbance to one reading."""

    def __init__(self, step_s: Mapping[int, float], late: int | None = None) -> None:
        self.step_s = step_s
        self.late = late
        self.now_s = 0.0
        self.readings = 0
        self.seen: list[int] = []

    def __call__(self) -> float:
        threads = torch.get_num_threads()
        self.seen.append(threads)
        self.now_s += self.step_s[threads] + (100.0 if self.readings == self.late else 0.0)
        self.readings += 1
        return self.now_s


@pytest.mark.parametrize(
    ("step_s", "cores", "expected"),
    [
        ({1: 4.0, 2: 2.0, 4: 1.0}, 4, 4),
        ({1: 4.0, 2: 2.0, 4: 3.0}, 4, 2),
        ({1: 1.0, 2: 20.0, 4: 20.0}, 4, 1),
        ({1: 4.0, 2: 3.0, 3: 1.0}, 3, 3),
        ({1: 4.0, 2: 1.0}, 2, 2),
    ],
)
def test_the_fastest_number_of_threads_is_chosen(
    tiny_model: TinyModel, step_s: dict[int, float], cores: int, expected: int
) -> None:
    clock = Clock(step_s)
    assert choose_threads(tiny_model(), SHAPE, cores, clock) == expected
    assert set(clock.seen) == set(step_s)


@pytest.mark.parametrize(("gain", "expected"), [(WORTH * 0.99, 1), (WORTH * 1.01, 2)])
def test_more_threads_have_to_pay(tiny_model: TinyModel, gain: float, expected: int) -> None:
    assert choose_threads(tiny_model(), SHAPE, 2, Clock({1: gain, 2: 1.0})) == expected


@pytest.mark.parametrize("late", range(16))
def test_one_disturbed_step_does_not_count(tiny_model: TinyModel, late: int) -> None:
    assert choose_threads(tiny_model(), SHAPE, 2, Clock({1: 4.0, 2: 2.0}, late)) == 2


def test_one_core_needs_no_trial(tiny_model: TinyModel) -> None:
    def stopped() -> float:
        raise AssertionError("the clock was read")

    assert choose_threads(tiny_model(), SHAPE, 1, stopped) == 1


class WithState(nn.Module):
    """A module whose training step changes more than gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(63)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(63, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.drop(self.norm(x.mean(dim=1))))
        return y


def test_the_trial_leaves_no_trace() -> None:
    model = WithState().eval()
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random, threads = torch.get_rng_state(), torch.get_num_threads()
    choose_threads(model, SHAPE, 2, Clock({1: 2.0, 2: 1.0}))
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in before.items())
    assert all(p.grad is not None and torch.equal(p.grad, torch.ones_like(p)) for p in model.parameters())
    assert not any(module.training for module in model.modules())
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.get_num_threads() == threads


def test_the_number_of_threads_is_restored_when_the_model_fails(tiny_model: TinyModel) -> None:
    threads, random = torch.get_num_threads(), torch.get_rng_state()
    with pytest.raises(RuntimeError):
        choose_threads(tiny_model(), (2, 3, 60), 2, Clock({1: 2.0, 2: 1.0}))
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), random)


def test_this_machine_has_a_core() -> None:
    assert usable_cores() >= 1


class Timed(nn.Module):
    """A module whose steps take what `step_s` says of the precision and the number of threads; `clock` is their clock.

    step_s: for fp32. gain: by how much bf16 is faster.
    """

    def __init__(self, step_s: Mapping[int, float], gain: float) -> None:
        super().__init__()
        self.head = nn.Linear(63, 3)
        self.step_s = step_s
        self.gain = gain
        self.passed_s = [0.0]

    def __deepcopy__(self, memo: object) -> Timed:
        return self

    def forward(self, x: Tensor) -> Tensor:
        faster = self.gain if torch.is_autocast_enabled("cpu") else 1.0
        self.passed_s[0] += self.step_s[torch.get_num_threads()] / faster
        y: Tensor = self.head(x.mean(dim=1))
        return y

    def clock(self) -> float:
        return self.passed_s[0]


@pytest.mark.parametrize(
    ("gain", "threads", "expected"),
    [
        (BF16_WORTH * 0.99, None, (2, "fp32")),
        (BF16_WORTH * 1.01, None, (2, "bf16")),
        (BF16_WORTH * 1.01, 1, (1, "bf16")),
        (0.5, 1, (1, "fp32")),
    ],
)
def test_bf16_has_to_pay_clearly(
    gain: float, threads: int | None, expected: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit.train.threads.cpu_computes_bf16", lambda: True)
    model = Timed({1: 4.0, 2: 2.0}, gain)
    assert choose_threads_and_precision(model, SHAPE, threads, 2, model.clock) == expected


def test_a_cpu_without_bf16_is_not_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekit.train.threads.cpu_computes_bf16", lambda: False)
    model = Timed({1: 4.0}, 2 * BF16_WORTH)
    assert choose_threads_and_precision(model, SHAPE, 1, 1, model.clock) == (1, "fp32")
    assert model.passed_s[0] == 4.0 * (TRIAL_STEPS + 1)


@pytest.mark.parametrize("settings", [{"type": "lstm"}, {"type": "gru", "num_layers": 2, "bidirectional": True}])
def test_the_trial_runs_on_a_real_model_and_leaves_it_alone(tiny_model: TinyModel, settings: dict[str, object]) -> None:
    model = tiny_model(**settings)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    threads, precision = choose_threads_and_precision(model, SHAPE, 1)
    assert threads == 1
    assert precision in ("fp32", "bf16")
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in before.items())
    assert all(parameter.grad is None for parameter in model.parameters())
