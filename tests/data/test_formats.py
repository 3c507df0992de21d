from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.data import Recordings, SynthConfig, load_recordings, read_take, save_recordings, synthesise_hands
from edgekit.errors import DataError

Make = Callable[..., Recordings]


def arrays(**changes: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "sequences": np.ones((4, 3, 63), np.float32),
        "labels": np.array([0, 0, 1, 1]),
        "class_names": np.array(["A", "B"]),
    }
    merged = {**whole, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def write(path: Path, **changes: Any) -> Path:
    np.savez(path, **arrays(**changes))
    return path


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    made = synthesise_hands(SynthConfig(people=1, takes_per_letter=2))
    save_recordings(tmp_path / "a.npz", made)
    loaded = load_recordings(tmp_path / "a.npz")
    for name in ("sequences", "lengths", "labels", "signer", "session"):
        assert np.array_equal(getattr(made, name), getattr(loaded, name)), name
    assert loaded.class_names == made.class_names
    assert loaded.synthetic, "synthetic takes must say so wherever they go"
    assert loaded.source == str(tmp_path / "a.npz")


def test_the_same_recordings_give_the_same_bytes(make: Make, tmp_path: Path) -> None:
    save_recordings(tmp_path / "a.npz", make([0, 1]))
    save_recordings(tmp_path / "b.npz", make([0, 1]))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_saving_leaves_nothing_else_behind(make: Make, tmp_path: Path) -> None:
    save_recordings(tmp_path / "a.npz", make([0, 1]))
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]
    with pytest.raises(DataError, match="can't be written"):
        save_recordings(tmp_path / "a.npz" / "b.npz", make([0, 1]))


def test_without_lengths_every_frame_counts(tmp_path: Path) -> None:
    assert load_recordings(write(tmp_path / "a.npz")).lengths.tolist() == [3, 3, 3, 3]


def test_frames_behind_a_take_are_zeros_whatever_the_file_holds(tmp_path: Path) -> None:
    sequences = np.ones((4, 3, 63), np.float32)
    sequences[1, 2] = np.nan
    loaded = load_recordings(write(tmp_path / "a.npz", sequences=sequences, lengths=np.array([3, 2, 1, 3])))
    assert not loaded.sequences[1, 2].any()
    assert loaded.sequences[0].all()


@pytest.mark.parametrize("features", [1, 5, 63, 126])
def test_any_feature_count_is_read(tmp_path: Path, features: int) -> None:
    path = write(tmp_path / "a.npz", sequences=np.ones((4, 3, features), np.float64))
    assert load_recordings(path).features == features


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sequences": None}, "no array 'sequences'"),
        ({"labels": None}, "no array 'labels'"),
        ({"class_names": None}, "no array 'class_names'"),
        ({"sequences": np.ones((0, 3, 63), np.float32), "labels": np.zeros(0, np.int64)}, "takes >= 1"),
        ({"sequences": np.ones((4, 63), np.float32)}, r"shape \(4, 63\)"),
        ({"sequences": np.full((4, 3, 2), "x")}, "sequences must be float32"),
        ({"class_names": np.array([1, 2])}, "class_names must be a text array"),
        ({"class_names": np.array("A")}, "class_names must be a text array"),
        ({"labels": np.array([0, 1, 2, 1])}, r"labels\[2\] is 2"),
        ({"lengths": np.array([3, 4, 3, 3])}, r"lengths\[1\] is 4"),
        ({"lengths": np.array([3, 0, 3, 3])}, r"lengths\[1\] is 0"),
        ({"lengths": np.array([3, 3])}, "one entry per take"),
        ({"synthetic": np.array(3)}, "one bool"),
        ({"sequences": np.full((4, 3, 63), None)}, "'sequences' holds pickled"),
        ({"class_names": np.array(["A", None], dtype=object)}, "'class_names' holds pickled"),
    ],
)
def test_faulty_arrays_are_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "a.npz", **changes)
    with pytest.raises(DataError, match=message) as caught:
        load_recordings(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x93NUMPY\x01\x00", b"PK\x03\x04"])
def test_files_that_are_no_archives_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npz"):
        load_recordings(path)


def test_a_single_array_under_the_wrong_name_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.ones((4, 3, 63)))
    (tmp_path / "a.npz").write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match=r"not an \.npz archive"):
        load_recordings(tmp_path / "a.npz")


def test_missing_and_unknown_paths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        load_recordings(tmp_path / "none.npz")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DataError, match="unknown kind"):
        load_recordings(tmp_path / "a.txt")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_files_without_permission_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz")
    path.chmod(0)
    with pytest.raises(DataError, match="can't be read"):
        load_recordings(path)


