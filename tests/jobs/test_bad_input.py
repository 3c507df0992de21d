"""Bad input: exit 2, one clear message, no traceback, nothing half written, and nothing of the user's changed."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

Cli = Callable[..., Any]
Snapshot = Callable[[Path], Mapping[str, bytes | None]]

X = np.random.default_rng(0).uniform(0.2, 0.8, (12, 20, 63)).astype(np.float32)
LABELS = np.arange(12) % 2
NAMES = np.array(["A", "B"])


def write_recordings(folder: Path) -> None:
    """One good file and every kind of bad one."""
    np.savez(folder / "good.npz", sequences=X, labels=LABELS, class_names=NAMES)
    whole = (folder / "good.npz").read_bytes()
    (folder / "empty.npz").touch()
    (folder / "truncated.npz").write_bytes(whole[: len(whole) // 2])
    (folder / "damaged.npz").write_bytes(whole[:400] + bytes(400) + whole[800:])
    holed = X.copy()
    holed[3, 4, 5] = np.nan
    np.savez(folder / "nan.npz", sequences=holed, labels=LABELS, class_names=NAMES)
    np.savez(folder / "rank.npz", sequences=X[0], labels=LABELS, class_names=NAMES)
    np.savez(folder / "pickled.npz", sequences=np.array([1, None]), labels=LABELS, class_names=NAMES)
    np.savez(folder / "label.npz", sequences=X, labels=LABELS + 5, class_names=NAMES)
    np.savez(folder / "lonely.npz", sequences=X, labels=np.array([0] * 11 + [1]), class_names=NAMES)
    np.savez(folder / "five.npz", sequences=X[:, :, :5], labels=LABELS, class_names=NAMES)
    np.savez(folder / "slash.npz", sequences=X, labels=LABELS, class_names=np.array(["A/B", "C"]))
    np.savez(folder / "nameless.npz", sequences=X, labels=LABELS)
    (folder / "notes.txt").write_text("no recordings\n")
    (folder / "emptyfolder").mkdir()
    (folder / "selflink.npz").symlink_to("selflink.npz")
    np.save(folder / "take.npy", X[0])
    np.save(folder / "emptytake.npy", X[0, :0])
    np.save(folder / "nantake.npy", holed[3])
    np.save(folder / "hugetake.npy", np.full((20, 63), 1e300))
    np.save(folder / "fivetake.npy", X[0, :, :5])
    np.save(folder / "pickledtake.npy", np.array([[1, None]]), allow_pickle=True)
    take = (folder / "take.npy").read_bytes()
    (folder / "truncatedtake.npy").write_bytes(take[:300])
    with (folder / "claims.npy").open("wb") as file:  # a header that promises terabytes, and nothing behind it
        header = {"descr": "<f4", "fortran_order": False, "shape": (10**10, 63)}
        np.lib.format.write_array_header_1_0(file, header)
    (folder / "archive.npy").write_bytes(whole)


def write_models(folder: Path, int8: Path) -> None:
    """A good file of each kind and every kind of bad one."""
    fp32 = int8.with_name("model.onnx")
    for name, source in (("int8.onnx", int8), ("fp32.onnx", fp32)):
        (folder / name).write_bytes(source.read_bytes())
    whole = fp32.read_bytes()
    (folder / "truncated.onnx").write_bytes(whole[: len(whole) // 2])
    (folder / "random.onnx").write_bytes(np.random.default_rng(0).bytes(5000))
    (folder / "empty.onnx").touch()
    (folder / "selflink.onnx").symlink_to("selflink.onnx")
    model = onnx.load(fp32)
    onnx.save_model(model, folder / "external.onnx", save_as_external_data=True, location="ext.bin", size_threshold=99)
    for name, key, value in (("lying", "sequence_length", "1000000000"), ("lying5", "features", "5")):
        model = onnx.load(fp32)
        next(item for item in model.metadata_props if item.key == f"edgekit.{key}").value = value
        onnx.save(model, folder / f"{name}.onnx")
    foreign = onnx.helper.make_model(
        onnx.helper.make_graph(
            [onnx.helper.make_node("MatMul", ["landmarks", "w"], ["logits"])],
            "foreign",
            [onnx.helper.make_tensor_value_info("landmarks", onnx.TensorProto.FLOAT, ["batch", 7])],
            [onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch", 2])],
            [numpy_helper.from_array(np.ones((7, 2), np.float32), "w")],
        ),
        opset_imports=[onnx.helper.make_opsetid("", 17)],
        ir_version=9,
    )
    onnx.save(foreign, folder / "foreign.onnx")
    for prop in onnx.load(fp32).metadata_props:
        foreign.metadata_props.add(key=prop.key, value=prop.value)
    onnx.save(foreign, folder / "foreignshape.onnx")


def write_settings(folder: Path) -> None:
    """Settings files that are wrong in their own ways."""
    for name, text in {
        "broken": "training: [1, 2\n",
        "list": "- training\n",
        "section": "trainin: {epochs: 3}\n",
        "key": "training: {epoch: 3}\n",
        "number": "training: 3\n",
        "numberkey": "training: {1: 3}\n",
        "value": "training: {epochs: many}\n",
        "nan": "training: {learning_rate: .nan}\n",
    }.items():
        (folder / f"{name}.yaml").write_text(text)
    (folder / "binary.yaml").write_bytes(b"\xff\xfe\x00\x81")
    (folder / "plainfile").write_text("kept")


@pytest.fixture
def place(chain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with good and bad files."""
    monkeypatch.chdir(tmp_path)
    write_recordings(tmp_path)
    write_models(tmp_path, chain.int8)
    write_settings(tmp_path)
    return tmp_path


