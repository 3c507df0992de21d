"""Tables of others: which column is what, by what the user says, by names and by numbers; else what to give."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edgekit.cli import run_cli
from edgekit.data import Recordings, load_recordings
from edgekit.data.layouts.columns import parse_columns
from edgekit.data.layouts.landmarks import NAMES, landmark_order, parse_landmark
from edgekit.errors import ConfigError, DataError

#: Of 40 rows, each with its own numbers; exact in float32 and in text.
HAND = np.random.default_rng(0).integers(1, 1000, (40, 63)) / 1024
LABELS = ["B", "A", "C", "B"] * 10
AXES = ["x", "y", "z"]


def table(path: Path, header: Sequence[Any] | None, rows: Sequence[Sequence[Any]]) -> Path:
    lines = ([] if header is None else [header]) + list(rows)
    path.write_text("\n".join(",".join(map(str, line)) for line in lines) + "\n", encoding="utf-8")
    return path


def rows(label_first: bool = True, features: Any = HAND, labels: Sequence[Any] = LABELS) -> list[list[Any]]:
    return [
        [label, *row] if label_first else [*row, label] for label, row in zip(labels, features.tolist(), strict=True)
    ]


def understood(recordings: Recordings) -> str:
    found = [remark.text for remark in recordings.remarks if remark.kind == "layout"]
    return found[0] if found else ""


def assert_pictures(read: Recordings, features: Any = HAND, labels: Sequence[Any] = LABELS) -> None:
    """Every row is a take of one frame, in the file's order, with its own label."""
    np.testing.assert_array_equal(read.sequences[:, 0], features.astype(np.float32))
    assert read.sequences.shape[1] == 1
    assert [read.class_names[label] for label in read.labels] == list(map(str, labels))
    assert "each row is a take of one frame" in understood(read)


def names(style: str) -> list[str]:
    """The names of 63 columns in one of the styles that public projects use."""
    words = [name.replace(" ", "_") for name in NAMES]
    long = [word if word.startswith(("wrist", "thumb", "pinky")) else word.replace("_", "_finger_") for word in words]
    styles = {
        "x0": [f"{axis}{k}" for k in range(21) for axis in AXES],
        "x1": [f"{axis}{k}" for k in range(1, 22) for axis in AXES],
        "X_1": [f"{axis.upper()}_{k}" for k in range(1, 22) for axis in AXES],
        "0_x": [f"{k}_{axis}" for k in range(21) for axis in AXES],
        "lm_0_x": [f"lm_{k}_{axis}" for k in range(21) for axis in AXES],
        "landmark0.x": [f"landmark{k}.{axis}" for k in range(21) for axis in AXES],
        "WRIST_x": [f"{word.upper()}_{axis}" for word in long for axis in AXES],
        "WRIST_X": [f"{word.upper()}_{axis.upper()}" for word in long for axis in AXES],
        "wrist_x": [f"{word}_{axis}" for word in words for axis in AXES],
        "x_Wrist": [f"{axis}_{word.title()}" for word in long for axis in AXES],
        "right_hand_0_x": [f"right_hand_{k}_{axis}" for k in range(21) for axis in AXES],
        "0": [str(k) for k in range(63)],
        "1": [str(k) for k in range(1, 64)],
        "f0": [f"f{k}" for k in range(63)],
    }
    return styles[style]


STYLES = ("x0", "x1", "X_1", "0_x", "lm_0_x", "landmark0.x", "WRIST_x", "WRIST_X", "wrist_x", "x_Wrist",
          "right_hand_0_x", "0", "1", "f0")  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("label", ["label", "class", "Gesture"])
@pytest.mark.parametrize("first", [True, False])
def test_one_row_a_picture_with_names_is_recognised(style: str, label: str, first: bool, tmp_path: Path) -> None:
    header = [label, *names(style)] if first else [*names(style), label]
    read = load_recordings(table(tmp_path / "a.csv", header, rows(first)))
    assert_pictures(read)
    assert understood(read).startswith(f"{tmp_path / 'a.csv'}: columns recognised by their names")
    assert ("label from" in understood(read)) == (label != "label")


