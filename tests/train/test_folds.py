"""Folds that never divide a group, and cover each take once at most."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.data import Recordings
from edgekit.errors import DataError
from edgekit.train import grouped_folds


def recordings(signers: int | None, sessions: int | None, takes_per_class: int = 60, classes: int = 3) -> Recordings:
    """Every class by every signer in every session, class after class."""
    takes = takes_per_class * classes
    labels = np.repeat(np.arange(classes), takes_per_class)
    number = np.tile(np.arange(takes_per_class), classes)
    return Recordings(
        sequences=np.random.default_rng(0).random((takes, 4, 6), np.float32),
        labels=labels,
        class_names=tuple("ABCDEFG"[:classes]),
        lengths=np.full(takes, 4),
        signer=None if signers is None else np.array([f"s{k % signers}" for k in number]),
        session=None if sessions is None else np.array([f"d{k % sessions}" for k in number]),
        source="takes.npz",
    )


@pytest.mark.parametrize(
    ("signers", "sessions", "by", "grouping", "folds"),
    [
        (7, 3, "signer", "signer", 5),
        (3, 7, "signer", "signer", 3),
        (7, 6, "session", "session", 5),
        (1, 4, "signer", "session", 4),
        (None, 6, "signer", "session", 5),
        (None, None, "session", "run", 5),
        (None, None, "run", "run", 5),
    ],
)
def test_no_group_is_divided_and_every_take_validates_once(
    signers: int | None, sessions: int | None, by: str, grouping: str, folds: int
) -> None:
    data = recordings(signers, sessions)
    made = grouped_folds(data, np.arange(data.takes), 5, by)  # type: ignore[arg-type]
    assert (made.grouping, len(made.pairs)) == (grouping, folds)
    assert made.rule.startswith(f"{folds} folds by {grouping}")
    assert np.array_equal(np.sort(np.concatenate([held for _, held in made.pairs])), np.arange(data.takes))
    names = {"signer": data.signer, "session": data.session}.get(grouping)
    for train, validation in made.pairs:
        assert not np.isin(train, validation).any()
        assert set(data.labels[validation]) <= set(data.labels[train])
        if names is not None:
            assert not set(names[train]) & set(names[validation])
        else:  # pieces of at most 30 neighbours
            assert not set(train // 30) & set(validation // 30)


def test_a_part_is_divided_and_nothing_else() -> None:
    data = recordings(6, 6)
    part = np.arange(0, data.takes, 2)
    made = grouped_folds(data, part, 3)
    assert set(np.concatenate([np.concatenate(pair) for pair in made.pairs])) == set(part)


def test_takes_of_a_class_that_is_not_trained_validate_nowhere_and_are_counted() -> None:
    data = recordings(None, 6)
    session = data.session.copy()  # type: ignore[union-attr]
    session[data.labels == 2] = "d0"
    lonely = Recordings(**{**vars(data), "session": session})
    made = grouped_folds(lonely, np.arange(data.takes))
    assert set(made.left_out) == set(np.flatnonzero(data.labels == 2))
    assert "60 takes of classes that only their own session holds are not used for validation" in made.rule


def test_the_same_seed_gives_the_same_folds() -> None:
    data = recordings(20, 20)
    everything = np.arange(data.takes)
    first, again, other = (grouped_folds(data, everything, seed=seed).pairs for seed in (3, 3, 4))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a[1], b[1]) for a, b in zip(first, other, strict=True))


@pytest.mark.filterwarnings("ignore:The least populated class")
@pytest.mark.parametrize(("takes_per_class", "folds"), [(4, 4), (3, 3), (2, 2)])
def test_there_are_no_more_folds_than_takes_of_the_largest_class(takes_per_class: int, folds: int) -> None:
    data = recordings(takes_per_class, None, takes_per_class, classes=7)
    labels = np.arange(data.takes) % 7
    grouped = Recordings(**{**vars(data), "labels": labels, "signer": np.arange(data.takes).astype(str)})
    made = grouped_folds(grouped, np.arange(data.takes), 5, "signer")
    assert len(made.pairs) == folds
    assert np.array_equal(np.sort(np.concatenate([held for _, held in made.pairs])), np.arange(data.takes))


def test_one_take_of_each_class_can_not_be_validated() -> None:
    data = recordings(None, None, 1, classes=7)
    alone = Recordings(**{**vars(data), "signer": np.arange(7).astype(str)})
    with pytest.raises(DataError, match="each signer holds classes that no other one holds"):
        grouped_folds(alone, np.arange(7), 5, "signer")


def test_takes_of_one_run_can_not_be_validated() -> None:
    data = recordings(None, None, takes_per_class=20, classes=1)
    with pytest.raises(DataError, match=r"takes\.npz: 20 takes of one run can't be cross-validated; record more"):
        grouped_folds(data, np.arange(20))


def test_sessions_without_a_common_class_can_not_be_validated() -> None:
    data = recordings(None, 1)
    session = np.array([f"d{label}" for label in data.labels])
    with pytest.raises(DataError, match="each session holds classes that no other one holds; record classes"):
        grouped_folds(Recordings(**{**vars(data), "session": session}), np.arange(data.takes))


def test_optimistic_folds_say_so() -> None:
    assert "optimistic" in grouped_folds(recordings(None, None), np.arange(180)).rule
