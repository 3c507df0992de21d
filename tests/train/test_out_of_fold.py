"""Planted wrong labels are found by models that never saw the take; right ones are left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekit.data import Recordings, confident_classes
from edgekit.errors import DataError
from edgekit.train import grouped_folds, out_of_fold, predict_out_of_fold


def clusters(takes: int = 90, classes: int = 3, signers: int = 1) -> Recordings:
    """Classes far apart, takes of a class alike; class after class, three runs each."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), takes)
    centre = rng.uniform(0.2, 0.8, (classes, 1, 63))
    x = (centre[labels] + rng.normal(0, 0.01, (len(labels), 6, 63))).astype(np.float32)
    signer = np.array(["p", "q"])[np.arange(len(labels)) % takes // (takes // signers)]
    return Recordings(x, np.full(len(labels), 6), labels, tuple("ABC"[:classes]), signer, None, "made")


def named(recordings: Recordings) -> list[int]:
    confident = confident_classes(predict_out_of_fold(recordings).probabilities, recordings.labels)
    return np.flatnonzero((confident >= 0) & (confident != recordings.labels)).tolist()


def test_planted_labels_are_found_and_clean_data_yields_none() -> None:
    recordings = clusters()
    assert named(recordings) == []
    labels = recordings.labels.copy()
    labels[[5, 100, 200]] = [2, 0, 1]
    assert named(replace(recordings, labels=labels)) == [5, 100, 200]


def test_no_model_has_seen_a_take_of_the_runs_it_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    recordings = clusters()
    calls = []

    def record(vectors: object, labels: object, train: object, held: object, *rest: int) -> np.ndarray:
        calls.append((train, held))
        return np.full((len(held), 3), 1 / 3)  # type: ignore[arg-type]

    monkeypatch.setattr(out_of_fold, "_predict", record)
    assert np.isfinite(predict_out_of_fold(recordings).probabilities).all()
    assert len(calls) == len(grouped_folds(recordings, np.arange(270), 5, "run").pairs)
    for train, held in calls:
        assert not set(np.asarray(train) // 30) & set(np.asarray(held) // 30)


def test_takes_without_a_hand_and_a_persons_only_run_are_not_judged() -> None:
    recordings = clusters(takes=60, signers=2)
    x = recordings.sequences.copy()
    x[0] = 0
    with pytest.raises(DataError, match="no take can be judged out of fold"):
        predict_out_of_fold(recordings)
    one = replace(recordings, sequences=x, signer=None)
    made = predict_out_of_fold(one)
    assert np.flatnonzero(np.isnan(made.probabilities).any(axis=1)).tolist() == [0]
    assert "179 of 180 takes judged" in made.rule
