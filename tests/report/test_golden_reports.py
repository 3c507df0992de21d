"""Every report of a tiny run, made from real results: its text with digits masked, and the keys of its JSON.

Files are opened, run and judged as ever; only the clock and the memory are made up (see `steady_worker`). A key that is
renamed, or read by a name that is gone, changes a file of `tests/golden`. `EDGEKIT_RENEW_GOLDEN=1 pytest tests/report`
writes them anew; look at the difference before you keep it.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.artifacts import json_text
from edgekit.bench import (
    BenchConfig,
    BenchResult,
    CompareConfig,
    LabelledTakes,
    bench_onnx,
    compare_onnx,
    hold_against,
    read_baseline,
    score_accuracy,
)
from edgekit.cli import run_cli
from edgekit.data import load_recordings
from edgekit.measure import run_worker
from edgekit.profiles import load_profile
from edgekit.report import bench_junit, bench_markdown, bench_text, compare_text
from edgekit.runtime import ModelMetadata

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
STEADY = partial(run_worker, worker=Path(__file__).with_name("steady_worker.py"))
FRAMES, READ = 12, 10
NAMES = ("A", "B", "C", "D")


def make_hands() -> tuple[np.ndarray, np.ndarray]:
    """Takes of four hand shapes that move, x float32 (80, 12, 63); labels int64 (80,), take k of class k % 4."""
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 4
    shapes = rng.normal(0.0, 1.0, (4, 1, 63))
    points = shapes[labels] + rng.normal(0.0, 0.05, (80, FRAMES, 63)) + np.linspace(0, 0.2, FRAMES)[:, None]
    return (0.5 + 0.1 * points).astype(np.float32), labels.astype(np.int64)


def save_hands(path: Path, x: np.ndarray, labels: np.ndarray, **more: np.ndarray) -> Path:
    """With two people, who recorded on two days."""
    takes = np.arange(len(x))
    people = {
        "signer": np.where(takes < 40, "ann", "bob"),
        "session": np.where(takes % 8 < 4, "2026-01-01-a", "2026-01-02-b"),
    }
    np.savez(path, sequences=x, labels=labels, class_names=np.array(NAMES), **people, **more)
    return path


def save_faulty(path: Path) -> Path:
    """Hands with one take of each fault that `data check` looks for."""
    x, labels = make_hands()
    x[0] = 0.0
    x[1, 3:] = 0.0
    x[2, -2:] = 0.0
    x[3] = x[3, :1]
    x[4, 2, 5] = np.nan
    x[5] = x[9]
    x[6] = x[7]
    labels[20], labels[21] = 2, 3
    return save_hands(path, x, labels, lengths=np.where(np.arange(80) < 70, FRAMES, READ), tier=np.array("A"))


def save_model(path: Path, noise: float, scheme: str = "fp32") -> Path:
    """Least squares from the mean frame to three of the four classes. noise: added to the weights, of deviation 1."""
    x, labels = make_hands()
    mean = np.concatenate([x[:, :READ].mean(axis=1), np.ones((80, 1), np.float32)], axis=1)
    weights = np.linalg.lstsq(mean, np.eye(4)[labels], rcond=None)[0][:, :3]
    weights = (weights + np.random.default_rng(1).normal(0.0, noise, weights.shape)).astype(np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["landmarks"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("Gemm", ["mean", "w", "b"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("landmarks", TensorProto.FLOAT, ["batch", READ, 63])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(weights[:63], "w"), numpy_helper.from_array(weights[63], "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    about = ModelMetadata(NAMES[:3], READ, 63, scheme=scheme, parameters=192, macs=189)
    helper.set_model_props(model, about.to_props())
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working directory: hands.npz, faulty.npz, few.npz, model.onnx and its parent.onnx."""
    path = tmp_path_factory.mktemp("golden")
    x, labels = make_hands()
    save_hands(path / "hands.npz", x.astype(np.float64) + 1e-10, labels, synthetic=np.array(True))  # rounded
    save_hands(path / "few.npz", x[:3], labels[:3])
    save_faulty(path / "faulty.npz")
    save_model(path / "parent.onnx", 0.0)
    save_model(path / "model.onnx", 0.6, "int8-weights")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        yield path