@pytest.mark.parametrize("style", [style for style in STYLES if style not in ("0", "1", "f0")])
def test_landmarks_are_put_in_order_by_their_names(style: str, tmp_path: Path) -> None:
    """Such as all x before all y, as some projects write them."""
    order = np.random.default_rng(1).permutation(63)
    header = ["label", *np.array(names(style))[order]]
    assert_pictures(load_recordings(table(tmp_path / "a.csv", header, rows(features=HAND[:, order]))))


def test_two_hands_stand_left_before_right(tmp_path: Path) -> None:
    header = ["label", *(f"{side}_{k}_{axis}" for side in ("right", "left") for k in range(21) for axis in AXES)]
    read = load_recordings(table(tmp_path / "a.csv", header, rows(features=np.hstack([HAND, HAND[::-1]]))))
    assert_pictures(read, np.hstack([HAND[::-1], HAND]))


def test_hands_in_the_plane_and_bodies_are_read_too(tmp_path: Path) -> None:
    flat = [name for name in names("x1") if not name.startswith("z")]
    read = load_recordings(table(tmp_path / "a.csv", ["class", *flat], rows(features=HAND[:, :42])))
    assert_pictures(read, HAND[:, :42])
    pose = ["class", *(f"{axis}{k}" for k in range(1, 34) for axis in ("x", "y", "z", "v"))]
    body = np.tile(HAND, (1, 3))[:, :132]
    assert_pictures(load_recordings(table(tmp_path / "b.csv", pose, rows(features=body))), body)


def test_an_index_as_pandas_writes_it_is_left_out_and_said(tmp_path: Path) -> None:
    numbered = [[k, *row] for k, row in enumerate(rows(False))]
    for index in ("", "Unnamed: 0", "index"):
        read = load_recordings(table(tmp_path / "a.csv", [index, *names("0"), "label"], numbered))
        assert_pictures(read)
        assert f"left out: {index!r}" in understood(read)


@pytest.mark.parametrize("count", [42, 63, 84, 126])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("labels", [LABELS, [3, 0, 1, 2] * 10])
def test_a_table_without_names_is_recognised_by_its_label(
    count: int, first: bool, labels: Sequence[Any], tmp_path: Path
) -> None:
    features = np.hstack([HAND, HAND])[:, :count]
    read = load_recordings(table(tmp_path / "a.csv", None, rows(first, features, labels)))
    assert_pictures(read, features, labels)
    place = "first" if first else "last"
    assert f"no names in the first line; the {place} column read as the label" in understood(read)


