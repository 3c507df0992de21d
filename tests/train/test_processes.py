"""Several processes: together they learn what one learns, and none of them is left, whatever happens.

Figures of several processes agree with those of one within 2e-5: the same terms are added in another order, and Adam's
small epsilon enlarges that a little.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from torch import Tensor, nn

from edgekit.data import AugmentConfig
from edgekit.errors import ConfigError, EdgekitError, InterruptedRunError, StateError
from edgekit.model import RecurrentClassifier, count_zeros
from edgekit.prune.unstructured import ZeroMasks, groups_for
from edgekit.train import (
    Epoch,
    FitResult,
    Hardware,
    Listener,
    Projection,
    RunSetup,
    Takes,
    TrainingConfig,
    fit,
    train_model,
)
from edgekit.train.hardware import cpu_computes_bf16
from edgekit.train.processes import _cause
from edgekit.train.takes import share_of

TinyModel = Callable[..., RecurrentClassifier]
Learnable = tuple[Takes, Takes]
Trained = tuple[dict[str, Tensor], FitResult]

TOLERANCE = 2e-5
TWO = Hardware(accelerators=2)


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    """Processes that wait for one another must not stop the suite: after a minute the test fails, and they end.

    A file tested before in this process may have left Python's own resource tracker, which stays to the end.
    """
    others = set(psutil.Process().children())

    def late(*_: Any) -> None:
        raise TimeoutError("the processes hang")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    assert set(psutil.Process().children()) - others == set()


@pytest.fixture
def mislabelled(learnable: Learnable) -> Learnable:
    """Half of the validation labels are wrong: an early epoch is the best, the plateau rule has something to do."""
    train, validation = learnable
    labels = validation.labels.copy()
    labels[::2] = (labels[::2] + 1) % 3
    return train, Takes(validation.x, labels)


def config(**values: Any) -> TrainingConfig:
    defaults = {"epochs": 3, "learning_rate": 0.02, "batch_size": 5, "early_stopping": None}
    return TrainingConfig.model_validate({**defaults, **values})


@dataclass
class Run:
    """One configuration that can be trained again and again from the same start."""

    tiny_model: TinyModel
    takes: Learnable
    config: TrainingConfig
    dropout: float = 0.0
    masks: bool = False

    def __call__(
        self, hardware: Hardware, resume_file: Path | None = None, listener: Listener | None = None
    ) -> Trained:
        model = self.tiny_model(hidden_size=4, dropout=self.dropout)
        projection = ZeroMasks(groups_for(model, 0.5, "layer"), ramp_epochs=1) if self.masks else None
        result = self.fit(model, projection, RunSetup(resume_file, listener, hardware=hardware))
        if projection is not None:
            assert count_zeros(model) == sum(int(mask.sum()) for mask in projection.masks.values())
        return {name: tensor.clone() for name, tensor in model.state_dict().items()}, result

    def fit(self, model: nn.Module, projection: Projection | None, setup: RunSetup) -> FitResult:
        train, validation = self.takes
        source = (torch.from_numpy(train.x), torch.from_numpy(train.labels))
        return fit(model, lambda _: source, validation, loss, self.config, seed=5, projection=projection, setup=setup)


def loss(logits: Tensor, batch: tuple[Tensor, ...]) -> Tensor:
    return nn.functional.cross_entropy(logits, batch[1])


def untimed(result: FitResult) -> list[dict[str, float]]:
    return [{k: v for k, v in epoch.to_dict().items() if not k.endswith("_s")} for epoch in result.history]


def assert_near(a: Trained, b: Trained) -> None:
    for name, tensor in a[0].items():
        torch.testing.assert_close(tensor, b[0][name], rtol=0.0, atol=TOLERANCE)
    assert (a[1].best_epoch, a[1].stopped_early) == (b[1].best_epoch, b[1].stopped_early)
    assert len(a[1].history) == len(b[1].history)
    for mine, other in zip(untimed(a[1]), untimed(b[1]), strict=True):
        assert mine == pytest.approx(other, rel=0.0, abs=TOLERANCE)


def assert_same(a: Trained, b: Trained) -> None:
    assert all(torch.equal(tensor, b[0][name]) for name, tensor in a[0].items())
    assert (a[1].best_epoch, untimed(a[1])) == (b[1].best_epoch, untimed(b[1]))


def interrupt(at: int) -> Listener:
    """A listener that does what Ctrl-C does, in the given epoch."""

    def listener(epoch: Epoch) -> None:
        if epoch.epoch == at:
            raise KeyboardInterrupt

    return listener


# What is learned.


@pytest.mark.parametrize("takes", [1, 2, 5, 8])
@pytest.mark.parametrize("processes", [1, 2, 3, 4])
def test_the_weighted_mean_of_the_shares_is_the_mean_of_the_batch(takes: int, processes: int) -> None:
    batch = (torch.arange(float(takes)) + 1.0, torch.arange(takes))
    shares = [share_of(batch, rank, processes) for rank in range(processes)]
    mean = sum(float(share[0].mean()) * weight for share, weight in shares) / processes
    assert mean == pytest.approx(float(batch[0].mean()))
    seen = torch.cat([share[1] for share, weight in shares if weight])
    assert seen.tolist() == batch[1].tolist()
    assert all(len(share[0]) for share, _ in shares)


# 18 takes in batches of 8: three processes can't all have one of the last two.
@pytest.mark.parametrize(("processes", "batch_size"), [(2, 5), (3, 8)])
def test_several_processes_learn_what_one_learns(
    tiny_model: TinyModel, mislabelled: Learnable, processes: int, batch_size: int
) -> None:
    run = Run(tiny_model, mislabelled, config(batch_size=batch_size))
    assert_near(run(Hardware(accelerators=processes)), run(Hardware()))


def test_they_agree_when_to_slow_down_and_when_to_stop(tiny_model: TinyModel, mislabelled: Learnable) -> None:
    stopping = {"patience": 2, "min_delta": 0.4}
    rule = {"type": "reduce_on_plateau", "patience": 0, "factor": 0.5}
    run = Run(tiny_model, mislabelled, config(epochs=9, lr_scheduler=rule, early_stopping=stopping))
    one = run(Hardware())
    assert one[1].stopped_early
    assert len({epoch.learning_rate for epoch in one[1].history}) > 1
    assert_near(run(TWO), one)


def test_a_projection_holds_and_its_state_comes_back(tiny_model: TinyModel, learnable: Learnable) -> None:
    run = Run(tiny_model, learnable, config(), masks=True)
    assert_near(run(TWO), run(Hardware()))


@pytest.mark.skipif(not cpu_computes_bf16(), reason="PyTorch has no LSTM in bf16 for this CPU")
def test_the_same_seed_gives_the_same_numbers_with_dropout_and_bf16(
    tiny_model: TinyModel, learnable: Learnable
) -> None:
    run = Run(tiny_model, learnable, config(), dropout=0.3)
    hardware = Hardware(accelerators=2, precision="bf16")
    assert_same(run(hardware), run(hardware))


def test_processes_drop_different_units(tiny_model: TinyModel, learnable: Learnable, tmp_path: Path) -> None:
    """With the same random numbers in each, takes of one step would share their dropout."""

    def witness(logits: Tensor, batch: tuple[Tensor, ...]) -> Tensor:
        with (tmp_path / str(torch.distributed.get_rank())).open("a") as file:
            file.write(f"{torch.rand(1).item()}\n")
        return loss(logits, batch)

    train, validation = learnable
    source = (torch.from_numpy(train.x), torch.from_numpy(train.labels))
    settings = config(epochs=1, batch_size=6)  # equal shares: both processes draw equally much
    fit(tiny_model(), lambda _: source, validation, witness, settings, setup=RunSetup(hardware=TWO))
    drawn = [(tmp_path / rank).read_text().split() for rank in "01"]
    assert len(drawn[0]) == len(drawn[1]) == 3
    assert not set(drawn[0]) & set(drawn[1])


# Going on.


def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(
    tiny_model: TinyModel, mislabelled: Learnable, tmp_path: Path
) -> None:
    rule = {"type": "reduce_on_plateau", "patience": 0, "factor": 0.5}
    run = Run(tiny_model, mislabelled, config(epochs=4, lr_scheduler=rule), dropout=0.3, masks=True)
    resume_file = tmp_path / "resume.ckpt"
    with pytest.raises(InterruptedRunError, match="finished epochs are kept"):
        run(TWO, resume_file, interrupt(3))
    assert [path.name for path in tmp_path.iterdir()] == ["resume.ckpt"]
    heard: list[Epoch] = []
    assert_same(run(TWO, resume_file, heard.append), run(TWO))
    assert [epoch.epoch for epoch in heard] == [3, 4]
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_resume_file_is_one_clear_error(tiny_model: TinyModel, learnable: Learnable, tmp_path: Path) -> None:
    resume_file = tmp_path / "resume.ckpt"
    resume_file.write_bytes(b"this is no checkpoint")
    with pytest.raises(StateError, match=r"can't continue from there .*--force"):
        Run(tiny_model, learnable, config())(TWO, resume_file)
    assert resume_file.exists()


# What goes wrong.


def test_an_error_of_the_users_comes_through_with_its_place(tiny_model: TinyModel, learnable: Learnable) -> None:
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(3))

        def forward(self, x: Tensor) -> Tensor:
            if torch.distributed.is_initialized() and torch.distributed.get_rank() == 1:
                raise ZeroDivisionError("mine")
            return self.weight.expand(len(x), 3)

    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        train_model(Broken(), *learnable, config(), setup=RunSetup(hardware=TWO))
    (note,) = caught.value.__notes__
    assert note.startswith("In training process 1:")
    assert "in forward" in note


def test_the_error_that_came_first_is_the_cause() -> None:
    """Whoever's message is read first."""
    mine, its = multiprocessing.Pipe()
    its.send(("failed", (1.0, ZeroDivisionError("the cause"))))
    nobody = multiprocessing.get_context("fork").Process()
    found = _cause((2.0, RuntimeError("connection closed by peer")), {mine: nobody})
    assert str(found) == "the cause"


