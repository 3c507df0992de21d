"""One row a frame: which CSV and Parquet files are recordings, and what is said about those that are none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edgekit.data import Recordings, load_leniently, load_recordings, save_recordings
from edgekit.errors import DataError

HAND = [f"{axis}{k}" for k in range(21) for axis in "xyz"]


def csv_file(path: Path, *lines: str, header: str = "take,frame,label,f0,f1") -> Path:
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return path


def frames(recordings: Recordings, take: int) -> list[list[float]]:
    found: list[list[float]] = recordings.sequences[take, : recordings.lengths[take]].tolist()
    return found


def test_rows_make_takes_in_order_of_first_appearance_and_frames_by_number(tmp_path: Path) -> None:
    rows = ("b,2,yes,5,6", "a,0,no,7,8", "b,1,yes,3,4", "b,-3,yes,1,2")
    read = load_recordings(csv_file(tmp_path / "a.csv", *rows))
    assert frames(read, 0) == [[1, 2], [3, 4], [5, 6]]
    assert frames(read, 1) == [[7, 8]]
    assert read.class_names == ("no", "yes")
    assert read.labels.tolist() == [1, 0]
    assert read.take_names is not None
    assert read.take_names.tolist() == ["b", "a"]
    assert read.signer is None


def test_columns_may_stand_in_any_order(tmp_path: Path) -> None:
    read = load_recordings(csv_file(tmp_path / "a.csv", "2,A,1,ann,t,0", header="f1,label,f0,signer,take,frame"))
    assert frames(read, 0) == [[1, 2]]
    assert read.signer is not None
    assert read.signer.tolist() == ["ann"]


def test_sixty_three_columns_are_landmarks_in_trackers_order(tmp_path: Path) -> None:
    columns = ["take", "frame", "label", *sorted(HAND)]
    values = [str(HAND.index(name)) for name in sorted(HAND)]
    read = load_recordings(csv_file(tmp_path / "a.csv", ",".join(["t", "0", "A", *values]), header=",".join(columns)))
    assert frames(read, 0) == [list(range(63))]


def test_a_row_without_features_is_a_frame_without_a_hand(tmp_path: Path) -> None:
    read = load_recordings(csv_file(tmp_path / "a.csv", "t,0,A,,", "t,1,A,1,2", "t,2,A, , "))
    assert frames(read, 0) == [[0, 0], [1, 2], [0, 0]]


def test_what_spreadsheets_leave_is_no_obstacle(tmp_path: Path) -> None:
    """A byte order mark, spaces in the header, CRLF, empty lines and rows at the end, empty optional columns."""
    text = "\ufefftake , frame,label,f0,signer,session\r\n1,0,A,0.5,,\r\n\r\n1,1,A,1e-3,,\r\n,,,,,\r\n"
    (tmp_path / "a.CSV").write_text(text, encoding="utf-8", newline="")
    read = load_recordings(tmp_path / "a.CSV")
    assert frames(read, 0) == [[0.5], [np.float32(1e-3)]]
    assert read.signer is None
    assert read.session is None


def test_any_row_that_is_synthetic_makes_the_recordings_so(tmp_path: Path) -> None:
    header = "take,frame,label,f0,synthetic"
    assert load_recordings(csv_file(tmp_path / "a.csv", "1,0,A,1,", "2,0,A,1,TRUE", header=header)).synthetic
    assert not load_recordings(csv_file(tmp_path / "b.csv", "1,0,A,1,0", "2,0,A,1,false", header=header)).synthetic


@pytest.mark.parametrize("value", [1.0, 1 / 3, 1e-45, 3.4028235e38, 1.17549435e-38, 16777217.0, 0.1, -0.3])
def test_every_float32_comes_back_from_text(value: float, tmp_path: Path) -> None:
    x = np.full((1, 1, 5), np.float32(value))
    x[0, 0, 1:] = np.nextafter(x[0, 0, 1:], np.float32(0))
    made = Recordings(x, np.array([1]), np.array([0]), ("A",), None, None, "made")
    save_recordings(tmp_path / "a.csv", made)
    assert np.array_equal(load_recordings(tmp_path / "a.csv").sequences, x)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("t,0,A,1,2", "t,0,A,3,4"), "line 3: take 't' has frame 0 already .*line 2.*number takes across"),
        (("t,0,A,1,2", "u,0,A,1,2", "t,1,B,3,4"), "line 4: take 't' has label 'B' here and 'A' before .*line 2"),
        (("t,0,A,1,",), "line 2: 1 of 2 features are empty .f1 first"),
        (("t,0,A,1,2", "t,1,A,x,2"), "line 3: f0 is not a number: 'x'"),
        (("t,0,A,1,2", "t,1,A,1_0,2"), "line 3: f0 is not a number: '1_0'"),
        (("t,0,A,1,2", "t,1,A,1,\u0663"), "line 3: f1 is not a number: '\u0663'"),
        (("t,0,A,1,2", "t,1_0,A,1,2"), "line 3: frame must be a whole number, got '1_0'"),
        (("t,0,A,1,2", "t,\u0661,A,1,2"), "line 3: frame must be a whole number, got '\u0661'"),
        (("t,0,A,1,nan",), "line 2: holds NaN or infinite"),
        (("t,0,A,1,1e39",), "line 2: holds NaN or infinite"),
        (("t,0.5,A,1,2",), "line 2: frame must be a whole number, got '0.5'"),
        (("t," + "9" * 30 + ",A,1,2",), "line 2: frame must be a whole number"),
        (("t,,A,1,2",), "line 2: 'frame' is empty"),
        ((",0,A,1,2",), "line 2: 'take' is empty"),
        (("t,0,,1,2",), "line 2: 'label' is empty"),
        (("t,0,A,1,2", "", "t,1,A,1"), "line 4: 4 cells, the first line names 5 columns"),
        (("t,0,A,1,2,3",), "line 2: 6 cells"),
        (('t,0,"A,1,2',), "line .: not valid CSV"),
        ((), "has no rows"),
    ],
)
def test_a_bad_line_is_named(lines: tuple[str, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_recordings(csv_file(tmp_path / "a.csv", *lines))
    assert str(caught.value).startswith(str(tmp_path / "a.csv"))


@pytest.mark.parametrize("column", ["signer", "session"])
def test_a_take_belongs_to_one_person_and_session(column: str, tmp_path: Path) -> None:
    path = csv_file(tmp_path / "a.csv", "t,0,A,1,ann", "t,1,A,1,bob", header=f"take,frame,label,f0,{column}")
    with pytest.raises(DataError, match=f"line 3: take 't' has {column} 'bob' here and 'ann' before"):
        load_recordings(path)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("take,frame,lable,f0", "unknown column 'lable'; did you mean 'label'"),
        ("take,frame,label,singer,f0", "unknown column 'singer'; did you mean 'signer'"),
        ("take,frame,label,X0", "no column 'x1' beside X0"),
        (
            "take,frame,label,temperature,f0",
            "unknown column 'temperature'; expected one row per frame, such as take,frame,label",
        ),
        (",take,frame,label,name,f0", "unknown column 'name'"),
        ("take,frame,label,f01", "unknown column 'f01'"),
        ("frame,label,f0", "no column 'take' beside 'frame'"),
        ("take,frame,f0", "no column 'label'; expected one row per frame.*--columns label,features"),
        ("gesture,label,f0", "'gesture' and 'label' may both be the label"),
        ("frame,hand,landmark,x,y,z", "one row per landmark"),
        ("take,frame,label", "no columns with features; expected"),
        ("take,frame,label,f0,f2", "no column 'f1' beside f0 and f2"),
        ("take,frame,label,x0,y0,z0,x1,y1,z1", "no column 'x2' beside x0 and z1"),
        ("take,frame,label," + ",".join(HAND) + ",x21", "no column 'y21'"),
        ("take,frame,label,x0,f0", "has both x0 and f0"),
        ("take,frame,label,f0,f0", "column 'f0' appears more than once"),
        ("take;frame;label;f0", "not separated by commas"),
        ("take\tframe\tlabel\tf0", "not separated by commas"),
        ("", "the first line of 4 columns holds no names"),
    ],
)
def test_a_bad_header_is_explained(header: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        load_recordings(csv_file(tmp_path / "a.csv", "t,0,A,1", header=header))
    if header and "more than once" not in message and "commas" not in message:
        names = header.split(",")
        pq.write_table(pa.table({name: pa.array([1]) for name in names}), tmp_path / "a.parquet")
        with pytest.raises(DataError, match=message):
            load_recordings(tmp_path / "a.parquet")


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"take,frame,label,f0\n1,0,\xff,1\n")
    with pytest.raises(DataError, match="is not UTF-8"):
        load_recordings(tmp_path / "a.csv")
    (tmp_path / "b.csv").touch()
    with pytest.raises(DataError, match="the file is empty"):
        load_recordings(tmp_path / "b.csv")
    for content in (b"", b"PAR1", b"take,frame,label\n", b"PAR1" + bytes(100) + b"PAR1"):
        (tmp_path / "a.parquet").write_bytes(content)
        with pytest.raises(DataError, match="can't be read as Parquet"):
            load_recordings(tmp_path / "a.parquet")


GOOD: dict[str, Any] = {
    "take": ["t", "t", "u"],
    "frame": [0, 1, 0],
    "label": ["A", "A", "B"],
    "f0": [1.0, None, 3.0],
    "f1": [2.0, None, 4.0],
}


def parquet_file(path: Path, metadata: dict[bytes, bytes] | None = None, **changes: Any) -> Path:
    columns = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path)
    return path


def test_parquet_of_others_is_read(tmp_path: Path) -> None:
    """Integers as names, float64, dictionaries and nulls, as pandas writes them."""
    path = parquet_file(
        tmp_path / "a.parquet", take=[7, 7, 5], label=pa.array(["A", "A", "B"]).dictionary_encode(), signer=["s"] * 3
    )
    read = load_recordings(path)
    assert frames(read, 0) == [[1, 2], [0, 0]]
    assert frames(read, 1) == [[3, 4]]
    assert read.class_names == ("A", "B")
    assert read.take_names is not None
    assert read.take_names.tolist() == ["7", "5"]
    assert not read.synthetic


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"f1": [2.0, 1.0, 4.0]}, "row 2: 1 of 2 features are null .f0 first"),
        ({"f0": [1.0, None, float("nan")]}, "row 3: holds NaN or infinite"),
        ({"f0": ["a", "b", "c"]}, "column 'f0' must hold numbers, got string"),
        ({"take": ["t", None, "u"]}, "row 2: 'take' is null"),
        ({"take": [1.0, 0.5, 1.5]}, "row 2: 'take' is 0.5, not a whole number"),
        ({"frame": [0.0, 1.5, 0.0]}, "row 2: 'frame' is 1.5, not a whole number"),
        ({"frame": ["0", "1", "0"]}, "column 'frame' must hold whole numbers, got string"),
        ({"label": [[1], [1], [2]]}, "column 'label' must hold text or whole numbers, got list"),
        ({"f0": [[1.0], [1.0], [2.0]]}, "column 'f0' must hold numbers, got list"),
        ({"frame": [0, 0, 0]}, "row 2: take 't' has frame 0 already"),
        ({"label": ["A", "B", "B"]}, "row 2: take 't' has label 'B' here and 'A' before"),
        ({"synthetic": ["maybe"] * 3}, "can't be read as Parquet: Failed to parse value: maybe"),
        ({"metadata": {b"edgekit": b"{"}}, "edgekit metadata: .*it is damaged"),
        ({"metadata": {b"edgekit": b'{"class_names": ["A"]}'}}, "does not know all labels"),
    ],
)
def test_a_bad_column_or_row_of_parquet_is_named(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_recordings(parquet_file(tmp_path / "a.parquet", **changes))
    assert str(caught.value).startswith(str(tmp_path / "a.parquet"))


def test_a_lenient_reader_names_the_frames_that_hold_no_numbers(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "a.csv", "t,0,A,1,2", "u,0,A,1,2", "u,1,A,inf,2", "u,2,A,1,nan")
    parquet_file(tmp_path / "a.parquet", f0=[1.0, float("inf"), 2.0], f1=[1.0, 1.0, 2.0])
    read, bad = load_leniently(path)
    assert [(one.take, one.frame) for one in bad] == [(1, 1), (1, 2)]
    assert frames(read, 1) == [[1, 2], [0, 0], [0, 0]], "a frame with a number that is none is a lost frame"
    assert [(one.take, one.frame) for one in load_leniently(tmp_path / "a.parquet")[1]] == [(0, 1)]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_damage_anywhere_is_an_error_of_ours_or_recordings_still(name: str, tmp_path: Path) -> None:
    """Truncated or with changed bytes, a table loads or raises DataError, nothing else."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 5, 5)).astype(np.float32)
    made = Recordings(x, np.arange(6) % 5 + 1, np.arange(6) % 2, ("A", "B"), np.array(["p"] * 6), None, "made", True)
    save_recordings(tmp_path / name, made)
    whole = (tmp_path / name).read_bytes()
    refused = 0
    for k in range(300):
        content = bytearray(whole[: rng.integers(len(whole))] if k % 3 == 0 else whole)
        if k % 3 and content:
            content[rng.integers(len(content))] = int(rng.integers(256))
        (tmp_path / name).write_bytes(bytes(content))
        try:
            load_recordings(tmp_path / name)
        except DataError:
            refused += 1
    assert refused > 100


WITHOUT_PYARROW = """
import sys
sys.modules["pyarrow"] = None
from pathlib import Path
from edgekit.data import SynthConfig, load_recordings, save_recordings, synthesise_hands
from edgekit.errors import MissingExtraError
hands = synthesise_hands(SynthConfig(people=1, takes_per_letter=2))
save_recordings(Path("a.csv"), hands)
assert load_recordings(Path("a.csv")).takes == hands.takes
Path("b.parquet").touch()
for call in (lambda: save_recordings(Path("a.parquet"), hands), lambda: load_recordings(Path("b.parquet"))):
    try:
        call()
    except MissingExtraError as error:
        print(error, error.exit_code)
"""


def test_parquet_alone_needs_pyarrow_and_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_PYARROW]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert finished.stdout == "a .parquet file needs pyarrow: pip install '.[parquet]' in a clone of edgekit 2\n" * 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.parquet"]