@dataclass(frozen=True)
class Case:
    """A command line, words that its message has to hold, and what stands on stdin."""

    line: str
    words: tuple[str, ...]
    stdin: str = ""


def frame(value: object = 0.5, count: int = 63) -> str:
    """One line of a stream."""
    return json.dumps([value] * count) + "\n"


RECORDINGS = [
    Case("data check missing.npz", ("missing.npz", "no such file")),
    Case("data check empty.npz", ("empty.npz", "empty")),
    Case("data check truncated.npz", ("truncated.npz", "truncated")),
    Case("data check damaged.npz", ("damaged.npz", "damaged")),
    Case("data check rank.npz", ("rank.npz", "(takes >= 1, frames, features)", "(20, 63)")),
    Case("data check pickled.npz", ("pickled.npz", "pickled", "sequences")),
    Case("data check label.npz", ("label.npz", "labels")),
    Case("data check nameless.npz", ("nameless.npz", "class_names")),
    Case("data check notes.txt", ("notes.txt", ".npz", ".csv", "class/take/frame.npy")),
    Case("data check emptyfolder", ("emptyfolder", "no class folders")),
    Case("data synth new.txt", ("new.txt", ".npz")),
    Case("data synth plainfile", ("plainfile", "exists", "--force")),
    Case("data synth good.npz", ("good.npz", "exists", "--force")),
    Case("data synth plainfile --force --people 1 --takes-per-letter 2", ("plainfile", "is a file")),
    Case("data convert missing.npz new.csv", ("missing.npz", "no such file")),
    Case("data convert selflink.npz new.csv", ("selflink.npz",)),
    Case("data clean selflink.npz new.csv", ("selflink.npz",)),
    Case("data convert nan.npz new.csv", ("nan.npz", "take 3, frame 4")),
    Case("data convert good.npz five.npz", ("five.npz", "exists", "--force")),
    Case("data convert good.npz emptyfolder", ("emptyfolder", "exists", "--force")),
    Case("data convert good.npz new.txt", ("new.txt", ".npz, .csv, .parquet")),
    Case("data convert good.npz new.csv --layout takes", ("new.csv", "layout takes")),
    Case("data convert good.npz new --layout csv", ("new", "ends in .csv")),
    Case("data convert good.npz new --layout zip", ("--layout", "'zip'")),
    Case("data convert slash.npz new", ("slash.npz", "'A/B'", "can't name a folder")),
    Case("data convert good.npz . --force", (".", "lies within")),
    Case("data synth plainfile/x.npz --people 1 --takes-per-letter 2", ("plainfile/x.npz", "can't be written")),
    Case("train edge --data missing.npz", ("missing.npz", "no such file")),
    Case("train edge --data notes.txt", ("notes.txt", ".npz")),
    Case("train edge --data nan.npz", ("nan.npz", "take 3")),
    Case("train edge --data lonely.npz", ("lonely.npz", "'B'", "single take")),
    Case(
        "train edge --data five.npz --set data.preprocessing=hand",
        ("5 features", "preprocessing=standard"),
    ),
    Case("train edge --data good.npz --split signer", ("good.npz", "signer")),
    Case("evaluate int8.onnx --data truncated.npz", ("truncated.npz",)),
    Case("evaluate int8.onnx --data five.npz --part all", ("five.npz: 5 numbers per frame", "int8.onnx reads 63")),
]
MODELS = [
    Case("bench missing.onnx", ("missing.onnx", "no such file")),
    Case("bench notes.txt", ("notes.txt", "not a whole ONNX file")),
    Case("bench", ("edgekit-work/model.int8.onnx", "edgekit quantize")),
    Case("bench int8.onnx --profile raspberry-pi-4", ("unknown profile", "did you mean 'raspberry-pi-4b'?")),
    Case("bench int8.onnx --profile key.yaml", ("key.yaml", "unknown key")),
    Case("bench int8.onnx --set bench.repeat=5", ("unknown key 'repeat'", "did you mean 'repeats'?")),
    Case("bench int8.onnx --repeats -1", ("--repeats", "-1")),
    Case("bench int8.onnx --time-limit 0", ("--time-limit",)),
    Case("bench int8.onnx --shape landmarks", ("--shape landmarks", "NAME=SIZE")),
    Case("bench int8.onnx --value sr", ("--value sr", "NAME=NUMBER")),
    Case("bench int8.onnx --value sr=fast", ("--value sr=fast", "NAME=NUMBER")),
    Case("bench int8.onnx --value sr=1", ("--value sr", "no such input", "landmarks")),
    Case("bench int8.onnx --value landmarks=nan", ("--value", "finite")),
    Case("bench int8.onnx --shape landmarks=1,31,63 --repeats 5", ("landmarks", "31")),
    Case("evaluate --data five.npz --part all", ("five.npz", "5 numbers per frame", "edgekit comes with")),
    Case("evaluate foreign.onnx --data good.npz", ("foreign.onnx", "('batch', 7)", "(batch, time, features)")),
    Case("evaluate foreignshape.onnx --data good.npz", ("foreignshape.onnx", "26 class names for 2 outputs")),
    Case("evaluate lying.onnx --data good.npz", ("lying.onnx", "1000000000", "export the model again")),
    Case("evaluate lying5.onnx --data good.npz", ("lying5.onnx", "5 numbers", "export it again")),
    Case("predict take.npy --model missing.onnx", ("missing.onnx", "no such file")),
    Case("predict five.npz", ("five.npz", "5 numbers per frame", "edgekit comes with")),
    Case("predict take.npy -m foreign.onnx", ("foreign.onnx", "('batch', 7)", "(batch, time, features)")),
    Case("predict take.npy -m lying.onnx", ("lying.onnx", "1000000000")),
    Case("quantize int8.onnx", ("int8.onnx", "quantised already")),
    Case("quantize fp32.onnx -o fp32.onnx", ("fp32.onnx", "same file")),
    Case("quantize selflink.onnx -o new.onnx", ("selflink.onnx",)),
    Case("quantize fp32.onnx -o plainfile/x.onnx", ("plainfile",)),
    Case("quantize fp32.onnx -o new.onnx --set quantize.nosuch=1", ("unknown key 'nosuch'",)),
    Case("quantize fp32.onnx -o new.onnx --set quantise.scheme=x", ("unknown section 'quantise'", "'quantize'")),
    Case("quantize fp32.onnx -o new.onnx --set quantize.min_elements=99999999", ("nothing to quantise",)),
    Case("quantize foreign.onnx -o new.onnx", ("foreign.onnx", "nothing to quantise")),
    Case("quantize -o new.onnx", ("--output goes with MODEL",)),
    *(
        Case(line.format(name), (name,))
        for name in ("truncated.onnx", "random.onnx", "empty.onnx", "external.onnx", "notes.txt", "emptyfolder")
        for line in ("bench {}", "evaluate {} --data good.npz", "predict take.npy -m {}", "quantize {} -o new.onnx")
    ),
]
TAKES = [
    Case("predict missing.npy -m int8.onnx", ("missing.npy", "no such file")),
    Case("predict emptytake.npy -m int8.onnx", ("emptytake.npy", "(0, 63)")),
    Case("predict nantake.npy -m int8.onnx", ("nantake.npy", "frame 4")),
    Case("predict hugetake.npy -m int8.onnx", ("hugetake.npy", "frame 0")),
    Case("predict fivetake.npy -m int8.onnx", ("fivetake.npy", "5 numbers per frame", "63")),
    Case("predict five.npz -m int8.onnx", ("five.npz", "5 numbers per frame", "63")),
    Case("predict pickledtake.npy -m int8.onnx", ("pickledtake.npy",)),
    Case("predict truncatedtake.npy -m int8.onnx", ("truncatedtake.npy",)),
    Case("predict claims.npy -m int8.onnx", ("claims.npy",)),
    Case("predict archive.npy -m int8.onnx", ("archive.npy", "archive")),
    Case("predict notes.txt -m int8.onnx", ("notes.txt",)),
    Case("predict take.npy nan.npz -m int8.onnx", ("nan.npz",)),
]
STREAM = "predict -m int8.onnx --min-frames 2"
STREAMS = [
    Case(STREAM, ("no frame", "63 numbers"), ""),
    Case(STREAM, ("no frame", "63 numbers"), "\n \n"),
    Case(STREAM, ("line 1", "63 numbers", "got 5"), frame(count=5)),
    Case(STREAM, ("line 3", "finite"), frame() + "\n" + frame(float("nan"))),
    Case(STREAM, ("line 1", "finite"), frame(1e39)),
    Case(STREAM, ("line 1", "finite"), frame(10**400)),
    Case(STREAM, ("line 1", "JSON list"), "hello\n"),
    Case(STREAM, ("line 1", "JSON list"), '{"a": 1}\n'),
    Case(STREAM, ("line 1", "JSON list"), frame("0.5")),
    Case(STREAM, ("line 1", "JSON list"), frame(True)),
    Case(STREAM, ("line 1", "JSON list"), frame(None)),
    Case(STREAM, ("line 1", "JSON list"), "[" * 100_000 + "\n"),
    Case(STREAM, ("line 1", "63 numbers"), json.dumps([[0.5] * 63]) + "\n"),
    Case("predict -m int8.onnx --min-frames 31", ("31", "30"), frame()),
    Case("predict -m int8.onnx --min-frames 0", ("--min-frames",), frame()),
]
SETTINGS = [
    Case("train acurate", ("unknown variant 'acurate'", "did you mean 'accurate'?")),
    Case("distill --teacher nosuch", ("unknown variant 'nosuch'", "accurate, balanced, base, edge")),
    Case("distill --student edgy", ("unknown variant 'edgy'", "did you mean 'edge'?")),
    Case("distill --preset quik", ("--preset", "quick", "standard")),
    Case("distill --set trainin.epochs=3", ("unknown section 'trainin'", "did you mean 'training'?")),
    Case("distill --set training.epoch=3", ("unknown key 'epoch'", "did you mean 'epochs'?")),
    Case("distill --set training.epochs", ("--set training.epochs", "SECTION.KEY=VALUE")),
    Case("distill --set training=3", ("--set training=3", "SECTION.KEY=VALUE")),
    Case("distill --set training.epochs=-3", ("training", "epochs", "-3")),
    Case("distill --set training.epochs=abc", ("training", "epochs", "'abc'")),
    Case("distill --set training.epochs=", ("training", "epochs", "None")),
    Case("distill --set data.split=random", ("data", "split", "'random'")),
    Case("distill --epochs 0", ("--epochs",)),
    Case("distill --temperature -1", ("--temperature", "-1")),
    Case("distill --alpha 1.5", ("--alpha", "1.5")),
    Case("prune --sparsity 1", ("--sparsity",)),
    Case("prune --sparsity nan", ("sparsity",)),
    Case("prune --method magic", ("--method", "structured", "unstructured")),
    Case("prune --method unstructured --scope column", ("--scope", "global", "layer")),
    Case("prune --method unstructured --ramp 1", ("--ramp",)),
    Case("prune --scope layer", ("scope: only for method unstructured", "--set prune.scope=null")),
    Case("prune --method structured --ramp 0", ("ramp: only for method unstructured", "--set prune.ramp=null")),
    Case("train --seed -1", ("--seed", "-1")),
    Case("train --seed 99999999999999999999", ("--seed",)),
    Case("train --threads 0", ("--threads",)),
    Case("train --threads 100000", ("--threads",)),
    Case("data synth x.npz --people -2", ("--people", "-2")),
    Case("train edge more", ("more",)),
    Case("nosuch", ("nosuch",)),
    Case("train --nosuch", ("--nosuch",)),
    Case("profiles raspbery-pi", ("unknown profile", "did you mean 'raspberry-pi'?")),
    Case("profiles missing.yaml", ("missing.yaml", "no such file")),
    Case("config --config missing.yaml", ("missing.yaml", "no such file")),
    Case("config --config emptyfolder", ("emptyfolder", "can't be read")),
    Case("config --config broken.yaml", ("broken.yaml", "not valid YAML")),
    Case("config --config list.yaml", ("list.yaml", "mapping", "list")),
    Case("config --config section.yaml", ("section.yaml", "did you mean 'training'?")),
    Case("config --config key.yaml", ("unknown key 'epoch'", "did you mean 'epochs'?")),
    Case("config --config number.yaml", ("number.yaml", "'training' must be a mapping")),
    Case("config --config numberkey.yaml", ("training", "1")),
    Case("config --config value.yaml", ("training", "epochs", "'many'")),
    Case("config --config nan.yaml", ("learning_rate", "nan")),
    Case("config --config binary.yaml", ("binary.yaml", "can't be read")),
    Case("config --workdir plainfile", ("plainfile", "work directory")),
    Case("train --workdir plainfile", ("plainfile", "work directory")),
    Case("train --workdir plainfile/below", ("plainfile", "work directory")),
    Case("train --workdir plainfile --dry-run", ("plainfile", "work directory")),
]