def test_takes_without_frame_numbers_are_read_in_the_files_order(tmp_path: Path) -> None:
    lines = [[k // 8, "AB"[k // 8 % 2], *row] for k, row in enumerate(HAND.tolist())]
    read = load_recordings(table(tmp_path / "a.csv", ["video_id", "sign", *names("x0")], lines))
    np.testing.assert_array_equal(read.sequences, HAND.astype(np.float32).reshape(5, 8, 63))
    assert "a take's rows are its frames, in the file's order" in understood(read)
    assert "take from 'video_id'; label from 'sign'" in understood(read)


def test_own_tables_say_nothing_about_their_columns(tmp_path: Path) -> None:
    lines = [[k, 0, label, *row] for k, (label, row) in enumerate(zip(LABELS, HAND.tolist(), strict=True))]
    read = load_recordings(table(tmp_path / "a.csv", ["take", "frame", "label", *names("x0")], lines))
    assert understood(read) == ""
    assert read.remarks == ()


@pytest.mark.parametrize(
    ("said", "order"),
    [
        ("label,features", "l*"),
        ("features,label", "*l"),
        ("skip,label,features", "_l*"),
        ("label,skip:2,features:63", "l__*"),
        ("features:63,skip,label", "*_l"),
        ("take,label,features", "tl*"),
        ("skip, take ,frame,features,label", "_tf*l"),
        ("features:20,skip,features,label", "20*_43*l"),
    ],
)
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_columns_are_what_the_user_says(said: str, order: str, header: bool, kind: str, tmp_path: Path) -> None:
    parts = {"20*_43*l": ["*20", "_", "*43", "l"]}.get(order, list(order))
    lines = []
    for k, (label, row) in enumerate(zip(LABELS, HAND.tolist(), strict=True)):
        cells: dict[str, list[Any]] = {
            "l": [label], "*": row, "_": ["x"], "t": [f"t{k}"], "f": [7], "*20": row[:20], "*43": row[20:],
        }  # fmt: skip
        lines.append([cell for part in parts for cell in cells[part]])
    named = [f"col{k}" for k in range(len(lines[0]))]
    if kind == "parquet":
        columns = {name: [line[k] for line in lines] for k, name in enumerate(named)}
        pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    else:
        table(tmp_path / "a.csv", named if header else None, lines)
    read = load_recordings(tmp_path / f"a.{kind}", said)
    np.testing.assert_array_equal(read.sequences[:, 0], HAND.astype(np.float32))
    assert [read.class_names[label] for label in read.labels] == LABELS
    assert f"read as --columns {said}" in understood(read)
    assert not any(remark.short for remark in read.remarks), "training need not repeat what the user said"


def test_said_columns_with_landmarks_names_are_put_in_order(tmp_path: Path) -> None:
    by_axis = [f"{axis}{k}" for axis in AXES for k in range(21)]
    order = [by_axis.index(name) for name in names("x0")]
    lines = [["note", *row] for row in rows(features=HAND[:, np.argsort(order)])]
    read = load_recordings(table(tmp_path / "a.csv", ["note", "label", *by_axis], lines), "skip,label,features")
    assert_pictures(read)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("", "'' is not a kind of column"),
        ("lable,features", "'lable' is not a kind of column; did you mean 'label'"),
        ("features", "name 'label', too, such as label,features"),
        ("label", "name 'features', too"),
        ("label,label,features", "'label' may appear only once"),
        ("features,label,features", "'features' may appear only once"),
        ("frame,label,features", "frames belong to takes: name 'take', too"),
        ("label:2,features", "only features:N and skip:N have a number"),
        ("label,features:0", "only features:N and skip:N have a number"),
        ("label,features:many", "only features:N and skip:N have a number"),
        ("label,features:", "only features:N and skip:N have a number"),
    ],
)
def test_columns_that_are_none_are_refused(said: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_columns(said)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("label,features:62", "has 64 columns, --columns label,features:62 names 63"),
        ("label,skip:63,features", "has 64 columns, --columns label,skip:63,features names more than 64"),
        ("features,label", "line 1: column 1 is not a number: 'B'"),
    ],
)
def test_columns_have_to_fit_the_table(said: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        load_recordings(table(tmp_path / "a.csv", None, rows()), said)


def test_only_tables_have_columns(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", sequences=np.ones((2, 3, 63)), labels=[0, 1], class_names=["A", "B"])
    for path in (tmp_path / "a.npz", tmp_path):
        with pytest.raises(ConfigError, match=r"only tables .* have columns"):
            load_recordings(path, "label,features")


@pytest.mark.parametrize(
    ("header", "lines", "message"),
    [
        (None, rows(features=HAND[:, :32]), "33 columns holds no names.*such as --columns label,features"),
        (None, [[0, *row] for row in rows(False, labels=[1] * 40)], "it is not clear which is the label"),
        (None, np.arange(40 * 64).reshape(40, 64).tolist(), "it is not clear which is the label"),
        (None, [[1.5, *row] for row in HAND.tolist()], "it is not clear which is the label"),
        (["frame", "hand", "landmark", "x", "y", "z"], [[0, "left", 0, 1, 2, 3]], "one row per landmark"),
        (["gesture_name", "label", *names("x0")], [["A", *row] for row in rows()], "may both be the label"),
        (["frame", "label", *names("x0")], [[0, *row] for row in rows()], "no column 'take' beside 'frame'"),
        (["label", "handedness", *names("x0")], [["A", *row] for row in rows()], "unknown column 'handedness'"),
        (["label", *names("x0")[:-1]], [row[:-1] for row in rows()], "no column 'z20' beside x0 and y20"),
        (["label", *names("WRIST_x")[:-1]], [row[:-1] for row in rows()], "no column 'pinky_tip_z' beside WRIST_x"),
        (["label", *names("x0")[:-1], "X0"], rows(), "column 'x0' and another one are the same landmark"),
        (names("0"), HAND.tolist(), "the columns have no names"),
        (names("x0"), HAND.tolist(), "no column 'label'; expected one row per frame"),
        (["label", *names("x0")], [], "has no rows"),
        (names("0"), [], "has no rows"),
    ],
)
def test_what_nobody_can_tell_is_refused_with_what_to_give(
    header: Any, lines: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_recordings(table(tmp_path / "a.csv", header, lines))
    assert str(caught.value).startswith(f"{tmp_path / 'a.csv'}: ")
    assert len(str(caught.value)) < 600


def test_every_landmark_has_one_name_and_one_place() -> None:
    assert len(NAMES) == len(set(NAMES)) == 21
    assert NAMES[9] == "middle mcp", "the base of the middle finger, as MediaPipe counts"
    assert landmark_order([f"{name} {axis}" for name in NAMES for axis in AXES]) == list(range(63))


@pytest.mark.parametrize(
    "name", ["", "x", "label", "x0y1", "temperature_x", "x_0_y_1_2", "index", "left_right_0_x", "f0"]
)
def test_what_is_no_landmark_is_none(name: str) -> None:
    assert parse_landmark(name) is None


def test_the_route_from_a_foreign_table_to_recordings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """convert, check, clean and train take --columns; a work directory remembers it."""
    monkeypatch.chdir(tmp_path)
    table(Path("theirs.csv"), None, [["x", *row] for row in rows(False, labels=["A", "B"] * 20)])
    assert run_cli(["data", "check", "theirs.csv"]) == 2
    assert "say what they are, such as --columns" in capsys.readouterr().err
    said = ["--columns", "skip,features,label"]
    assert run_cli(["data", "convert", "theirs.csv", "mine.npz", *said]) == 0
    out = capsys.readouterr().out
    assert "mine.npz: 40 takes of 2 classes, 63 features per frame" in out
    assert "note: theirs.csv: read as --columns skip,features,label; 63 features" in out
    assert out.splitlines()[-1] == "nothing lost"
    assert load_recordings(Path("mine.npz")).takes == 40
    assert run_cli(["data", "clean", "theirs.csv", "clean.npz", *said]) == 0
    assert run_cli(["data", "check", "theirs.csv", "--json", *said]) == 0
    capsys.readouterr()
    quick = ["--set=training.epochs=1", "--threads=1", "--set=logging.tensorboard=false"]
    assert run_cli(["train", "edge", "--data=theirs.csv", *said, *quick]) == 0
    assert f"data check {tmp_path / 'theirs.csv'} --columns skip,features,label` says where" in capsys.readouterr().err
    assert run_cli(["evaluate", "edgekit-work/models/edge/model.onnx", "--part=all", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["takes"] == 40
    for line, message in {
        "train edge --columns label,features --workdir other": "there is no table without --data",
        "data check mine.npz --columns label,features": "only tables",
        "data check theirs.csv --columns lable": "did you mean 'label'",
        "train edge --data theirs.csv --columns lable --workdir other": "did you mean 'label'",
    }.items():
        assert run_cli(line.split()) == 2, line
        assert message in capsys.readouterr().err
