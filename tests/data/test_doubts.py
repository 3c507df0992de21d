"""What is read otherwise than a person would think is said: with its file, its take and its frame."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edgekit.cli import run_cli
from edgekit.data import (
    Recordings,
    check_recordings,
    clean_recordings,
    convert_recordings,
    load_recordings,
    refuse_impossible,
    save_recordings,
    split_recordings,
    training_note,
)
from edgekit.data.doubts import find_alike, find_doubts
from edgekit.data.hand import FRAME_PARTS, HAND_PARTS, frames_with_hand
from edgekit.data.layouts.numbers import as_float32, find_other_digits, find_rounded
from edgekit.data.remarks import Remark
from edgekit.errors import DataError

Make = Callable[..., Recordings]
X = np.random.default_rng(0).integers(1, 1000, (8, 7, 63)) / 1024


def remarks(recordings: Recordings, kind: str) -> list[Remark]:
    return [remark for remark in find_doubts(recordings) if remark.kind == kind]


def npz(path: Path, **changes: Any) -> Path:
    whole: dict[str, Any] = {
        "sequences": X.astype(np.float32), "labels": np.arange(8) % 2, "class_names": np.array(["A", "B"]),
    }  # fmt: skip
    np.savez(path, **{name: value for name, value in {**whole, **changes}.items() if value is not None})
    return path


# Frame numbers


def numbered(path: Path, numbers: dict[int, Sequence[int]], others: Sequence[int] = range(7)) -> Path:
    """8 takes; those in `numbers` with these frame numbers, all others with `others`."""
    rows = [
        (f"t{take}", frame, "AB"[take % 2], *X[take, k])
        for take in range(8)
        for k, frame in enumerate(numbers.get(take, others))
    ]
    names = ["take", "frame", "label", *(f"f{k}" for k in range(63))]
    if path.suffix == ".csv":
        path.write_text("\n".join(",".join(map(str, row)) for row in [names, *rows]), encoding="utf-8")
    elif path.suffix == ".parquet":
        pq.write_table(pa.table({name: [row[k] for row in rows] for k, name in enumerate(names)}), path)
    else:
        for take, frame, label, *values in rows:
            (path / label / take).mkdir(parents=True, exist_ok=True)
            np.save(path / label / take / f"{frame}.npy", np.array(values, np.float32))
    return path


PLACES = ("a.csv", "a.parquet", "folder")


@pytest.mark.parametrize("name", PLACES)
def test_a_gap_in_the_frame_numbers_is_said_with_its_place(name: str, tmp_path: Path) -> None:
    path = numbered(tmp_path / name, {2: [0, 1, 2, 3, 900, 901, 902], 4: [0, 1, 3, 4, 6, 7, 8]})
    read = load_recordings(path)
    (gaps,) = remarks(read, "gaps")
    takes = gaps.takes
    assert [read.take_names[take] for take in takes] == (  # type: ignore[index]
        ["A/t2", "A/t4"] if name == "folder" else ["t2", "t4"]
    )
    row = 2 * 7 + 4
    rows = {"a.csv": f", line {row + 2}", "a.parquet": f", row {row + 1}", "folder": "/A/t2/900.npy"}
    called = "(A/t2)" if name == "folder" else "('t2')"
    assert gaps.places[0] == f"{path}{rows[name]}: take {takes[0]} {called}, frame 3 is followed by 900"
    assert gaps.places[1].endswith("frame 1 is followed by 3 (and 1 more in this take)")
    assert gaps.text.startswith("gaps in the frame numbers of 2 takes; the frames on both sides are read as neighbours")
    report = check_recordings(read)
    assert report.gap_takes == takes
    assert any(warning.startswith(gaps.text) for warning in report.warnings)
    assert json.loads(json.dumps(report.to_dict()))["remarks"][0]["takes"] == list(takes)
    note = training_note(read, split_recordings(read))
    assert note is not None
    assert "gaps in the frame numbers of 2 takes" in note


@pytest.mark.parametrize("name", PLACES)
def test_a_conversion_says_gaps_and_that_the_numbers_are_gone(name: str, tmp_path: Path) -> None:
    path = numbered(tmp_path / name, {2: [0, 1, 2, 3, 900, 901, 902]})
    done = convert_recordings(path, tmp_path / "new.npz")
    assert any("frame 3 is followed by 900" in warning for warning in done.warnings)
    assert done.lost == ("frame numbers (frames count 0, 1, 2 ... in each take now)",)
    left = clean_recordings(path, tmp_path / "clean.npz", ("gaps",))
    assert [one.kind for one in left.dropped] == ["gaps"]
    assert left.takes == 7
    assert not any("frame 3" in warning for warning in left.warnings), "what was dropped is no matter of what is left"
    kept = clean_recordings(path, tmp_path / "kept.npz")
    assert any("frame 3" in warning for warning in kept.warnings)


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize(
    ("others", "lost", "note"),
    [
        (range(7), False, ""),
        (range(1, 8), True, ""),
        (range(100, 107), True, ""),
        (range(0, 14, 2), True, "rise by 2"),
        ([0, 33, 67, 100, 133, 167, 200], True, "rise by 33"),
    ],
)
def test_counting_from_anywhere_and_even_steps_are_no_gaps(
    name: str, others: Sequence[int], lost: bool, note: str, tmp_path: Path
) -> None:
    read = load_recordings(numbered(tmp_path / name, {}, others))
    assert not remarks(read, "gaps")
    assert bool(remarks(read, "frame numbers")) == lost
    assert bool(remarks(read, "steps")) == bool(note)
    assert all(note in remark.text for remark in remarks(read, "steps"))
    assert not any(remark.doubtful for remark in read.remarks)


def test_a_lost_picture_among_timestamps_is_a_gap(tmp_path: Path) -> None:
    path = numbered(tmp_path / "a.csv", {5: [0, 33, 67, 133, 167, 200, 233]}, [0, 33, 67, 100, 133, 167, 200])
    (gaps,) = remarks(load_recordings(path), "gaps")
    assert gaps.takes == (5,)
    assert "frame 67 is followed by 133" in gaps.places[0]


def test_rows_out_of_order_are_put_in_order_and_that_is_said(tmp_path: Path) -> None:
    path = numbered(tmp_path / "a.csv", {3: [6, 5, 4, 3, 2, 1, 0]})
    read = load_recordings(path)
    np.testing.assert_array_equal(read.sequences[3], X[3, ::-1].astype(np.float32))
    assert [remark.text for remark in read.remarks] == ["rows of a take were put in the order of their frame numbers"]


def test_a_frame_that_is_there_twice_is_refused_in_every_layout(tmp_path: Path) -> None:
    for name in ("a.csv", "a.parquet"):
        with pytest.raises(DataError, match="take 't3' has frame 5 already"):
            load_recordings(numbered(tmp_path / name, {3: [0, 1, 2, 3, 4, 5, 5]}))
    numbered(tmp_path / "folder", {})
    np.save(tmp_path / "folder" / "A" / "t2" / "03.npy", np.ones(63))
    with pytest.raises(DataError, match=r"3\.npy: frame 3 exists already"):
        load_recordings(tmp_path / "folder")


def test_frames_without_a_common_numbering_are_said(tmp_path: Path) -> None:
    numbered(tmp_path / "folder", {})
    (tmp_path / "folder" / "A" / "t2" / "6.npy").rename(tmp_path / "folder" / "A" / "t2" / "last.npy")
    (order,) = remarks(load_recordings(tmp_path / "folder"), "order")
    assert order.doubtful
    assert order.places == (f"{tmp_path / 'folder'}/A/t2",)
    assert order.short == "takes whose frames are not numbered: 1"


# Names


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("A", "a", False),
        ("Straße", "STRASSE", False),
        ("a", " a", True),
        ("a", "a\t", True),
        ("thank you", "thank  you", True),
        ("é", "e\u0301", True),
        ("\uff21", "A", True),
        ("a", "a\u200b", True),
        ("\ufb01re", "fire", True),
        (" A", "a", False),
    ],
)
def test_classes_that_are_one_for_a_person_are_said_or_refused(one: str, two: str, same: bool, make: Make) -> None:
    """What looks the same is refused; where case alone differs it may be meant, as in a and A of writing."""
    recordings = make([0, 1, 2] * 4, class_names=(one, "other", two))
    found = [remark for remark in remarks(recordings, "names") if len(remark.places) == 2]
    assert len(found) == 1
    assert repr(one) in found[0].text
    assert repr(two) in found[0].text
    assert found[0].places[1] == f"class {two!r}, first in test, take 2: 4 takes"
    assert found[0].takes == (0, 2, 3, 5, 6, 8, 9, 11)
    report = check_recordings(recordings)
    assert bool([text for text in report.refusals if "look the same" in text]) == same
    assert bool([text for text in report.warnings if "upper and lower case alone" in text]) != same
    note = training_note(recordings, split_recordings(recordings))
    assert note is not None
    assert f"2 classes alike ({one!r} and {two!r})" in note
    if same:
        with pytest.raises(DataError, match=r"test: classes .* look the same: they can.t be told apart"):
            refuse_impossible(recordings)
    else:
        refuse_impossible(recordings)


def test_classes_that_differ_are_not_called_alike() -> None:
    assert find_alike(["A", "B", "a b", "a-b", "ab", "1", "10", "é", "e", "ä", "a", "Ω"]) == [["A", "a"]]
    assert find_alike(["x", " X ", "y", "ｘ", "Y"]) == [["x", " X ", "ｘ"], ["y", "Y"]]


@pytest.mark.parametrize("layout", ["npz", "csv", "parquet", "takes", "frames"])
def test_alike_classes_are_named_in_every_layout(layout: Any, make: Make, tmp_path: Path) -> None:
    path = tmp_path / (f"a.{layout}" if layout in ("npz", "csv", "parquet") else "a")
    save_recordings(path, make([0, 1] * 4, class_names=("A", "a")), layout)
    read = load_recordings(path)
    (found,) = remarks(read, "names")
    assert "classes 'A' and 'a' differ by upper and lower case alone" in found.text
    assert all(str(path) in place for place in found.places)
    done = convert_recordings(path, tmp_path / "new.npz")
    assert any("'A' and 'a'" in warning for warning in done.warnings)


@pytest.mark.parametrize("kind", ["signer", "session"])
def test_people_and_days_that_are_one_are_said(kind: str, make: Make) -> None:
    recordings = make([0, 1] * 4, **{kind: np.array(["Ann", "ann", "bob", "Ann "] * 2)})
    (found,) = remarks(recordings, "names")
    assert f"{kind}s 'Ann' and 'Ann ' and 'ann' differ by case, spaces or encoding alone" in found.text
    assert f"a split by {kind} would train on one and test on the other" in found.text
    assert f"3 {kind}s alike" in found.short


# Shapes


@pytest.mark.parametrize("frames", FRAME_PARTS)
def test_swapped_frames_and_numbers_are_refused_unless_said(frames: int, make: Make) -> None:
    recordings = make([0, 1] * 4, frames=frames, features=30)
    words = f"every take has {frames} frames of 30 numbers, as if frames and numbers were swapped"
    with pytest.raises(
        DataError, match=f"test: {words}.*if that is right, confirm it with --set data.preprocessing=standard"
    ):
        refuse_impossible(recordings)
    refuse_impossible(recordings, "standard")
    report = check_recordings(recordings)
    assert any(words in text and "test, take 0" in text for text in report.refusals)
    note = training_note(recordings, split_recordings(recordings))
    assert note is not None
    assert f"8 takes of {frames} frames of 30 numbers" in note


@pytest.mark.parametrize(("frames", "features"), [(30, 63), (63, 63), (63, 126), (62, 30), (126, 1662)])
def test_known_shapes_are_not_called_swapped(frames: int, features: int, make: Make) -> None:
    assert not remarks(make([0, 1] * 2, frames=frames, features=features), "shape")
    varied = make([0, 1] * 2, frames=63, features=30, lengths=np.array([63, 63, 63, 62]))
    assert not remarks(varied, "shape"), "takes of several lengths are no transposed frames"


def test_takes_of_a_folder_that_are_swapped_are_named(tmp_path: Path) -> None:
    for name, shape in (("A/0", (63, 30)), ("A/1", (63, 28)), ("B/0", (63, 30))):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        np.save(tmp_path / f"{name}.npy", np.ones(shape, np.float32))
    with pytest.raises(DataError, match=r"A/1\.npy: 28 features, .* have 30; frames and numbers seem swapped"):
        load_recordings(tmp_path)
    np.save(tmp_path / "A" / "0.npy", np.ones((20, 63), np.float32))
    with pytest.raises(DataError, match=r"A/1\.npy: 28 features, .* have 63; frames and numbers seem swapped"):
        load_recordings(tmp_path)


# Whole bodies


@pytest.mark.parametrize("features", HAND_PARTS)
def test_a_body_without_hands_is_a_frame_without_a_hand(features: int, make: Make) -> None:
    recordings = make([0, 1] * 30, frames=5, features=features)
    x = recordings.sequences.copy()
    left, right = HAND_PARTS[features]
    x[0, :, left] = 0  # one hand is enough
    x[1, 4, left] = x[1, 4, right] = 0
    x[2, :3, left] = x[2, :3, right] = 0
    x[3, :, left] = x[3, :, right] = 0  # the pose is there
    x[4] = 0
    report = check_recordings(make([0, 1] * 30, frames=5, sequences=x))
    assert report.frames_without_hand == 1 + 3 + 5 + 5
    assert report.empty_takes == (4,), "dropped by default: only what holds nothing at all"
    assert report.sparse_takes == (2, 3)
    assert report.ends_without_hand == (1,)
    x[..., left] = x[..., right] = 0
    report = check_recordings(make([0, 1] * 30, frames=5, sequences=x))
    assert report.frames_without_hand == 300
    assert any("no frame has a hand: in all of them the hands' numbers are zero" in text for text in report.warnings)
    assert not any("no frame has a hand" in text for text in report.refusals)


def test_each_body_has_two_hands_of_21_landmarks_behind_each_other() -> None:
    for features, parts in HAND_PARTS.items():
        assert [part.stop - part.start for part in parts] == [63, 63]
        assert parts[0].stop <= parts[1].start
        assert parts[1].stop == features, "every one of them ends in the right hand"
        assert len(FRAME_PARTS[features].split(", ")) > 2
    assert frames_with_hand(np.ones((1, 2, 5))).all(), "of other counts nobody knows: any number counts"


# Numbers


@pytest.mark.parametrize("dtype", ["float16", "float32", ">f4", "int8", "uint8", "int16", "uint16"])
def test_types_that_float32_holds_change_nothing(dtype: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 100, (8, 7, 5)).astype(dtype) / 1 if "f" in dtype else rng.integers(0, 100, (8, 7, 5))
    path = npz(tmp_path / "a.npz", sequences=values.astype(dtype))
    done = convert_recordings(path, tmp_path / "b.npz")
    assert done.changed == done.lost == ()
    np.testing.assert_array_equal(load_recordings(tmp_path / "b.npz").sequences, values.astype(dtype))


@pytest.mark.parametrize(
    ("dtype", "value", "said"),
    [
        ("float64", 0.1, "by at most 1e-08 of the number; the first: {}, take 2, frame 3, feature 4: 0.1 is 0.1"),
        ("float64", 1e-60, "by at most 1 of the number; the first: {}, take 2, frame 3, feature 4: 1e-60 is 0.0"),
        (
            "int64",
            2**24 + 1,
            "by at most 6e-08 of the number; the first: {}, take 2, frame 3, feature 4: 16777217.0 is",
        ),
        ("uint64", 2**60 + 1, "by at most"),
        ("int32", 2**31 - 1, "by at most"),
        ("longdouble", np.longdouble(1) / 3, "by at most"),
    ],
)
def test_a_rounded_number_is_said_with_its_place(dtype: str, value: Any, said: str, tmp_path: Path) -> None:
    values = np.zeros((8, 7, 5), dtype)
    values[2, 3, 4] = value
    path = npz(tmp_path / "a.npz", sequences=values)
    done = convert_recordings(path, tmp_path / "b.csv")
    assert len(done.changed) == 1
    assert done.changed[0].startswith(f"numbers rounded from {np.dtype(dtype).name} to float32: 1 of 280, ")
    assert said.format(path) in done.changed[0]
    assert done.changed[0] in check_recordings(load_recordings(path)).notes
    assert convert_recordings(tmp_path / "b.csv", tmp_path / "c.npz").changed == (), "once rounded, nothing is lost"


def test_rounding_is_said_of_folders_parquet_and_text(tmp_path: Path) -> None:
    for name in ("A/0", "B/0"):
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(tmp_path / "folder" / f"{name}.npy", X[0] + (name == "B/0") * 1e-12)
    (changed,) = convert_recordings(tmp_path / "folder", tmp_path / "1.npz").changed
    assert "from float64 to float32: 441 of 882" in changed
    assert f"{tmp_path / 'folder'}/B/0.npy, frame 0, number 0: " in changed
    columns = {"label": ["A", "B"], "f0": [0.5, 0.1]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    (changed,) = convert_recordings(tmp_path / "a.parquet", tmp_path / "2.npz").changed
    assert (
        f"from float64 to float32: 1 of 2, by at most 1e-08 of the number; the first: {tmp_path}/a.parquet, row 2, f0"
        in changed
    )
    (tmp_path / "a.csv").write_text("label,f0\nA,0.5\nB,0.1234567891234\nB,0.1\n")
    (changed,) = convert_recordings(tmp_path / "a.csv", tmp_path / "3.npz").changed
    assert "from more digits to float32: 1 of 3, by at most" in changed
    assert f"the first: {tmp_path}/a.csv, line 3, f0: 0.1234567891234 is 0.123456" in changed


@pytest.mark.parametrize("seed", range(5))
def test_numbers_that_edgekit_or_a_person_wrote_are_never_called_rounded(seed: int) -> None:
    """Text of float32 in nine digits or in as few as tell it apart, and decimals of up to six digits."""
    rng = np.random.default_rng(seed)
    exact = (rng.normal(size=20_000) * 10.0 ** rng.integers(-44, 38, 20_000)).astype(np.float32)
    decimals = np.round(rng.normal(size=20_000), 5) * 10.0 ** rng.integers(-20, 20)
    texts = [*(f"{value:.9g}" for value in exact.tolist()), *exact.astype(str), *(f"{v:.6g}" for v in decimals)]
    values = np.array([float(text) for text in texts])
    assert not len(find_other_digits(values, as_float32(values)))
    more = np.array([float(f"{value:.13g}1") for value in rng.uniform(0.1, 1, 20_000)])
    assert len(find_other_digits(more, as_float32(more))) > 0.999 * len(more), "but for those that end in zeros"


def test_rounding_is_found_at_every_place() -> None:
    values = np.zeros(3 * 2**20)
    places = [0, 2**20 - 1, 2**20, 3 * 2**20 - 1]
    values[places] = 0.1
    assert find_rounded(values, as_float32(values)).tolist() == places
    assert not len(find_rounded(np.array([np.nan, np.inf]), as_float32(np.array([np.nan, np.inf]))))


def test_numbers_beyond_float32_are_refused_and_never_stored_as_infinite(tmp_path: Path) -> None:
    values = X.copy()
    values[3, 2, 1] = 1e39
    path = npz(tmp_path / "a.npz", sequences=values)
    with pytest.raises(DataError, match="take 3, frame 2, feature 1: inf, not a finite float32"):
        convert_recordings(path, tmp_path / "b.npz")
    assert not (tmp_path / "b.npz").exists()


# What recordings do not hold


def test_arrays_that_recordings_do_not_hold_are_lost_and_said(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", tier=np.array(["A"] * 8), camera=np.ones(8))
    done = convert_recordings(path, tmp_path / "b.npz")
    assert done.lost == tuple(f"array '{name}', which recordings do not hold" for name in ("camera", "tier"))
    notes = check_recordings(load_recordings(path)).notes
    assert "left out: array 'tier', which recordings do not hold" in notes


def test_numbers_behind_a_takes_length_are_lost_and_said(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", lengths=np.array([7, 7, 7, 5, 7, 7, 2, 7]))
    (lost,) = convert_recordings(path, tmp_path / "b.npz").lost
    assert lost == f"numbers beyond the length of 2 takes: {path}, take 3; {path}, take 6"
    assert convert_recordings(tmp_path / "b.npz", tmp_path / "c.npz").lost == (), "zeros there are no loss"


def test_files_among_the_takes_are_said(tmp_path: Path) -> None:
    root = numbered(tmp_path / "folder", {})
    for name in ("README.txt", "A/t2/video.mp4", "A/t2/7.NPY", "B/notes.txt", "B/Thumbs.db", "B/.hidden"):
        (root / name).write_bytes(b"x")
    read = load_recordings(root)
    (found,) = remarks(read, "left out")
    assert found.text == "4 files and folders that no layout of recordings has"
    assert found.places == tuple(
        f"{root}/{name}" for name in ("A/t2/7.NPY", "A/t2/video.mp4", "B/notes.txt", "README.txt")
    )
    assert found.short == "files among the takes that were left out: 3"
    (root / "A" / "t2" / "7.NPY").unlink()
    (root / "A" / "t2" / "video.mp4").unlink()
    (root / "B" / "notes.txt").unlink()
    (found,) = remarks(load_recordings(root), "left out")
    assert (found.doubtful, found.short) == (False, ""), "a README beside the classes is nobody's take"


# Labels


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.arange(8, dtype=np.uint8) % 2, ""),
        (np.arange(8, dtype=">i4") % 2, ""),
        (np.arange(8) % 2.0, "float64, read as whole numbers"),
        (np.arange(8) % 2 == 1, "bool, read as whole numbers"),
        (np.array(["A", "B"] * 4), "names, read as indices into class_names"),
        (np.array([b"A", b"B"] * 4), "names, read as indices into class_names"),
        ((np.arange(8) % 2)[:, None], "one column, read as a row"),
        (np.array([["A"], ["B"]] * 4), "one column, read as a row; names, read as indices into class_names"),
        (np.eye(2)[np.arange(8) % 2], "one-hot, read as the index of each row's 1"),
        (np.eye(2, dtype=bool)[np.arange(8) % 2], "one-hot, read as the index of each row's 1"),
    ],
)
def test_labels_that_mean_one_thing_alone_are_read_and_said(labels: Any, said: str, tmp_path: Path) -> None:
    read = load_recordings(npz(tmp_path / "a.npz", labels=labels))
    assert read.labels.tolist() == [0, 1] * 4
    assert [remark.text for remark in read.remarks] == ([f"labels are {said}"] if said else [])


def test_names_as_labels_need_no_class_names(tmp_path: Path) -> None:
    read = load_recordings(npz(tmp_path / "a.npz", labels=np.array(["10", "9"] * 4), class_names=None))
    assert read.class_names == ("9", "10")
    assert read.labels.tolist() == [1, 0] * 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": np.array([0, 1, 0.5, 1] * 2)}, r"labels\[2\] is 0.5, not a whole number; save labels as int64"),
        ({"labels": np.array([0, 1, np.nan, 1] * 2)}, r"labels\[2\] is nan, not a whole number"),
        ({"labels": np.array(["A", "C"] * 4)}, r"labels\[1\] is 'C', none of class_names"),
        ({"labels": np.array(["A", "BB"] * 4)}, r"labels\[1\] is 'BB', none of class_names; did you mean 'B'"),
        ({"labels": np.array(["0", "1"] * 4)}, r"labels\[0\] is '0', .*save numbers as int64: labels.astype"),
        ({"labels": np.array([1, 2] * 4)}, "labels run from 1 to 2; expected 0 to 1: save labels - 1"),
        ({"labels": np.array([0, 2] * 4)}, r"labels\[1\] is 2, allowed is 0\.\.1"),
        ({"labels": np.full((8, 2), 0.5)}, r"not one-hot rows .*per take, such as labels.argmax"),
        ({"labels": np.zeros((8, 3))}, r"labels must have one entry per take \(8,\), got shape \(8, 3\)"),
        ({"labels": np.zeros(8, complex)}, "labels must be whole numbers from 0 to 1 or names out of class_names"),
        ({"labels": np.array(["2020-01-01"] * 8, "datetime64")}, "got datetime64"),
        ({"class_names": None}, "holds no array 'class_names'; save the names of the classes"),
        ({"class_names": np.array([1, 2])}, r"save it as text: class_names.astype\(str\)"),
        ({"lengths": np.full(8, 6.5)}, r"lengths\[0\] is 6.5, not a whole number"),
        ({"signer": np.ones(8)}, r"signer must hold text, got float64; save it as text: signer.astype\(str\)"),
    ],
)
def test_labels_and_names_that_mean_nothing_say_what_to_save(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = npz(tmp_path / "a.npz", **changes)
    with pytest.raises(DataError, match=message) as caught:
        load_recordings(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_names_as_numbers_or_bytes_are_text(tmp_path: Path) -> None:
    changes = {"signer": np.arange(8), "session": np.array([b"x"] * 8), "class_names": np.array([b"A", b"B"])}
    read = load_recordings(npz(tmp_path / "a.npz", lengths=np.full(8, 6.0), **changes))
    assert read.signer is not None
    assert read.session is not None
    assert (read.signer[7], read.session[0], read.class_names) == ("7", "x", ("A", "B"))


def test_the_command_says_it_all_as_text_and_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    numbered(Path("a.csv"), {2: [0, 1, 2, 3, 900, 901, 902]})
    assert run_cli(["data", "check", "a.csv"]) == 0
    text = capsys.readouterr().out
    assert "takes with gaps in their frame numbers: 1 (t2)" in text
    assert "warning: gaps in the frame numbers of 1 take" in text
    assert "a.csv, line 20: take 2 ('t2'), frame 3 is followed by 900" in text
    assert run_cli(["data", "check", "a.csv", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["gap_takes"] == [2]
    assert report["take_files"] == {"2": "a.csv"}
    assert report["remarks"][0]["places"] == ["a.csv, line 20: take 2 ('t2'), frame 3 is followed by 900"]
    npz(Path("b.npz"), sequences=X + 1e-12)
    assert run_cli(["data", "convert", "b.npz", "c.npz", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["changed"][0].startswith("numbers rounded from float64")
    npz(Path("d.npz"), class_names=np.array(["a", " a"]))
    for line in ("data check d.npz", "train edge --data d.npz"):
        assert run_cli(line.split()) == 2
        assert "classes 'a' and ' a' look the same" in re.sub(r"\s+", " ", "".join(capsys.readouterr()))