@pytest.fixture
def harmless_here(request: pytest.FixtureRequest, case: Case) -> None:
    """Where all models of a line are the chain's own, they are opened in this process, which is quicker."""
    named = set(re.findall(r"[\w.-]+\.onnx\b", case.line))
    if named and named <= {"fp32.onnx", "int8.onnx"}:
        request.getfixturevalue("models_run_here")


@pytest.mark.usefixtures("harmless_here")
@pytest.mark.parametrize("case", [*RECORDINGS, *MODELS, *TAKES, *STREAMS, *SETTINGS], ids=lambda case: case.line[:60])
def test_bad_input_is_one_clear_message_and_nothing_half_written(
    place: Path, cli: Cli, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    before = snapshot(place)
    monkeypatch.setattr("sys.stdin", io.StringIO(case.stdin))
    answer = cli(*shlex.split(case.line))
    assert answer.code == 2, answer
    assert "Traceback" not in answer.err
    assert "Warning" not in answer.err
    assert answer.err.lower().count("error:") == 1, answer.err
    for word in case.words:
        assert word in answer.err
    assert answer.out == ""
    assert snapshot(place) == before


def test_a_wrong_data_file_does_not_stick(place: Path, cli: Cli) -> None:
    assert cli("train", "edge", "--data=notes.txt").code == 2
    answer = cli("train", "edge", "--dry-run", "--set=training.epochs=1", "--set=model.hidden_size=8", "--preset=quick")
    assert answer.code == 0
    assert "notes.txt" not in answer.err


@pytest.mark.parametrize("line", ["data check {}", "train edge --data {}", "evaluate int8.onnx --data {}"])
def test_an_unreadable_folder_is_named(place: Path, cli: Cli, line: str) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads every folder")
    locked = place / "locked"
    (locked / "A" / "0").mkdir(parents=True)
    np.save(locked / "A" / "0" / "0.npy", X[0, 0])
    (locked / "A" / "0" / "0.npy").chmod(0)
    answer = cli(*line.format(locked).split())
    assert answer.code == 2
    assert "locked/A/0/0.npy" in answer.err
    assert "can't be read" in answer.err


def test_an_unwritable_work_directory_is_named(place: Path, cli: Cli) -> None:
    if os.geteuid() == 0:
        pytest.skip("root writes everywhere")
    locked = place / "locked"
    locked.mkdir(mode=0o500)
    answer = cli("train", "edge", f"--workdir={locked / 'work'}")
    assert answer.code == 2
    assert "can't be used as a work directory" in answer.err
    assert list(locked.iterdir()) == []


def test_an_unwritable_place_for_the_int8_file_is_named(place: Path, cli: Cli) -> None:
    if os.geteuid() == 0:
        pytest.skip("root writes everywhere")
    locked = place / "locked"
    locked.mkdir(mode=0o500)
    answer = cli("quantize", "fp32.onnx", f"--output={locked / 'int8.onnx'}")
    assert answer.code == 2
    assert "locked" in answer.err


SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "asl-letters.npz"


def test_real_recordings_with_empty_frames_are_named_by_data_check(cli: Cli) -> None:
    if not SHARED.exists():
        pytest.skip(f"{SHARED} is not on this machine")
    report = cli("data", "check", SHARED, "--json").json
    x = np.load(SHARED)["sequences"]
    gone = (x == 0).all(axis=2)
    assert report["takes"] == len(x)
    assert report["empty_takes"] == np.flatnonzero(gone.all(axis=1)).tolist() != []
    assert report["frames_without_hand"] == int(gone.sum()) > 0
    text = cli("data", "check", SHARED).out
    assert f"takes without any hand: 1 (index {report['empty_takes'][0]})" in text
    assert f"frames without a hand: {report['frames_without_hand']:,} of {report['frames']:,}" in text
