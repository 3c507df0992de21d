"""Several recordings as one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.cli import run_cli
from edgekit.data import Recordings, join_recordings, load_recordings, save_recordings
from edgekit.errors import DataError


def recordings(names: tuple[str, ...], takes: int, frames: int = 4, features: int = 63, **more: object) -> Recordings:
    rng = np.random.default_rng(takes)
    given = {"signer": None, "session": None, **more}
    return Recordings(
        sequences=rng.uniform(0.1, 0.9, (takes, frames, features)).astype(np.float32),
        lengths=np.full(takes, frames),
        labels=np.arange(takes) % len(names),
        class_names=names,
        source=f"{takes} takes",
        **given,  # type: ignore[arg-type]
    )


def test_classes_are_matched_by_name_and_takes_padded_to_the_longest() -> None:
    one, other = recordings(("A", "B"), 4), recordings(("C", "B"), 3, frames=6)
    whole = join_recordings([one, other], "both")
    assert whole.class_names == ("A", "B", "C")
    assert [whole.class_names[k] for k in whole.labels] == ["A", "B", "A", "B", "C", "B", "C"]
    assert whole.sequences.shape == (7, 6, 63)
    assert np.array_equal(whole.sequences[:4, :4], one.sequences)
    assert not whole.sequences[:4, 4:].any()
    assert np.array_equal(whole.sequences[4:], other.sequences)
    assert whole.lengths.tolist() == [4] * 4 + [6] * 3
    assert (whole.signer, whole.session, whole.hand, whole.aspect) == (None, None, None, None)


def test_what_a_part_does_not_know_stays_unknown_for_its_takes() -> None:
    one = recordings(("A",), 2, signer=np.array(["me", "you"]), hand=np.array(["L", "R"]))
    other = recordings(("A",), 1, session=np.array(["2026-01-01"]), aspect=np.array([1.5], dtype=np.float32))
    whole = join_recordings([one, other], "both")
    assert whole.signer is not None
    assert whole.session is not None
    assert whole.hand is not None
    assert whole.aspect is not None
    assert whole.signer.tolist() == ["me", "you", ""]
    assert whole.session.tolist() == ["", "", "2026-01-01"]
    assert whole.hand.tolist() == ["L", "R", ""]
    assert np.array_equal(whole.aspect, np.array([np.nan, np.nan, 1.5], dtype=np.float32), equal_nan=True)


@pytest.mark.parametrize(("one", "other", "whole"), [(True, True, True), (True, False, False), (False, False, False)])
def test_only_what_is_synthetic_throughout_is_synthetic(one: bool, other: bool, whole: bool) -> None:
    parts = [recordings(("A",), 2, synthetic=made) for made in (one, other)]
    assert join_recordings(parts, "both").synthetic is whole


def test_frames_of_other_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="3 takes: 126 numbers per frame, 2 takes has 63"):
        join_recordings([recordings(("A",), 2), recordings(("A",), 3, features=126)], "both")
    with pytest.raises(DataError, match="nothing: no recordings to join"):
        join_recordings([], "nothing")


def test_the_command_joins_and_says_whose_remarks_are_whose(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("mine.npz", "theirs.csv")]
    for path, part in zip(paths, (recordings(("A", "B"), 40), recordings(("B", "C"), 60)), strict=True):
        save_recordings(path, part)
    target = tmp_path / "all.npz"
    assert run_cli(["data", "convert", *map(str, paths), str(target), "--json"]) == 0
    whole = load_recordings(target)
    assert (whole.takes, whole.class_names) == (100, ("A", "B", "C"))
    expected = join_recordings([load_recordings(path) for path in paths], "both")
    assert np.array_equal(whole.sequences, expected.sequences)
    assert np.array_equal(whole.labels, expected.labels)


def test_a_target_alone_is_no_conversion(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["data", "convert", str(tmp_path / "all.npz")]) == 2
    assert "SOURCES" in capsys.readouterr().err
