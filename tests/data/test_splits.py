from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgekit.data import (
    DataConfig,
    Recordings,
    Split,
    SynthConfig,
    split_recordings,
    synthesise_hands,
    validation_folds,
)
from edgekit.errors import ConfigError, DataError

Make = Callable[..., Recordings]


def whole(split: Split) -> list[int]:
    return sorted(np.concatenate([split.train, split.validation, split.test]).tolist())


def by_day(make: Make, takes: dict[str, int]) -> Recordings:
    """One class, `takes` of it per session."""
    session = [name for name, count in takes.items() for _ in range(count)]
    return make([0] * len(session), session=np.array(session))


def test_real_session_split(real: Recordings) -> None:
    split = split_recordings(real, "session")
    assert (len(split.train) + len(split.validation), len(split.test)) == (1650, 1350)
    assert len(split.validation) == 275, "5 takes of each run of 30"
    assert len(split.unseen) == 300
    assert real.class_names.index("Z") not in real.labels[split.test]
    assert real.session is not None
    assert {name[:10] for name in real.session[split.test]} == {"2022-03-09"}
    assert whole(split) == list(range(3000))


def test_real_signer_split(real: Recordings) -> None:
    split = split_recordings(real, "signer")
    assert (len(split.train) + len(split.validation), len(split.test)) == (2130, 870)
    assert real.signer is not None
    assert set(real.signer[split.train]) == {"signer-1", "signer-3"}
    assert set(real.signer[split.test]) == {"signer-2"}, "signer-3 alone has 16 % of the takes"
    assert len(split.unseen) == 0, "signer-1 has all letters"


def test_the_signer_figures_of_before_are_reached_by_naming(real: Recordings) -> None:
    """Until people were many, the one with most takes trained and all others were tested."""
    split = split_recordings(real, "signer", test_signers=["signer-2", "signer-3"])
    assert (len(split.train) + len(split.validation), len(split.test)) == (1650, 1350)
    assert real.signer is not None
    assert set(real.signer[split.train]) == {"signer-1"}


def test_real_validation_is_the_end_of_each_run(real: Recordings) -> None:
    split = split_recordings(real, "session")
    assert real.signer is not None
    assert real.session is not None
    part = np.union1d(split.train, split.validation)
    for start in range(0, len(part), 30):
        run = part[start : start + 30]
        assert len(set(zip(real.labels[run], real.signer[run], real.session[run], strict=True))) == 1
        assert np.isin(run, split.validation).tolist() == [False] * 25 + [True] * 5


def test_real_folds(real: Recordings) -> None:
    split = split_recordings(real, "session")
    part = np.union1d(split.train, split.validation)
    folds = validation_folds(real, part, "session")
    assert sorted(len(validation) for _, validation in folds) == [60, 150, 330, 330, 780]
    assert all(len(np.intersect1d(train, validation)) == 0 for train, validation in folds)
    split = split_recordings(real, "signer", test_signers=["signer-2", "signer-3"])
    ((train, validation),) = validation_folds(real, np.union1d(split.train, split.validation), "signer")
    assert (len(train), len(validation)) == (780, 870)
    assert real.session is not None
    assert set(real.session[train]) == {"2022-03-07-451940e"}


@pytest.mark.parametrize(
    ("takes", "tested"),
    [
        ({"2024-01-01-a": 8, "2024-01-02-b": 2}, ["2024-01-02-b"]),
        ({"2024-01-02-b": 2, "2024-01-01-a": 8}, ["2024-01-02-b"]),
        ({"2024-01-01-a": 8, "2024-01-02-b": 1, "2024-01-02-c": 1}, ["2024-01-02-b", "2024-01-02-c"]),
        ({"2024-01-01-a": 18, "2024-01-02-b": 3, "2024-01-03-c": 1}, ["2024-01-02-b", "2024-01-03-c"]),
        ({"2024-01-01-a": 28, "2024-01-02-b": 7}, ["2024-01-02-b"]),
        ({"2024-01-01-a": 95, "2024-01-02-b": 5}, ["2024-01-02-b"]),
        ({"2024-12-31-a": 5, "2025-01-01-b": 5}, ["2025-01-01-b"]),
        ({"z-first": 8, "a-then": 2}, ["a-then"]),
        ({"z-first": 6, "2024-01-01-a": 2, "a-last": 2}, ["a-last"]),
    ],
)
def test_the_latest_days_with_a_fifth_of_the_takes_are_tested(
    make: Make, takes: dict[str, int], tested: list[str]
) -> None:
    recordings = by_day(make, takes)
    split = split_recordings(recordings)
    assert recordings.session is not None
    assert sorted(set(recordings.session[split.test])) == tested
    assert whole(split) == list(range(recordings.takes))
    dated = all(name.startswith("20") for name in takes)
    assert ("without dates" in split.rule) != dated
    assert "optimistic" in split.rule


