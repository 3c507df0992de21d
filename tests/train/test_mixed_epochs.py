"""Training on recorded takes and new synthetic people in every epoch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekit.data import AugmentConfig, Mix, SynthConfig, fit_length, fit_normalisation, synthesise_hands
from edgekit.distill import DistillConfig, distill_model, teacher_source
from edgekit.errors import InputError, InterruptedRunError, ShapeError
from edgekit.model import ModelConfig, RecurrentClassifier, build_model
from edgekit.prune import PruneConfig, prune_model
from edgekit.train import Epoch, Pace, RunSetup, Takes, TrainingConfig, measure_pace, mixed, train_model

TinyModel = Callable[..., RecurrentClassifier]
Learnable = tuple[Takes, Takes]
#: The three classes of `learnable`.
MIX = Mix.of_classes(("A", "B", "L"))


def training(epochs: int, **more: Any) -> TrainingConfig:
    return TrainingConfig(**{"epochs": epochs, "batch_size": 16, "early_stopping": None, **more})


def hands(seed: int, people: int) -> Takes:
    made = synthesise_hands(SynthConfig(people=people, takes_per_letter=2, seed=seed))
    chosen = np.flatnonzero(np.isin(made.labels, (0, 1, 11, 24)))
    x = fit_length(made.sequences[chosen], made.lengths[chosen], 12)
    return Takes(x, np.searchsorted([0, 1, 11, 24], made.labels[chosen]))


class Recorder(nn.Module):
    """A teacher that keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[NDArray[np.float32]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.asked.append(x.numpy().copy())
        return x.mean(dim=(1, 2))[:, None] * torch.arange(3.0)


class Wide(nn.Module):
    """A student of two hands."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(126, 3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(x.mean(dim=1))
        return logits


def test_an_epoch_has_the_recorded_takes_and_its_own_people(learnable: Learnable) -> None:
    train = learnable[0]
    epochs = [mixed(train, MIX, 5, epoch) for epoch in range(3)]
    for takes in epochs:
        assert len(takes) == 2 * len(train)
        assert np.array_equal(takes.x[: len(train)], train.x)
        assert np.array_equal(takes.labels[: len(train)], train.labels)
    assert not np.array_equal(epochs[0].x[len(train) :], epochs[1].x[len(train) :])
    assert np.array_equal(mixed(train, MIX, 5, 2).x, epochs[2].x)
    assert mixed(train, None, 5, 0) is train


def test_what_a_step_sees_is_varied_like_the_recorded_takes(tiny_model: TinyModel, learnable: Learnable) -> None:
    """Every number of the epoch's synthetic takes moves; a teacher sees what the student does."""
    still, moved = (
        teacher_source(Recorder(), learnable[0], how, 2, 0, MIX)(0)
        for how in (None, AugmentConfig(probability=1.0, milestones=(), milestone_probabilities=()))
    )
    new = slice(len(learnable[0]), None)
    assert (still[0][new] != moved[0][new]).any(dim=(1, 2)).all()
    assert torch.equal(still[1], moved[1])


@pytest.mark.parametrize("prefetch", [True, False])
def test_an_interrupted_run_ends_in_the_same_bits(
    tiny_model: TinyModel, learnable: Learnable, tmp_path: Path, prefetch: bool
) -> None:
    def run(resume_file: Path | None = None, listener: Any = None, ahead: bool = prefetch) -> dict[str, Tensor]:
        model = tiny_model(hidden_size=4)
        setup = RunSetup(resume_file, listener)
        how = {"augmentation": AugmentConfig(), "mix": MIX, "seed": 5, "setup": setup}
        train_model(model, *learnable, training(4, prefetch=ahead), **how)
        return model.state_dict()

    def interrupt(epoch: Epoch) -> None:
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    whole, file = run(), tmp_path / "resume.ckpt"
    with pytest.raises((InterruptedRunError, KeyboardInterrupt)):
        run(file, interrupt)
    assert file.exists()
    for other in (run(file), run(ahead=not prefetch)):
        assert all(torch.equal(whole[name], other[name]) for name in whole)


def test_a_mix_changes_what_is_learned(tiny_model: TinyModel, learnable: Learnable) -> None:
    losses = [
        train_model(tiny_model(hidden_size=4), *learnable, training(1), mix=mix).history[0].loss
        for mix in (None, MIX, MIX.apart())
    ]
    assert len(set(losses)) == 3


def test_synthetic_people_alone_teach_letters_of_strangers() -> None:
    """Recorded takes whose labels are all wrong and that no epoch holds: whatever is right was learned of the mix."""
    strangers, takes = hands(99, 20), hands(1, 20)
    wrong = Takes(takes.x, (takes.labels + 1) % 4)
    model = build_model(ModelConfig(hidden_size=24, dense=32), fit_normalisation(takes.x, "hand", True), 4, 0)
    mix = Mix.of_classes(("A", "B", "L", "Y"))
    mix = Mix(mix.signs, least=320, alone=True)
    result = train_model(model, wrong, strangers, training(4, learning_rate=5e-3), mix=mix)
    assert result.val_accuracy > 0.6, "chance is 0.25"


def test_the_teacher_labels_each_copy_once_and_each_has_its_own_people(learnable: Learnable) -> None:
    teacher = Recorder()
    source = teacher_source(teacher, learnable[0], None, 3, 0, MIX)
    epochs = [source(epoch) for epoch in range(7)]
    asked = np.concatenate(teacher.asked)
    assert len(asked) == 3 * 2 * len(learnable[0])
    assert np.array_equal(asked, np.concatenate([epoch[0].numpy() for epoch in epochs[:3]]))
    assert all(torch.equal(a, b) for a, b in zip(epochs[0], epochs[3], strict=True))
    assert not torch.equal(epochs[0][0], epochs[1][0])
    for x, labels, logits in epochs:
        torch.testing.assert_close(logits, teacher(x))
        assert len(labels) == len(x)


def test_training_distillation_and_recovery_meet_different_people(
    tiny_model: TinyModel, learnable: Learnable, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams: list[int] = []
    real = Mix.new_takes

    def keep(self: Mix, *arguments: int) -> Any:
        streams.append(self.stream)
        return real(self, *arguments)

    monkeypatch.setattr(Mix, "new_takes", keep)
    model, once = tiny_model(hidden_size=4), DistillConfig(training=training(1))
    train_model(model, *learnable, training(1), mix=MIX)
    distill_model(model, tiny_model(hidden_size=4), *learnable, once, mix=MIX)
    prune_model(model, model, *learnable, PruneConfig(recovery=once), mix=MIX)
    assert streams == [0, 1, 2]


def test_a_mix_that_does_not_fit_is_refused_before_anything_is_trained(
    tiny_model: TinyModel, learnable: Learnable
) -> None:
    model = tiny_model()
    with pytest.raises(ShapeError, match=r"^train_model: mix: 2 signs for a model of 3 classes; give one each$"):
        train_model(model, *learnable, mix=Mix((0, 1)))
    with pytest.raises(InputError, match=r"^distill_model: mix"):
        distill_model(model, tiny_model(), *learnable, mix="synthetic")  # type: ignore[arg-type]
    wide = Takes(np.ones((3, 6, 126), np.float32), np.arange(3))
    with pytest.raises(ShapeError, match="mix: synthetic hands have 63 numbers per frame, train 126"):
        distill_model(Recorder(), Wide(), wide, wide, mix=MIX)


def test_guesses_count_the_making_of_synthetic_takes(tiny_model: TinyModel, learnable: Learnable) -> None:
    """A clock that goes a second with every look: to make 18 takes for an epoch of 36 looks like 1 s."""

    def pace(mix: Mix | None) -> Pace:
        ticks = iter(range(1000))
        return measure_pace(tiny_model(), learnable[0], training(5), clock=lambda: float(next(ticks)), mix=mix)

    assert pace(MIX).take_s - pace(None).take_s == pytest.approx(1 / 36)
    assert pace(MIX).run_s == pace(None).run_s
