"""`hand` and `aspect`, one a take or one for all, in every layout; and what can't be one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edgekit.artifacts import sha256_file
from edgekit.cli import run_cli
from edgekit.data import (
    Recordings,
    check_recordings,
    clean_recordings,
    convert_recordings,
    load_recordings,
    save_recordings,
)
from edgekit.data.pictures import PICTURE
from edgekit.errors import DataError

Make = Callable[..., Recordings]

PLACES = ("a.npz", "a.csv", "a.parquet", "takes")
PEOPLE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "asl-people.npz"
HANDS = np.array(["L", "R", "", "L"])
ASPECTS = np.array([16 / 9, np.nan, 1.0, 0.75], dtype=np.float32)


def pictures(recordings: Recordings) -> tuple[Any, Any]:
    return tuple(None if (x := getattr(recordings, name)) is None else x.tolist() for name in PICTURE)  # type: ignore[return-value]


def npz(path: Path, **more: Any) -> Path:
    x = np.random.default_rng(0).uniform(0.1, 0.9, (4, 3, 63)).astype(np.float32)
    np.savez(path, sequences=x, labels=np.array([0, 1, 0, 1]), class_names=np.array(["A", "B"]), **more)
    return path


def table(path: Path, columns: str, *cells: str) -> Path:
    """A CSV of two numbers a frame, or what Parquet makes of the same columns."""
    lines = [f"t{k},0,{'AB'[k % 2]},{cell},0.1,0.2" for k, cell in enumerate(cells)]
    path.write_text("\n".join([f"take,frame,label,{columns},f0,f1", *lines, ""]), encoding="utf-8")
    return path


def folder(root: Path, pictures_csv: str | None = None) -> Path:
    for name in ("A/0", "A/1", "B/0", "B/1"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(root / f"{name}.npy", np.full((3, 63), 0.5, np.float32))
    if pictures_csv is not None:
        (root / "PICTURES.csv").write_text(pictures_csv, encoding="utf-8")
    return root


# What is kept


@pytest.mark.parametrize("place", PLACES)
def test_both_pass_through_every_layout(place: str, make: Make, tmp_path: Path) -> None:
    before = make([0, 0, 1, 1], hand=HANDS, aspect=ASPECTS)
    save_recordings(tmp_path / place, before)
    conversion = convert_recordings(tmp_path / place, tmp_path / "back.npz")
    assert not [text for text in conversion.lost if "hand" in text or "aspect" in text]
    after = load_recordings(tmp_path / "back.npz")
    np.testing.assert_array_equal(after.hand, HANDS)
    np.testing.assert_array_equal(after.aspect, ASPECTS)


def test_one_for_all_takes_will_do(make: Make, tmp_path: Path) -> None:
    expected = (["L"] * 4, [1.5] * 4)
    assert pictures(make([0, 1, 0, 1], hand="L", aspect=1.5)) == expected
    assert pictures(load_recordings(npz(tmp_path / "a.npz", hand=np.array("L"), aspect=np.array(1.5)))) == expected
    assert pictures(load_recordings(folder(tmp_path / "a", "hand,aspect\nL,1.5\n"))) == expected


def test_unknown_for_every_take_is_as_if_not_given(make: Make, tmp_path: Path) -> None:
    assert pictures(make([0, 1], hand=np.array(["", ""]), aspect=np.array([np.nan, np.nan]))) == (None, None)
    assert pictures(load_recordings(table(tmp_path / "a.csv", "hand,aspect", ",", ","))) == (None, None)


def test_parts_of_the_takes_keep_theirs(make: Make, tmp_path: Path) -> None:
    recordings = make([0, 1, 0, 1], hand=HANDS, aspect=ASPECTS)
    part = recordings.take(np.array([3, 0]))
    assert pictures(part) == (["L", "L"], [0.75, pytest.approx(16 / 9)])
    x = recordings.sequences.copy()
    x[0] = 0.0
    save_recordings(tmp_path / "a.npz", make([0, 1, 0, 1], sequences=x, hand=HANDS, aspect=ASPECTS))
    clean_recordings(tmp_path / "a.npz", tmp_path / "b.npz")
    cleaned = load_recordings(tmp_path / "b.npz")
    np.testing.assert_array_equal(cleaned.hand, HANDS[1:])
    np.testing.assert_array_equal(cleaned.aspect, ASPECTS[1:])


def test_other_programs_tables_are_read(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "Aspect_Ratio,HAND", "1.5, ".strip(), " ,L".strip(), "nan,R")
    read = load_recordings(path)
    assert read.hand is not None
    assert read.hand.tolist() == ["", "L", "R"]
    np.testing.assert_array_equal(read.aspect, np.array([1.5, np.nan, np.nan], np.float32))
    path.write_text("A,L,1.5,0.1\nB,R,,0.2\n", encoding="utf-8")
    read = load_recordings(path, "label,hand,aspect,features")
    np.testing.assert_array_equal(read.aspect, np.array([1.5, np.nan], np.float32))
    columns = {"label": ["A", "B"], "hand": ["L", None], "aspect": [2, None], "f0": [0.1, 0.2]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    read = load_recordings(tmp_path / "a.parquet")
    assert read.hand is not None
    assert read.hand.tolist() == ["L", ""]
    np.testing.assert_array_equal(read.aspect, np.array([2.0, np.nan], np.float32))


def test_a_folder_says_it_in_a_file_of_its_own(tmp_path: Path) -> None:
    root = folder(tmp_path / "a", "aspect,take\n1.5,B/1\n0.75,A/0\n,A/1\n")
    read = load_recordings(root)
    assert read.hand is None
    np.testing.assert_array_equal(read.aspect, np.array([0.75, np.nan, np.nan, 1.5], np.float32))
    assert read.remarks == ()
    digest = sha256_file(root)
    folder(root, "take,hand\nB/2,R\nA/1,L\n")
    assert sha256_file(root) != digest
    read = load_recordings(root)
    assert pictures(read) == (["", "L", "", ""], None)
    (remark,) = read.remarks
    assert (
        remark.sentence() == f"1 row of PICTURES.csv about takes that are not there: {root}/PICTURES.csv, line 2 (B/2)"
    )
    assert remark.sentence() in check_recordings(read).warnings


def test_the_files_digest_covers_them(tmp_path: Path) -> None:
    one, other = (npz(tmp_path / f"{k}.npz", aspect=np.array(aspect)) for k, aspect in enumerate((1.0, 1.5)))
    assert sha256_file(one) != sha256_file(other)


# What can't be one

HAND_RULE = "allowed are L and R, and nothing where it is unknown"
ASPECT_RULE = "a picture's width / height is a number from 0.01 to 100, NaN or empty where it is unknown"


def wrong_arrays() -> Iterator[tuple[dict[str, Any], str]]:
    yield {"hand": np.array(["L", "R", "left", "?"])}, rf"hand\[2\] is 'left'; {HAND_RULE}"
    yield {"hand": np.array("right")}, rf"hand is 'right'; {HAND_RULE}"
    yield {"hand": np.array(["L", "R"])}, r"hand must have one entry per take \(4,\), or be one for all of them"
    yield {"hand": np.array([["L"] * 4])}, "hand must have one entry per take"
    yield {"hand": np.ones(4)}, "hand must hold text"
    yield {"hand": np.arange(4)}, r"hand\[0\] is '0'"
    for value in (0.0, -1.0, np.inf, -np.inf, 1e-3, 640.0, 1e300):
        yield {"aspect": np.array([np.nan, 1.0, 1.0, value])}, rf"aspect\[3\] is {value}; {ASPECT_RULE}"
    yield {"aspect": np.array(0)}, rf"aspect is 0; {ASPECT_RULE}"
    yield (
        {"aspect": np.ones(3)},
        r"aspect must have one entry per take \(4,\), or be one for all of them, got shape \(3,",
    )
    yield {"aspect": np.array(["4:3"] * 4)}, r"aspect must hold numbers \(width / height\), got <U3; save it as float32"
    yield {"aspect": np.ones(4, bool)}, "aspect must hold numbers"
    yield {"aspect": np.ones(4, complex)}, "aspect must hold numbers"


@pytest.mark.parametrize(("arrays", "message"), list(wrong_arrays()))
def test_arrays_that_say_something_else_are_refused(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", **arrays)
    said = message.replace("1e+300", r"1e\+300")
    with pytest.raises(DataError, match=f"^{path}: {said}"):
        load_recordings(path)


WRONG_CELLS = (
    ("hand", "left", rf"hand is 'left'; {HAND_RULE}"),
    ("hand", "l", rf"hand is 'l'; {HAND_RULE}"),
    ("aspect", "0", rf"aspect is 0; {ASPECT_RULE}"),
    ("aspect", "-1.5", rf"aspect is -1\.5; {ASPECT_RULE}"),
    ("aspect", "inf", rf"aspect is inf; {ASPECT_RULE}"),
    ("aspect", "4:3", rf"aspect is '4:3'; {ASPECT_RULE}"),
    ("aspect", "1_0", rf"aspect is '1_0'; {ASPECT_RULE}"),
)


@pytest.mark.parametrize(("column", "cell", "message"), WRONG_CELLS)
def test_cells_that_say_something_else_are_refused_by_line(
    column: str, cell: str, message: str, tmp_path: Path
) -> None:
    fine = {"hand": "L", "aspect": "1.5"}[column]
    path = table(tmp_path / "a.csv", column, fine, "", cell, cell)
    with pytest.raises(DataError, match=f"^{path}, line 4: {message}"):
        load_recordings(path)
    root = folder(tmp_path / "a", f"take,{column}\nA/0,{fine}\nA/1,\nB/0,{cell}\n")
    with pytest.raises(DataError, match=f"^{root}/PICTURES.csv, line 4: {message}"):
        load_recordings(root)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("hand", ["L", "X"], r"a\.parquet, row 2: hand is 'X'"),
        ("hand", [0, 1], r"a\.parquet: column 'hand' must hold text \(L or R\), got int64"),
        ("aspect", [1.0, -2.0], r"a\.parquet, row 2: aspect is -2;"),
        ("aspect", ["1.5", "1.5"], r"a\.parquet: column 'aspect' must hold numbers, got string"),
    ],
)
def test_parquet_that_says_something_else_is_refused(
    column: str, values: list[Any], message: str, tmp_path: Path
) -> None:
    pq.write_table(pa.table({"label": ["A", "B"], column: values, "f0": [0.1, 0.2]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=message):
        load_recordings(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("column", "one", "other"), [("hand", "L", "R"), ("aspect", "1.5", "1"), ("aspect", "1.5", "")]
)
def test_a_take_has_one_of_each(column: str, one: str, other: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"take,frame,label,{column},f0\nt,0,A,{one},1\nt,1,A,{other},1\n", encoding="utf-8")
    with pytest.raises(DataError, match=f"line 3: take 't' has {column} '.*' here and '{one}' before"):
        load_recordings(path)
    path.write_text(f"take,frame,label,{column},f0\nt,0,A,,1\nt,1,A,,1\n", encoding="utf-8")
    assert load_recordings(path).takes == 1, "unknown in all of its frames"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("take,hands\nA/0,L\n", "unknown column 'hands'; did you mean 'hand'"),
        ("take,hand,hand\nA/0,L,L\n", "column 'hand' appears more than once"),
        ("take\nA/0\n", "no column 'hand', 'aspect' or 'tracker'; expected the columns take, hand, aspect"),
        ("", "no column 'hand', 'aspect' or 'tracker'"),
        ("hand\nL\nR\n", "has 2 rows and no column 'take'"),
        ("hand\n", "has 0 rows and no column 'take'"),
        ("take,hand\nA/0\n", "line 2: 1 cells, the first line names 2 columns"),
        ("take,hand\nA/0,L\nA/0,L\n", "line 3: take 'A/0' is there already .*line 2.; keep one of the rows"),
    ],
)
def test_a_folders_file_that_says_something_else_is_refused(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"PICTURES\.csv.*{message}"):
        load_recordings(folder(tmp_path / "a", content))


@pytest.mark.parametrize("command", ["check a.npz", "convert a.npz b.csv", "clean a.npz b.npz"])
def test_commands_end_with_exit_code_2_and_one_message(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    npz(Path("a.npz"), hand=np.array(["L", "R", "X", "L"]))
    assert run_cli(["data", *command.split()]) == 2
    assert capsys.readouterr().err.splitlines() == [f"edgekit: error: a.npz: hand[2] is 'X'; {HAND_RULE}"]
    assert [path.name for path in Path().iterdir()] == ["a.npz"]


def test_the_narrowest_and_the_widest_picture_pass_through_every_layout(tmp_path: Path) -> None:
    """0.01 is a bit less as float32, and still no less than what is allowed."""
    made = load_recordings(npz(tmp_path / "made.npz", aspect=np.array([0.01, 100.0, np.nan, 1.0])))
    for place in PLACES:
        save_recordings(tmp_path / place, made)
        aspect = load_recordings(tmp_path / place).aspect
        assert aspect is not None
        assert (np.nanmin(aspect), np.nanmax(aspect)) == (np.float32(0.01), 100.0), place
    for beyond in (0.0099, 100.001, -1.0, 0.0, np.inf, 1e300):
        with pytest.raises(DataError, match=r"aspect\[0\] is "):
            load_recordings(npz(tmp_path / "made.npz", aspect=np.array([beyond, 1, 1, 1])))


# Real recordings


def test_people_pass_through_every_layout(tmp_path: Path) -> None:
    if not PEOPLE.exists():
        pytest.skip(f"the real recordings are not beside this checkout ({PEOPLE.name})")
    every = load_recordings(PEOPLE)
    assert [remark.sentence() for remark in every.remarks] == ["array 'tier', which recordings do not hold"]
    assert every.hand is not None
    assert np.unique(every.hand, return_counts=True)[1].tolist() == [4210, 126]
    people = every.take(np.arange(0, every.takes, 40))
    for place in PLACES:
        save_recordings(tmp_path / place, people)
        read = load_recordings(tmp_path / place)
        order = np.argsort(people.labels, kind="stable") if place == "takes" else np.arange(people.takes)
        for name in ("sequences", "labels", *PICTURE):
            np.testing.assert_array_equal(getattr(read, name), getattr(people, name)[order], err_msg=f"{place} {name}")


def test_a_table_of_pictures_that_is_a_link_to_nowhere_is_told(tmp_path: Path) -> None:
    root = folder(tmp_path / "takes")
    (root / "PICTURES.csv").symlink_to(tmp_path / "gone.csv")
    with pytest.raises(DataError, match=r"PICTURES\.csv: no such file"):
        load_recordings(root)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ""])
def test_what_found_the_landmarks_is_kept_in_every_layout(tmp_path: Path, suffix: str) -> None:
    """Without hand and aspect, too; two trackers of joined recordings are two names."""
    source = npz(tmp_path / "a.npz", tracker=np.array("one; two, with a comma"))
    target = tmp_path / f"b{suffix}"
    assert "tracker" not in " ".join(convert_recordings(source, target).lost)
    back = load_recordings(target)
    assert back.tracker == "one; two, with a comma"
    assert pictures(back) == (None, None)
    assert convert_recordings(target, tmp_path / "c.npz").lost == ()
    assert load_recordings(tmp_path / "c.npz").tracker == back.tracker


def test_rows_of_two_trackers_and_a_column_of_something_else(tmp_path: Path) -> None:
    assert load_recordings(table(tmp_path / "a.csv", "tracker", "x", "y", "", "x")).tracker == "x; y"
    with pytest.raises(DataError, match=r"a\.csv: column 'tracker' holds more than 1,000 characters \('0; 1; 2; "):
        load_recordings(table(tmp_path / "a.csv", "tracker", *map(str, range(400))))
    assert load_recordings(folder(tmp_path / "f", "take,tracker\nA/0,x\n")).tracker == "x"
