"""One trial: what scores a fold, what a fold may see, when it ends."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from edgekit.data import fit_normalisation
from edgekit.model import build_model
from edgekit.train import Takes, train_model
from edgekit.tune import Job, Point, PruningConfig, TrialResult, TuneConfig, hopeless, run_trial

MakeJob = Callable[..., Job]
POINT = Point(8, 2, 0.2, 0.02)


def go_on(accuracies: tuple[float, ...]) -> bool:
    return True


def test_a_fold_is_its_last_epoch_trained_and_normalised_on_its_own_training_takes(make_job: MakeJob) -> None:
    job = make_job(epochs=6)
    by_hand, best = [], []
    for train, validation in job.folds:
        config = job.model.model_copy(update={"hidden_size": 8, "num_layers": 2, "dropout": 0.2})
        model = build_model(config, fit_normalisation(job.x[train], "standard", False), 3, job.seed)
        result = train_model(
            model,
            Takes(job.x[train], job.labels[train]),
            Takes(job.x[validation], job.labels[validation]),
            job.training.model_copy(update={"learning_rate": 0.02}),
            seed=job.seed,
        )
        by_hand.append(result.history[-1].val_accuracy)
        best.append(result.val_accuracy)
    trial = run_trial(POINT, job, go_on)
    assert (trial.state, list(trial.accuracies)) == ("finished", by_hand)
    assert trial.accuracy == pytest.approx(np.mean(by_hand))
    assert trial.parameters == model.architecture.parameters


def test_takes_of_no_fold_change_nothing(make_job: MakeJob) -> None:
    job = make_job()
    pairs = tuple((train[train > 2], validation[validation > 2]) for train, validation in job.folds)
    job = replace(job, folds=pairs)
    spoiled = job.x.copy()
    spoiled[:3] = np.nan
    assert run_trial(POINT, replace(job, x=spoiled), go_on).accuracies == run_trial(POINT, job, go_on).accuracies


def test_a_trial_that_was_pickled_gives_the_same_numbers(make_job: MakeJob) -> None:
    job = make_job()
    copied = pickle.loads(pickle.dumps(job))
    assert run_trial(POINT, copied, go_on).accuracies == run_trial(POINT, job, go_on).accuracies


def test_it_ends_after_the_fold_that_was_called_hopeless(make_job: MakeJob) -> None:
    heard: list[tuple[float, ...]] = []

    def report(accuracies: tuple[float, ...]) -> bool:
        heard.append(accuracies)
        return len(accuracies) < 2

    trial = run_trial(POINT, make_job(), report)
    assert trial.state == "pruned"
    assert [len(accuracies) for accuracies in heard] == [1, 2]
    assert trial.accuracies == heard[-1]


def test_a_loss_that_is_not_finite_fails_the_trial_and_says_so(make_job: MakeJob) -> None:
    trial = run_trial(replace(POINT, learning_rate=1e30), make_job(), go_on)
    assert (trial.state, trial.accuracies, trial.accuracy) == ("failed", (), None)
    assert trial.error is not None
    assert "became nan in epoch" in trial.error


def test_a_result_survives_json(make_job: MakeJob) -> None:
    trial = run_trial(POINT, make_job(epochs=1), go_on)
    assert TrialResult.from_dict(trial.to_dict()) == trial


def test_hopeless_is_worse_than_the_best_by_the_margin_on_the_same_folds() -> None:
    config = PruningConfig(margin=0.1, least_trials=2)
    finished = [(0.5, 0.9, 0.9), (0.6, 0.6, 0.6)]  # the first is the best, though its first fold is not
    assert not hopeless((0.41,), finished, config)
    assert hopeless((0.39,), finished, config)
    assert not hopeless((0.39, 0.9), finished, config), "the mean so far counts"
    assert not hopeless((0.0,), finished[:1], config), "too few to compare with"
    assert not hopeless((0.0,), finished, None)


def test_the_grid_is_the_specifications() -> None:
    config = TuneConfig()
    points = config.points(seed=0)
    assert (len(points), len(set(points)), config.size, config.folds) == (81, 81, 81, 5)
    assert {point.hidden_size for point in points} == {64, 128, 256}
    assert {point.num_layers for point in points} == {1, 2, 3}
    assert {point.dropout for point in points} == {0.2, 0.3, 0.4}
    assert {point.learning_rate for point in points} == {0.0001, 0.001, 0.01}
    assert points == config.points(seed=0) != config.points(seed=1)