def test_damage_anywhere_is_an_error_of_ours_or_harmless(make: Make, tmp_path: Path) -> None:
    """Truncated at many places and with flipped bytes, a file loads as it was or raises DataError, nothing else."""
    path = tmp_path / "a.npz"
    save_recordings(path, make([0, 0, 1, 1], features=5))
    whole = path.read_bytes()
    before = load_recordings(path)
    rng = np.random.default_rng(0)
    damaged = [whole[:size] for size in range(0, len(whole), max(1, len(whole) // 40))]
    for _ in range(200):
        content = bytearray(whole)
        content[rng.integers(len(whole))] ^= int(rng.integers(1, 256))
        damaged.append(bytes(content))
    refused = 0
    for content in damaged:
        path.write_bytes(content)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # zipfile warns about duplicate names before it fails
                after = load_recordings(path)
        except DataError:
            refused += 1
        else:
            assert np.array_equal(after.sequences, before.sequences)
    assert refused > len(damaged) / 2


def folder(root: Path, frames: dict[str, Any]) -> Path:
    for name, frame in frames.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(root / name, frame)
    return root


def test_a_folder_holds_classes_takes_and_frames(tmp_path: Path) -> None:
    frames = {f"B/0/{k}.npy": np.full(63, k + 1.0) for k in range(12)}
    frames |= {f"A/{take}/{k}.npy": np.full((21, 3), 10.0 * take) for take in (2, 10) for k in range(3)}
    root = folder(tmp_path / "hands", frames)
    (root / ".DS_Store").write_bytes(b"x")
    (root / "README.txt").write_text("notes")
    loaded = load_recordings(root)
    assert loaded.class_names == ("A", "B")
    assert loaded.labels.tolist() == [0, 0, 1]
    assert loaded.lengths.tolist() == [3, 3, 12]
    assert loaded.sequences[:, 0, 0].tolist() == [20.0, 100.0, 1.0], "take 2 comes before take 10"
    assert loaded.sequences[2, :, 0].tolist() == [k + 1.0 for k in range(12)], "frame 2 comes before frame 10"
    assert not loaded.sequences[0, 3:].any()
    assert loaded.signer is None
    assert loaded.session is None


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.full(63, np.nan), "NaN or infinite"),
        (np.full(63, np.inf), "NaN or infinite"),
        (np.ones(62), "62 features, the frames before it have 63"),
        (np.ones((2, 3, 4)), r"shape \(2, 3, 4\)"),
        (np.ones(()), r"shape \(\)"),
        (np.array(["x"] * 63), "must hold numbers"),
        (np.full(63, None), "pickled"),
    ],
)
def test_a_bad_frame_is_named(tmp_path: Path, bad: Any, message: str) -> None:
    root = folder(tmp_path, {"A/0/0.npy": np.ones(63), "A/0/1.npy": np.ones(63), "A/1/0.npy": bad})
    with pytest.raises(DataError, match=message) as caught:
        load_recordings(root)
    assert str(root / "A" / "1" / "0.npy") in str(caught.value)


def test_a_take_may_be_one_file(tmp_path: Path) -> None:
    takes = {"A/10.npy": np.full((3, 63), 10.0), "A/9.npy": np.full((2, 21, 3), 9.0), "B/x/0.npy": np.ones((21, 3))}
    loaded = load_recordings(folder(tmp_path, takes))
    assert loaded.lengths.tolist() == [2, 3, 1]
    assert loaded.sequences[:, 0, 0].tolist() == [9.0, 10.0, 1.0]
    assert loaded.take_names is not None
    assert loaded.take_names.tolist() == ["A/9", "A/10", "B/x"]


def test_a_take_in_the_folder_and_alone_are_read_by_one_reader(tmp_path: Path) -> None:
    folder(tmp_path, {"A/0.npy": np.arange(4 * 63, dtype=np.int16).reshape(4, 21, 3)})
    assert np.array_equal(read_take(tmp_path / "A" / "0.npy"), load_recordings(tmp_path).sequences[0])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.ones(63), r"a take must be \(frames, features\) .* got shape \(63,\)"),
        (np.ones((21, 3)), "is one frame of landmarks, not a take"),
        (np.ones((42, 3)), "is one frame of landmarks, not a take"),
        (np.ones((0, 63)), r"got shape \(0, 63\)"),
        (np.ones((5, 21, 2)), r"got shape \(5, 21, 2\)"),
        (np.ones((5, 62)), "62 features, the frames before it have 63"),
        (np.full((5, 63), np.nan), "frame 0 holds NaN"),
        (np.full((5, 63), "x"), "must hold numbers"),
    ],
)
def test_a_bad_take_is_named(tmp_path: Path, bad: Any, message: str) -> None:
    root = folder(tmp_path, {"A/0.npy": np.ones((4, 63)), "A/1.npy": bad})
    with pytest.raises(DataError, match=message) as caught:
        load_recordings(root)
    assert str(root / "A" / "1.npy") in str(caught.value)


def test_a_class_of_files_and_folders_is_refused(tmp_path: Path) -> None:
    root = folder(tmp_path, {"A/0.npy": np.ones((4, 63)), "A/1/0.npy": np.ones(63)})
    with pytest.raises(DataError, match=r"A: holds both folders \(1\) and \.npy files \(0\.npy\)"):
        load_recordings(root)


@pytest.mark.parametrize("content", [b"", b"text", b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'"])
def test_a_damaged_frame_is_named(tmp_path: Path, content: bytes) -> None:
    root = folder(tmp_path, {"A/0/0.npy": np.ones(63)})
    (root / "A" / "0" / "1.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"1\.npy"):
        load_recordings(root)


def test_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no class folders"):
        load_recordings(tmp_path)
    (tmp_path / "A").mkdir()
    with pytest.raises(DataError, match="A: the class has no takes"):
        load_recordings(tmp_path)
    (tmp_path / "A" / "0").mkdir()
    with pytest.raises(DataError, match="0: the take holds no"):
        load_recordings(tmp_path)


def test_real_recordings_load(real: Recordings) -> None:
    assert real.sequences.shape == (3000, 20, 63)
    assert real.classes == 26
    assert not real.synthetic
