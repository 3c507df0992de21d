"""Every layout gives back what it was given, up to exactly what `losses` says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.data import Layout, Recordings, convert_recordings, load_recordings, losses, save_recordings
from edgekit.errors import ConfigError, DataError

Make = Callable[..., Recordings]

PLACES: dict[Layout, str] = {"npz": "a.npz", "csv": "a.csv", "parquet": "a.parquet", "takes": "a", "frames": "b"}
CLASS_NAMES = ("B", "A", "10", "9", "Ä ö", "手", 'say "x", y', "new\nline", "back\rspace", " space ", "NaN", "_")
ASPECTS = np.array([16 / 9, 4 / 3, 1, 0.1, np.nan], dtype=np.float32)
SIGNERS = np.array(["p", "q;r", "", "日本"])


def random_recordings(seed: int) -> Recordings:
    """Ragged takes of few and many features, lost hands, every kind of float32, names known, unknown and strange."""
    rng = np.random.default_rng(seed)
    takes, frames, features = int(rng.integers(1, 25)), int(rng.integers(1, 24)), int(rng.choice([1, 3, 5, 63, 126]))
    lengths = rng.integers(1, frames + 1, takes)
    x = (rng.normal(size=(takes, frames, features)) * 10.0 ** rng.integers(-44, 38, (takes, 1, 1))).astype(np.float32)
    x[rng.random((takes, frames)) < 0.2] = 0
    x[np.arange(frames) >= lengths[:, None]] = 0
    class_names = tuple(rng.permutation(CLASS_NAMES)[: rng.integers(1, len(CLASS_NAMES) + 1)].tolist())
    labels = rng.integers(0, len(class_names), takes)
    named = [
        None,
        np.array([f"take {k}" for k in rng.permutation(takes)]),
        np.array([f"{class_names[label]}/{k:03d}" for k, label in enumerate(labels)]),
        np.array([f"{class_names[label]}/x{k}.npy" for k, label in enumerate(labels)]),
        np.array(["twice"] * takes),
    ]
    return Recordings(
        sequences=x,
        lengths=lengths,
        labels=np.sort(labels) if rng.random() < 0.3 else labels,
        class_names=class_names,
        signer=rng.choice(SIGNERS, takes) if rng.random() < 0.5 else None,
        session=rng.choice(SIGNERS, takes) if rng.random() < 0.5 else None,
        source="made",
        synthetic=bool(rng.random() < 0.5),
        take_names=named[rng.integers(len(named))],
        hand=rng.choice(["L", "R", ""], takes) if rng.random() < 0.5 else None,
        aspect=rng.choice(ASPECTS, takes) if rng.random() < 0.5 else None,
    )


def described(recordings: Recordings) -> Iterator[dict[str, Any]]:
    """Each take with everything that belongs to it."""
    for k in range(recordings.takes):
        yield {
            "frames": recordings.sequences[k, : recordings.lengths[k]].tolist(),
            "label": recordings.class_names[recordings.labels[k]],
            "signer": None if recordings.signer is None else str(recordings.signer[k]),
            "session": None if recordings.session is None else str(recordings.session[k]),
            "hand": None if recordings.hand is None else str(recordings.hand[k]),
            "aspect": None if recordings.aspect is None else recordings.aspect[k].tobytes(),
            "take name": None if recordings.take_names is None else str(recordings.take_names[k]),
        }


def without(take: dict[str, Any], lost: set[str]) -> dict[str, Any]:
    return {name: value for name, value in take.items() if f"{name}s" not in lost}


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("layout", PLACES)
def test_a_layout_keeps_everything_but_what_it_says(layout: Layout, seed: int, tmp_path: Path) -> None:
    before = random_recordings(seed)
    said = losses(before, layout)
    lost = {text.partition(" (")[0] for text in said}
    save_recordings(tmp_path / PLACES[layout], before, layout)
    after = load_recordings(tmp_path / PLACES[layout])

    assert after.synthetic == before.synthetic
    assert after.sequences.dtype == np.float32
    kept = [name for name in before.class_names if name in {before.class_names[k] for k in before.labels}]
    assert ("classes without takes" in lost) == (len(kept) < before.classes and layout not in ("npz", "parquet"))
    expected = kept if "classes without takes" in lost else list(before.class_names)
    if "order of classes" in lost:
        assert list(after.class_names) != expected
        assert set(after.class_names) == set(expected)
    else:
        assert list(after.class_names) == expected

    if before.take_names is None:
        lost.add("take names")  # a folder's and a table's takes have names; that loses nothing
    old, new = ([without(take, lost) for take in described(found)] for found in (before, after))
    if "order of takes" in lost:
        assert new != old
        old, new = (sorted(takes, key=repr) for takes in (old, new))
    assert new == old
    for name, word in (("signer", "signers"), ("session", "sessions")):
        assert (word in lost) == (getattr(before, name) is not None and getattr(after, name) is None)


@pytest.mark.parametrize("layout", ["npz", "parquet"])
def test_npz_and_parquet_lose_nothing(layout: Layout) -> None:
    for seed in range(40):
        recordings = random_recordings(seed)
        distinct = recordings.take_names is None or len(set(recordings.take_names)) == recordings.takes
        assert losses(recordings, layout) == (() if distinct or layout == "npz" else ("take names",))


@pytest.mark.parametrize("layout", PLACES)
def test_a_second_round_changes_nothing(layout: Layout, tmp_path: Path) -> None:
    """What a layout could hold once, it holds again: names, order and numbers."""
    for seed in range(10):
        target = tmp_path / str(seed) / PLACES[layout]
        save_recordings(target, random_recordings(seed), layout)
        once = load_recordings(target)
        assert losses(once, layout) == ()
        save_recordings(target, once, layout)
        again = load_recordings(target)
        assert list(described(again)) == list(described(once))
        assert again.class_names == once.class_names


@pytest.mark.parametrize("layout", PLACES)
def test_a_finished_target_has_nothing_beside_it(layout: Layout, make: Make, tmp_path: Path) -> None:
    save_recordings(tmp_path / PLACES[layout], make([0, 1]), layout)
    save_recordings(tmp_path / PLACES[layout], make([0, 1, 1]), layout)
    assert [path.name for path in tmp_path.iterdir()] == [PLACES[layout]]
    assert load_recordings(tmp_path / PLACES[layout]).takes == 3


@pytest.mark.parametrize("layout", PLACES)
def test_what_fails_half_way_leaves_the_old_target(
    layout: Layout, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / PLACES[layout]
    save_recordings(target, make([0, 1]), layout)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    for function in ("os.fsync", "numpy.save"):
        monkeypatch.setattr(function, full)
    with pytest.raises(DataError, match="can't be written: No space left"):
        save_recordings(target, make([0, 1, 1]), layout)
    assert [path.name for path in tmp_path.iterdir()] == [PLACES[layout]]
    assert load_recordings(target).takes == 2


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_recordings(tmp_path / "a", make([0, 1]))
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(DataError, match="Input/output error"):
        save_recordings(tmp_path / "a", make([0, 1, 1]))
    assert load_recordings(tmp_path / "a").takes == 2


def test_a_folder_with_anything_else_in_it_is_never_replaced(make: Make, tmp_path: Path) -> None:
    save_recordings(tmp_path / "a", make([0, 1]))
    (tmp_path / "a" / "A" / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"holds notes\.txt, which is not a recording"):
        save_recordings(tmp_path / "a", make([0, 1]))
    assert (tmp_path / "a" / "A" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["a/b", "..", ".", ".hidden", "a\\b", "nul\0byte", "x" * 300, "手" * 100])
@pytest.mark.parametrize("layout", ["takes", "frames"])
def test_a_class_that_can_name_no_folder_is_refused(name: str, layout: Layout, make: Make, tmp_path: Path) -> None:
    recordings = make([0, 1], class_names=("fine", name))
    with pytest.raises(DataError, match="can't name a folder"):
        save_recordings(tmp_path / "below" / "a", recordings, layout)
    assert list(tmp_path.iterdir()) == []
    save_recordings(tmp_path / "a.csv", recordings)
    assert load_recordings(tmp_path / "a.csv").class_names[1] in ("fine", name)


@pytest.mark.parametrize("field", ["class_names", "signer", "session", "take_names"])
def test_a_name_that_is_no_text_never_gets_in(field: str, make: Make) -> None:
    """A file name of bytes that are no UTF-8 becomes such a string."""
    names = np.array(["fine", "caf\udce9"])
    with pytest.raises(DataError, match=rf"test: {field} holds 'caf.udce9', which is not text"):
        make([0, 1], **{field: names})
    with pytest.raises(DataError, match=rf"test: {field} holds a name of 1,001 characters"):
        make([0, 1], **{field: np.array(["fine", "x" * 1001])})


def test_takes_keep_their_names_from_folder_to_file_and_back(make: Make, tmp_path: Path) -> None:
    for name, frames in (("B/first", 3), ("B/second", 2), ("A/10", 4), ("A/9", 1)):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(tmp_path / "in" / f"{name}.npy", np.full((frames, 21, 3), frames))
    for name in ("a.npz", "a.csv", "a.parquet", "takes"):
        assert convert_recordings(tmp_path / "in", tmp_path / name).lost == ()
        names = load_recordings(tmp_path / name).take_names
        assert names is not None
        assert names.tolist() == ["A/9", "A/10", "B/first", "B/second"]
    assert (tmp_path / "takes" / "B" / "second.npy").exists()


@pytest.mark.parametrize(
    ("target", "layout", "message"),
    [
        ("a.txt", None, "nothing is saved as .txt"),
        ("a.csv", "npz", "needs a name that ends in .npz"),
        ("a", "parquet", "needs a name that ends in .parquet"),
        ("a.npz", "takes", "needs a folder"),
    ],
)
def test_suffix_and_layout_have_to_agree(
    target: str, layout: Layout | None, message: str, make: Make, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        save_recordings(tmp_path / target, make([0, 1]), layout)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_layout_is_named(make: Make, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="layout tales: unknown; did you mean 'takes'"):
        save_recordings(tmp_path / "a", make([0, 1]), "tales")  # type: ignore[arg-type]


def test_a_folder_may_have_a_dot_in_its_name(make: Make, tmp_path: Path) -> None:
    save_recordings(tmp_path / "v1.2", make([0, 1]), "takes")
    assert load_recordings(tmp_path / "v1.2").takes == 2


def test_a_conversion_replaces_only_when_told(make: Make, tmp_path: Path) -> None:
    save_recordings(tmp_path / "a.npz", make([0, 1]))
    for name in ("b.csv", "b"):
        convert_recordings(tmp_path / "a.npz", tmp_path / name)
        before = load_recordings(tmp_path / name)
        with pytest.raises(DataError, match="exists already; give --force"):
            convert_recordings(tmp_path / "a.npz", tmp_path / name)
        convert_recordings(tmp_path / "a.npz", tmp_path / name, force=True)
        assert np.array_equal(load_recordings(tmp_path / name).sequences, before.sequences)


def test_a_folder_can_be_converted_in_its_own_place(make: Make, tmp_path: Path) -> None:
    save_recordings(tmp_path / "a", make([0, 1]))
    before = load_recordings(tmp_path / "a")
    convert_recordings(tmp_path / "a", tmp_path / "a", "frames", force=True)
    assert (tmp_path / "a" / "A" / "0" / "0.npy").exists()
    assert np.array_equal(load_recordings(tmp_path / "a").sequences, before.sequences)


def test_a_target_in_its_source_or_around_it_is_refused(make: Make, tmp_path: Path) -> None:
    save_recordings(tmp_path / "a", make([0, 1]))
    for source, target in (("a", "a/B/new"), ("a", "a/new.npz"), ("a/A", ".")):
        with pytest.raises(DataError, match="lies within"):
            convert_recordings(tmp_path / source, tmp_path / target, force=True)
    assert load_recordings(tmp_path / "a").takes == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_place_that_cannot_be_written_is_named(make: Make, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    for layout, name in PLACES.items():
        with pytest.raises(DataError, match="can't be written"):
            save_recordings(locked / name, make([0, 1]), layout)


def test_real_recordings_pass_through_every_file(real: Recordings, tmp_path: Path) -> None:
    real = real.take(np.arange(0, real.takes, 10))
    for name in ("a.csv", "a.parquet"):
        save_recordings(tmp_path / name, real)
        read = load_recordings(tmp_path / name)
        assert losses(real, "csv") == ()
        assert read.class_names == real.class_names
        for field in ("sequences", "lengths", "labels", "signer", "session"):
            assert np.array_equal(getattr(read, field), getattr(real, field)), field
