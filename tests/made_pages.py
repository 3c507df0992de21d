"""Results of every kind that has a page, made up: no model is opened and nothing is measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.bench import Accuracy, BenchConfig, BenchResult, CompareConfig, CompareResult, Measurement
from edgekit.bench.verdict import judge
from edgekit.device import Estimate
from edgekit.evaluate import Evaluation, Seen, check_order, evaluate_predictions, find_misread
from edgekit.measure import FedInput, Machine, MemoryStage, WorkerResult
from edgekit.profiles import Profile, load_profile
from edgekit.results import (
    ChainResult,
    DataDescription,
    Int8Loss,
    LearningCurve,
    ModelScore,
    Parity,
    QuantizationFigures,
    Record,
    StageResult,
    TrainingFigures,
)
from edgekit.results.searching import (
    FrontRow,
    Recipe,
    RuledOut,
    SearchedModel,
    SearchResult,
    StudentPoint,
    StudentTrial,
)
from edgekit.runtime import ModelInfo

MB = 1_000_000
LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
STAGES = (("interpreter", 12), ("imports", 45), ("session", 54), ("first run", 56), ("run", 56))
MACHINE = Machine(
    system="Linux", release="6.1", architecture="x86_64", cpu_model="Test CPU", cores=4, memory_bytes=8_000 * MB,
    load_1min=0.1, python="3.11.2", numpy="2.0.0", onnxruntime="1.20.0",
)  # fmt: skip
DATA = DataDescription(
    source="signs.npz", synthetic=False, sha256="0" * 64, takes=1000, classes=26, features=63, train=520,
    validation=220, test=260, rule="tested on the latest day",
)  # fmt: skip


def worker(runs: int = 400, **more: Any) -> WorkerResult:
    """One process: so many runs of 0.04 ms and a tail, and memory as it grew."""
    samples_ns = tuple(40_000 + 137 * (k % 50) + (90_000 if k % 67 == 0 else 0) for k in range(runs))
    plain: dict[str, Any] = {
        "samples_ns": samples_ns, "thread_cpu_ns": samples_ns, "warmup_ns": (), "import_ns": 150 * MB,
        "session_ns": 3 * MB, "first_run_ns": 400_000, "peak_rss_bytes": 58 * MB, "memory_reason": None,
        "stages": tuple(MemoryStage(name, rss * MB) for name, rss in STAGES),
        "inputs": (FedInput("landmarks", "tensor(float)", (1, 30, 63), "takes"),), "machine": MACHINE,
    }  # fmt: skip
    return WorkerResult(**{**plain, **more})


def info(path: str = "model.int8.onnx", size_bytes: int = 35_300) -> ModelInfo:
    """Of a file that nobody opens."""
    return ModelInfo(Path(path), size_bytes, "ab" * 32, None, 9, {}, "", (), (), {})


def hands(takes: int, seed: int = 0) -> np.ndarray[Any, Any]:
    """Takes of 30 frames of one hand, float32."""
    rng = np.random.default_rng(seed)
    still = rng.uniform(0.3, 0.7, (takes, 1, 63))
    return np.asarray(still + rng.normal(0.0, 0.01, (takes, 30, 63)), dtype=np.float32)


def answers(names: tuple[str, ...], takes: int, seed: int = 0) -> tuple[Any, Any]:
    """(labels, logits) of so many takes, one in five read wrong."""
    rng = np.random.default_rng(seed)
    labels = np.arange(takes) % len(names)
    said = np.where(rng.uniform(size=takes) < 0.2, rng.integers(0, len(names), takes), labels)
    logits = rng.normal(0.0, 0.5, (takes, len(names))).astype(np.float32)
    logits[np.arange(takes), said] += 3.0
    return labels, logits


def evaluation(names: tuple[str, ...] = LETTERS, who: str = "ann", features: int = 63) -> Evaluation:
    """Of 260 test takes. who: signed all of them."""
    labels, logits = answers(names, 260)
    x = hands(260)[:, :, :features]
    titles = [f"take {k}, {who}, 2026-01-02" for k in range(260)]
    order = check_order(logits.argmax(axis=1), labels, len(names))
    return Evaluation(
        model="model.int8.onnx", data="signs.npz", part="test", synthetic=False,
        metrics=evaluate_predictions(logits.argmax(axis=1), labels, names), names="own", order=order, seen=Seen(0, 0),
        sequence_length=30, takes_cut=0, misread=find_misread(x, labels, logits, names, titles),
    )  # fmt: skip


def accuracy(names: tuple[str, ...] = LETTERS, who: str = "ann") -> Accuracy:
    """The same takes, as a bench scores them."""
    found = evaluation(names, who)
    return Accuracy(found.metrics.accuracy, 260, "test", "signs.npz", metrics=found.metrics, misread=found.misread)


def bench(profile: str | Profile = "raspberry-pi", path: str = "model.int8.onnx", **more: Any) -> BenchResult:
    """Three processes against a profile, with estimates for its boards. more: fields of the result."""
    limits = load_profile(profile) if isinstance(profile, str) else profile
    estimates = [
        Estimate(board.name, 0.002 * (k + 1), 1e-5 * (k + 1), "counted") for k, board in enumerate(limits.boards)
    ]
    measured = more.pop("measurement", Measurement((worker(), worker(), worker()), (worker(),)))
    rows = judge(limits, BenchConfig(), 35_300, measured, estimates, more.get("accuracy"))
    return BenchResult(info(path), limits, BenchConfig(), 1, measured, rows, **more)


def score(name: str, form: str, size_bytes: int, right: float) -> ModelScore:
    """One model of the closing table."""
    return ModelScore(
        name=name, form=form, accuracy=right, accuracy_low=right - 0.03, accuracy_high=right + 0.02, takes=260,
        retention=right / 0.9, retention_low=0.95, retention_high=1.05, accuracy_seen=None, takes_seen=260,
        parameters=27_546, zeros=0, macs=379_648, size_bytes=size_bytes, gzip_bytes=size_bytes - 900,
        latency_p50_s=4e-5,
    )  # fmt: skip


def curve(stage: str = "distill", epochs: int = 30) -> LearningCurve:
    """One that learns."""
    falling = tuple(3.0 / (k + 1) for k in range(epochs))
    rising = tuple(1 - 0.9 / (k + 1) for k in range(epochs))
    return LearningCurve(stage, epochs - 2, falling, rising, falling, rising)


def chain(data: DataDescription = DATA, **more: Any) -> ChainResult:
    """A whole run. more: fields of the result."""
    record = Record({}, {}, 3, {"model.int8.onnx": "1" * 64}, {}, 0, 12.0, {})
    quantization = QuantizationFigures(
        standardisation="explicit", standardisation_trials={}, parity=Parity(3e-7, takes=220, tolerance=1e-5),
        int8=Int8Loss(220, 0.90, 0.91, 0.001, 0.01, changed=4, lost=1, gained=3), quantized=None,
    )  # fmt: skip
    trained = TrainingFigures(
        parameters=56_346, data=data, epochs=30, best_epoch=28, val_accuracy=0.97, val_loss=0.1, elapsed_s=60.0,
        stopped_early=False,
    )  # fmt: skip
    made = {"bench": bench(), "evaluation": evaluation(), "curves": (curve(),), **more}
    return ChainResult(
        data,
        scores=(score("teacher", "PyTorch", 8_180_000, 0.9), score("pruned", "ONNX int8", 35_300, 0.88)),
        trained=(StageResult("distill", record, trained),),
        quantized=StageResult("quantize", record, quantization),
        settings={"data": {"source": data.source}},
        environment={"edgekit": "0.1.0", "memory_bytes": 8_000 * MB, "load_1min": None},
        **made,
    )


def compare(*paths: str, slower: float = 1.3) -> CompareResult:
    """Of these files [two], each `slower` times as slow as the one before it."""
    names = paths or ("model.onnx", "model.int8.onnx")
    first = worker(200).samples_ns
    others = tuple(tuple(round(sample * slower**k) for sample in first) for k in range(1, len(names)))
    measured = tuple(replace(worker(200), others_ns=others) for _ in range(3))
    return CompareResult(tuple(info(name, 30_000 + 9 * len(name)) for name in names), CompareConfig(), measured)


def searched(hidden: int, right: float, size_bytes: int, scheme: str = "int8-weights") -> SearchedModel:
    """One file of a search."""
    loss = Int8Loss(220, right, right, 0.0, 0.0, 0, 0, 0)
    point = StudentPoint("lstm", hidden, 1, False)
    return SearchedModel(point, Recipe(0.5, scheme), 9_000, 100_000, size_bytes, "5" * 64, loss)


def search(data: DataDescription = DATA, **more: Any) -> SearchResult:
    """Three files, two of them on the front, the smaller one taken. more: fields of the result."""
    small, best, worse = (
        searched(16, 0.93, 12_000),
        searched(32, 0.94, 140_000),
        searched(24, 0.9, 20_000, "int8-dynamic"),
    )
    trials = (
        StudentTrial(small.point, "finished", (0.5, 0.9), 20_000, 200_000, 61.0, (small, worse)),
        StudentTrial(best.point, "finished", (0.6, 0.9), 60_000, 600_000, 90.0, (best,)),
        StudentTrial(replace(best.point, num_layers=2), "pruned", (0.3,), 90_000, 900_000, 20.0),
    )
    front = tuple(
        FrontRow(k, one, Path(f"{one.name}.onnx"), k * 4e-5, 57 * MB, "pass", "memory", Path(f"point-{k}.yaml"))
        for k, one in enumerate((small, best), 1)
    )
    made: dict[str, Any] = {
        "profile": "raspberry-pi", "min_accuracy": 0.9, "epochs": 30, "recovery_epochs": 15, "size": 4, "files": 8,
        "trials": trials, "ruled_out": (RuledOut(best.point, Recipe(0.0, "int8-weights"), "size", "too large", 1.1),),
        "latencies_s": {small.name: 4e-5, best.name: 8e-5, worse.name: 9e-5}, "front": front, "chosen": 1,
        "reason": "the smallest that fits", "commands": ("edgekit quantize", "edgekit bench"), "picture": None,
        "data": data, "machine": MACHINE, "bench": bench(),
    }  # fmt: skip
    return SearchResult(**{**made, **more})