def test_a_loss_that_is_no_number_is_one_clear_error(tiny_model: TinyModel, learnable: Learnable) -> None:
    train, validation = learnable
    source = (torch.from_numpy(train.x), torch.from_numpy(train.labels))

    def broken(logits: Tensor, batch: tuple[Tensor, ...]) -> Tensor:
        return loss(logits, batch) * (float("nan") if torch.distributed.get_rank() == 1 else 1.0)

    with pytest.raises(ConfigError, match="loss became nan in epoch 1"):
        fit(tiny_model(), lambda _: source, validation, broken, config(), setup=RunSetup(hardware=TWO))


def test_a_process_that_is_killed_ends_the_run(tiny_model: TinyModel, learnable: Learnable) -> None:
    train, validation = learnable
    source = (torch.from_numpy(train.x), torch.from_numpy(train.labels))

    def killed(logits: Tensor, batch: tuple[Tensor, ...]) -> Tensor:
        if torch.distributed.get_rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return loss(logits, batch)

    with pytest.raises(EdgekitError, match="training process edgekit-1 was ended by SIGKILL"):
        fit(tiny_model(), lambda _: source, validation, killed, config(), setup=RunSetup(hardware=TWO))


def test_an_error_of_the_listener_ends_all_processes(tiny_model: TinyModel, learnable: Learnable) -> None:
    def fail(epoch: Epoch) -> None:
        raise RuntimeError("the listener's own")

    with pytest.raises(RuntimeError, match="the listener's own"):
        Run(tiny_model, learnable, config())(TWO, None, fail)