@pytest.fixture(scope="module")
def bench(folder: Path) -> BenchResult:
    """Everything that a bench can find out, against its own figures as the baseline."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgekit.bench.sweep.THREADS", (1,))
        patch.setattr("edgekit.bench.sweep.BATCHES", (1, 4))
        hands = load_recordings("hands.npz")
        takes = LabelledTakes(hands.sequences[:, :READ], hands.labels, NAMES, hands.source, synthetic=True)
        accuracy = score_accuracy("model.onnx", takes, "parent.onnx")
        profile = load_profile("raspberry-pi").model_copy(update={"max_accuracy_drop": 0.02})
        config = BenchConfig(repeats=200, min_time_s=0, processes=1, warmup=5, duration_s=0.1, rate_hz=100, sweep=True)
        result = bench_onnx("model.onnx", profile, config, takes.x, accuracy=accuracy, measure=STEADY)
    Path("main.json").write_text(json_text(result.to_dict()), encoding="utf-8")
    return hold_against(result, read_baseline("main.json"), 0.1)


def masked(text: str, folder: Path) -> str:
    """Digits as #, columns two spaces apart, no folder's name."""
    text = re.sub(r"\b[0-9a-f]{12,64}\b", "#", text.replace(str(folder), "FOLDER"))  # digests
    text = re.sub(r"[0-9]+", "#", text)
    return re.sub(r" {2,}", "  ", re.sub("\u2500+", "\u2500", text))


def key_paths(value: Any, above: str = "") -> set[str]:
    """`rows[].margin` and alike: every key of a JSON value, an item of a list as []."""
    if isinstance(value, Mapping):
        return {path for key, part in value.items() for path in key_paths(part, f"{above}.{key}".lstrip("."))} or {
            above
        }
    if isinstance(value, list):
        return {path for part in value for path in key_paths(part, f"{above}[]")} or {above}
    return {above}


def hold(name: str, text: str) -> None:
    """Raises AssertionError where the golden file says something else; writes it where it is to be renewed."""
    path = GOLDEN / name
    if os.environ.get("EDGEKIT_RENEW_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def hold_keys(name: str, content: Any) -> None:
    """As `hold`, of the keys of a result's JSON, numbers of takes as #."""
    paths = {re.sub(r"[0-9]+(?=$|\.)", "#", path) for path in key_paths(json.loads(json_text(content)))}
    hold(f"{name}.keys", "".join(f"{path}\n" for path in sorted(paths)))


Both = Callable[..., tuple[str, Any]]


@pytest.fixture
def both(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Both:
    """(arguments): what a command prints, masked, and its JSON; both of the same results."""
    emitted: list[Any] = []

    def emit(as_json: bool, content: Mapping[str, Any], text: Callable[[], str]) -> None:
        emitted.append(content)
        print(text())

    for command in ("data", "evaluate", "predict"):
        monkeypatch.setattr(import_module(f"edgekit.cli.{command}"), "emit", emit)

    def run(*arguments: str) -> tuple[str, Any]:
        run_cli(arguments)
        out, err = capsys.readouterr()
        return masked(out + err, folder), emitted[-1] if emitted else None

    return run


def test_bench(bench: BenchResult, folder: Path) -> None:
    hold("bench.txt", masked(bench_text(bench), folder) + "\n")
    hold("bench.md", masked(bench_markdown(bench), folder))
    hold("bench.xml", masked(bench_junit(bench).decode(), folder))
    hold_keys("bench", bench.to_dict())


def test_compare(folder: Path) -> None:
    result = compare_onnx(
        ["model.onnx", "parent.onnx"], CompareConfig(repeats=50, processes=1, warmup=5), measure=STEADY
    )
    hold("compare.txt", masked(compare_text(result), folder) + "\n")
    hold_keys("compare", result.to_dict())


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("evaluate", "evaluate model.onnx --data hands.npz --part all --workdir work"),
        ("check", "data check faulty.npz"),
        ("clean", "data clean faulty.npz clean.npz --drop empty --drop duplicates --drop contradictions --drop"
         " non-finite --drop frozen --drop mislabelled"),
        ("convert", "data convert hands.npz hands"),
        ("predict", "predict few.npz few.npz --model model.onnx"),
    ],
)  # fmt: skip
def test_command(name: str, arguments: str, both: Both) -> None:
    text, content = both(*arguments.split())
    hold(f"{name}.txt", text)
    hold_keys(name, content)


def test_stream(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = "".join(json_text(frame) + "\n" for frame in make_hands()[0][0].tolist())
    monkeypatch.setattr("sys.stdin", io.StringIO(frames))
    text, _ = both("predict", "--model", "model.onnx")
    hold("stream.txt", text)


def test_a_renamed_key_and_another_word_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "GOLDEN", tmp_path)
    monkeypatch.delenv("EDGEKIT_RENEW_GOLDEN", raising=False)
    (tmp_path / "x.keys").write_text("rows[].margin\nverdict\n")
    hold_keys("x", {"verdict": "pass", "rows": [{"margin": 1.0}]})
    for other in ({"verdict": "pass", "rows": [{"left": 1.0}]}, {"verdict": "pass", "rows": []}):
        with pytest.raises(AssertionError):
            hold_keys("x", other)


def test_nothing_but_digits_and_columns_is_masked(folder: Path) -> None:
    text = f"{folder}/a {'0a' * 6}  12.5 ms\u2500\u2500    faded"
    assert masked(text, folder) == "FOLDER/a #  #.# ms\u2500  faded"
