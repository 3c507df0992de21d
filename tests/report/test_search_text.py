"""What a search shows: its text, its picture, and the keys of its JSON."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.artifacts import json_text
from edgekit.errors import GateError
from edgekit.measure import Machine
from edgekit.report import choice_text, draw_front, ruled_out_text, search_text, student_line
from edgekit.results import DataDescription, Int8Loss
from edgekit.results.searching import (
    FrontRow,
    Recipe,
    RuledOut,
    SearchedModel,
    SearchResult,
    StudentPoint,
    StudentTrial,
)

LARGE = RuledOut(
    StudentPoint("lstm", 64, 2, True), Recipe(0.0, "int8-weights"), "size", "110.0 KB, allowed 100.0 KB", 1.1
)
GRU = RuledOut(StudentPoint("gru", 64, 1, False), Recipe(0.0, "int8-dynamic"), "impossible", "a GRU can't have that")


def model(hidden: int, accuracy: float, size: int, scheme: str = "int8-weights") -> SearchedModel:
    loss = Int8Loss(200, accuracy, accuracy, 0.0, 0.0, 0, 0, 0)
    return SearchedModel(
        StudentPoint("lstm", hidden, 1, hidden > 20), Recipe(0.5, scheme), 9_000, 100_000, size, "5" * 64, loss
    )


SMALL, BEST, WORSE = model(16, 0.93, 12_000), model(32, 0.94, 30_000), model(24, 0.9, 20_000, "int8-dynamic")


def row(number: int, one: SearchedModel, verdict: str = "pass") -> FrontRow:
    weakest = "Raspberry Pi Zero 2 W: memory bound 86.53 MB, allowed 307.20 MB: pass"
    file, settings = Path(f"w/search/models/{one.name}.onnx"), Path(f"w/search/point-{number}.yaml")
    return FrontRow(number, one, file, number * 4e-5, 57_690_000, verdict, weakest, settings)  # type: ignore[arg-type]


@pytest.fixture
def result() -> SearchResult:
    """Three files, two on the front, the smaller one taken; one student given up, one that failed."""
    trials = (
        StudentTrial(SMALL.point, "finished", (0.5, 0.9), 20_000, 200_000, 61.0, (SMALL, WORSE)),
        StudentTrial(BEST.point, "finished", (0.6, 0.9), 60_000, 600_000, 90.0, (BEST,)),
        StudentTrial(replace(BEST.point, num_layers=2), "pruned", (0.3,), 90_000, 900_000, 20.0),
    )
    rows = (row(1, SMALL), row(2, BEST))
    return SearchResult(
        profile="raspberry-pi",
        min_accuracy=0.9,
        epochs=30,
        recovery_epochs=15,
        size=4,
        files=8,
        trials=trials,
        ruled_out=(LARGE, GRU),
        latencies_s={SMALL.name: 4e-5, BEST.name: 8e-5, WORSE.name: 9e-5},
        front=rows,
        chosen=1,
        reason=choice_text(rows[0], rows[1], 0.017),
        commands=("edgekit quantize --config w/search/point-1.yaml", "edgekit bench --profile raspberry-pi"),
        picture=None,
        data=DataDescription(
            source="signs.npz", synthetic=False, sha256="0", takes=1000, classes=26, features=63, train=600,
            validation=200, test=200,
        ),
        machine=Machine(cpu_model="Test CPU", cores=2, python="3.11.2", numpy="2.0.0", onnxruntime="1.20.0"),
    )  # fmt: skip


def test_the_text_says_what_there_is_which_it_would_take_and_what_to_type(result: SearchResult) -> None:
    table = search_text(result).split("\n\n", 1)[0].strip("\n").splitlines()
    assert [" ".join(line.split()) for line in table if "─" not in line] == [
        "row student sparsity scheme accuracy 95 % file p50 here memory verdict",
        "1 * LSTM 16x1 0.5 weights 93.0 % 89 to 96 12.0 KB 0.04 ms 57.69 MB pass",
        "2 LSTM 32x1, bidirectional 0.5 weights 94.0 % 90 to 97 30.0 KB 0.08 ms 57.69 MB pass",
    ]
    assert search_text(result).split("\n\n", 1)[1].splitlines() == [
        "3 of 4 students: 2 taught to the end, 1 given up, 0 failed; 3 files, 0 of them below 90.0 %",
        "not trained: 2 of 8 files (1 too large, 1 not possible); closest: LSTM 64x2, bidirectional, sparsity 0,"
        " int8-weights: 110.0 KB, allowed 100.0 KB",
        "accuracy: of the quantised file on validation takes, after 30 epochs and 15 of recovery; the best of many on"
        " the same takes is flattered, and the test takes were not read",
        "p50 and memory: on Test CPU, 2 cores, 1 thread used, Python 3.11.2, numpy 2.0.0, onnxruntime 1.20.0; all files"
        " in turns; not a device's figures",
        "It would take row 1: the smallest that fits and comes within a standard error (1.7 points on 200 takes) of the"
        " most accurate, row 2 with 94.0 %",
        "closest to a limit of raspberry-pi: Raspberry Pi Zero 2 W: memory bound 86.53 MB, allowed 307.20 MB: pass",
        "To make it the work directory's student, with its own, longer schedule, and see it on test takes, once:",
        "  edgekit quantize --config w/search/point-1.yaml",
        "  edgekit bench --profile raspberry-pi",
    ]


def test_no_line_of_the_table_is_folded(result: SearchResult) -> None:
    wide = replace(BEST, point=StudentPoint("lstm", 128, 2, True), recipe=Recipe(0.25, "int8-dynamic"))
    text = search_text(replace(result, front=(row(1, wide), row(2, BEST))))
    assert "1 *   LSTM 128x2, bidirectional       0.25" in text


def test_a_front_without_a_choice_is_shown_with_that(result: SearchResult) -> None:
    rows = tuple(replace(one, verdict="fail") for one in result.front)
    text = search_text(replace(result, front=rows, chosen=None, commands=(), failure=GateError("none fits")))
    assert text.endswith("It would take none")
    assert text.count(" fail\n") == 2


def test_json_is_strict_and_has_every_file(result: SearchResult) -> None:
    told = json.loads(json_text(replace(result, failure=GateError("none fits")).to_dict()))
    assert set(told) == {
        "schema_version", "kind", "profile", "min_accuracy", "epochs", "recovery_epochs", "size", "files", "states",
        "front", "chosen", "reason", "commands", "trials", "latencies_s", "ruled_out", "picture", "machine", "data",
        "failure",
    }  # fmt: skip
    assert told["states"] == {"finished": 2, "pruned": 1, "failed": 0}
    assert told["front"][0]["file"] == "w/search/models/lstm-16x1-s0.5-int8-weights.onnx"
    assert (told["front"][1]["model"]["accuracy"], told["failure"]) == (0.94, "none fits")
    assert [len(trial["models"]) for trial in told["trials"]] == [2, 1, 0]


def test_what_is_ruled_out_is_counted_by_its_reason() -> None:
    larger = replace(LARGE, reason="200.0 KB, allowed 100.0 KB", excess=2.0)
    assert ruled_out_text([larger, LARGE, GRU], 9) == (
        "3 of 9 files (2 too large, 1 not possible); closest: LSTM 64x2, bidirectional, sparsity 0, int8-weights:"
        " 110.0 KB, allowed 100.0 KB"
    )


@pytest.mark.parametrize(
    ("index", "text"),
    [
        (0, "1/4  LSTM 16x1: 93.0 % as its best file in 1 min; best 94.0 %"),
        (2, "1/4  LSTM 32x2, bidirectional: given up at look 1 (30.0 %) in 20 s; best 94.0 %"),
    ],
)
def test_a_student_is_a_line(result: SearchResult, index: int, text: str) -> None:
    assert student_line(result.trials[index], 1, 4, 0.94) == text


def test_the_picture_numbers_the_front_and_says_what_is_taken(result: SearchResult, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    drawn = ET.parse(draw_front(result, tmp_path / "search.svg"))
    shown = ["".join(node.itertext()).strip() for node in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert (shown.count("1"), shown.count("2")) == (2, 2), "in both panels"
    assert "taken (red): row 1, LSTM 16x1, sparsity 0.5, int8-weights, 93.0 %" in shown
    assert {"int8-weights", "int8-dynamic", "file, KB", "accuracy on validation takes, %"} <= set(shown)
    assert draw_front(result, tmp_path / "search.png").read_bytes().startswith(b"\x89PNG")