@pytest.mark.parametrize(
    ("takes", "tested"),
    [
        ({"b": 40, "a": 40, "c": 20}, {"c"}),  # the smallest of those that are enough alone
        ({"a": 60, "b": 20, "c": 20}, {"c"}),  # a tie goes to who comes last in the file: what came first trains
        ({"a": 80, "b": 20}, {"b"}),
        ({"a": 90, "b": 10}, {"b"}),  # less than a fifth, but who has more than half of the takes trains
        ({"a": 55, "b": 15, "c": 15, "d": 15}, {"b", "d"}),
        (dict.fromkeys("abcdefghij", 10), {"a", "j"}),
        ({"a": 18, "b": 12, **dict.fromkeys("cdefghijklmnopqrstuvwxyz", 2), "A": 22}, {"A"}),
        ({"a": 15, "b": 15, "c": 10, **{f"p{k}": 6 for k in range(10)}}, {"a", "p9"}),
    ],
)
def test_the_fewest_signers_with_a_fifth_of_the_takes_are_tested(
    make: Make, takes: dict[str, int], tested: set[str]
) -> None:
    signer = np.array([name for name, count in takes.items() for _ in range(count)])
    recordings = make([0] * len(signer), signer=signer)
    split = split_recordings(recordings, "signer")
    assert recordings.signer is not None
    assert set(recordings.signer[split.test]) == tested
    assert f"{np.isin(signer, list(tested)).mean():.0%} of the takes" in split.rule
    assert whole(split) == list(range(len(signer)))


def test_named_parts_are_tested(make: Make) -> None:
    recordings = make(
        [0] * 9,
        signer=np.array(["a"] * 3 + ["b"] * 3 + ["c"] * 3),
        session=np.array(["2024-01-01-x"] * 3 + ["2024-01-02-y"] * 3 + ["2024-01-03-z"] * 3),
    )
    assert split_recordings(recordings, "signer", test_signers=("b",)).test.tolist() == [3, 4, 5]
    named = split_recordings(recordings, "session", test_sessions=("2024-01-01-x",))
    assert named.test.tolist() == [0, 1, 2]
    assert "2024-01-01-x" in named.rule
    with pytest.raises(DataError, match="no signer 'd'"):
        split_recordings(recordings, "signer", test_signers=("d",))
    with pytest.raises(DataError, match=r"no session '2024-01-01-xx'; did you mean '2024-01-01-x'"):
        split_recordings(recordings, "session", test_sessions=("2024-01-01-xx",))
    with pytest.raises(DataError, match="hold every take"):
        split_recordings(recordings, "signer", test_signers=("a", "b", "c"))


def test_names_for_the_other_split_are_a_contradiction(make: Make) -> None:
    with pytest.raises(ConfigError, match="test_signers needs split=signer"):
        split_recordings(make([0, 0]), "session", test_signers=("a",))
    with pytest.raises(ConfigError, match="test_sessions needs split=session"):
        split_recordings(make([0, 0]), "signer", test_sessions=("a",))
    with pytest.raises(ValueError, match="test_signers needs split: signer"):
        DataConfig(split="session", test_signers=("a",))
    with pytest.raises(ConfigError, match="session or signer"):
        split_recordings(make([0, 0]), "random")  # type: ignore[arg-type]