def test_gpus_that_this_process_has_used_are_not_divided(
    tiny_model: TinyModel, learnable: Learnable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_initialized", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(ConfigError, match="CUDA is in use in this process"):
        Run(tiny_model, learnable, config())(Hardware("cuda", accelerators=2))


# Manners.


def test_they_listen_on_the_loopback_interface_only_and_print_nothing(
    tiny_model: TinyModel, learnable: Learnable, capfd: pytest.CaptureFixture[str]
) -> None:
    addresses: set[str] = set()

    def look(epoch: Epoch) -> None:
        for process in psutil.Process().children():
            found = process.net_connections("inet")
            addresses.update(one.laddr.ip for one in found if one.status == psutil.CONN_LISTEN)

    Run(tiny_model, learnable, config())(TWO, None, look)
    assert addresses == {"127.0.0.1"}
    assert capfd.readouterr() == ("", "")


def test_the_callers_process_is_left_as_it_was(tiny_model: TinyModel, learnable: Learnable) -> None:
    threads, environment = torch.get_num_threads(), dict(os.environ)
    handler = signal.getsignal(signal.SIGINT)
    train_model(tiny_model(), *learnable, config(epochs=1), augmentation=AugmentConfig(), setup=RunSetup(hardware=TWO))
    assert (torch.get_num_threads(), dict(os.environ)) == (threads, environment)
    assert signal.getsignal(signal.SIGINT) is handler
    assert not torch.distributed.is_initialized()