@pytest.mark.parametrize("known", [{}, {"session": np.array(["2024-01-01-a"] * 20)}])
def test_without_days_the_last_fifth_of_each_class_is_tested(make: Make, known: dict[str, Any]) -> None:
    recordings = make([0] * 10 + [1] * 10, **known)
    split = split_recordings(recordings)
    assert split.test.tolist() == [8, 9, 18, 19]
    assert "file order" in split.rule
    assert whole(split) == list(range(20))


def test_interleaved_classes_validate_too(make: Make) -> None:
    recordings = make([0, 1, 2] * 10)
    split = split_recordings(recordings)
    assert set(recordings.labels[split.validation]) == {0, 1, 2}
    assert set(recordings.labels[split.train]) == {0, 1, 2}
    assert min(split.test) > max(split.train)


def test_every_class_trains_and_validates(make: Make) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        labels = rng.integers(0, 4, 60)
        recordings = make(labels.tolist(), session=np.sort(rng.choice(["2024-01-01-a", "2024-01-02-b"], 60)))
        split = split_recordings(recordings)
        assert set(recordings.labels[split.train]) == set(recordings.labels[split.validation])
        assert whole(split) == list(range(60))


@pytest.mark.parametrize("labels", [[0, 0, 0, 1], [0, 0, 0, 1, 1]])
def test_a_class_with_a_single_take_to_train_on_is_refused(make: Make, labels: list[int]) -> None:
    with pytest.raises(DataError, match="class 'B' with a single take to train on; record more"):
        split_recordings(make(labels))


def test_what_cannot_be_split_by_signer_is_refused(make: Make) -> None:
    with pytest.raises(DataError, match="signers are unknown"):
        split_recordings(make([0, 0, 0]), "signer")
    with pytest.raises(DataError, match="only one signer"):
        split_recordings(make([0, 0, 0], signer=np.array(["a"] * 3)), "signer")
    with pytest.raises(DataError, match="sessions are unknown"):
        split_recordings(make([0, 0, 0]), "session", test_sessions=("a",))


def test_unseen_are_letters_that_their_signer_did_not_train(make: Make) -> None:
    recordings = make(
        [0, 0, 1, 1, 0, 1, 2],
        signer=np.array(["a", "a", "b", "b", "a", "a", "b"]),
        session=np.array(["2024-01-01"] * 4 + ["2024-01-02"] * 3),
    )
    assert split_recordings(recordings).unseen.tolist() == [5, 6]


def test_folds_leave_one_session_or_signer_out(make: Make) -> None:
    recordings = make(
        [0, 1] * 6,
        signer=np.array(["a"] * 4 + ["b"] * 4 + ["c"] * 4),
        session=np.array((["2024-01-01"] * 2 + ["2024-01-02"] * 2) * 3),
    )
    part = np.arange(8)
    folds = validation_folds(recordings, part, "session")
    assert [validation.tolist() for _, validation in folds] == [[0, 1, 4, 5], [2, 3, 6, 7]]
    folds = validation_folds(recordings, part, "signer")
    assert [validation.tolist() for _, validation in folds] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    for train, validation in folds:
        assert sorted([*train, *validation]) == part.tolist()


def test_folds_without_days_or_people_fall_back_to_the_end_of_runs(make: Make) -> None:
    ((train, validation),) = validation_folds(make([0] * 6 + [1] * 6), np.arange(12), "session")
    assert validation.tolist() == [5, 11]
    assert len(train) == 10


def test_folds_validate_only_classes_they_train(make: Make) -> None:
    recordings = make([0, 0, 0, 1], session=np.array(["2024-01-01", "2024-01-01", "2024-01-02", "2024-01-02"]))
    folds = validation_folds(recordings, np.arange(4), "session")
    assert [validation.tolist() for _, validation in folds] == [[0, 1], [2]]


@pytest.mark.parametrize("takes", [4, 8, 11])
def test_synthetic_hands_split_by_day_and_by_person(takes: int) -> None:
    made = synthesise_hands(SynthConfig(people=2, takes_per_letter=takes))
    split = split_recordings(made, "session")
    assert made.session is not None
    assert {name[:10] for name in made.session[split.test]} == {"2000-01-02"}
    assert 0.2 <= len(split.test) / made.takes <= 0.35
    assert len(split.unseen) == 0
    assert len(split_recordings(made, "signer").test) == made.takes / 2
