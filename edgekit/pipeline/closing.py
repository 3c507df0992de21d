"""The closing table: every model of the chain on the same test takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.measure import WorkerRequest, run_worker
from edgekit.model import Architecture, RecurrentClassifier, predict_logits
from edgekit.pipeline.gates import logits_of
from edgekit.pipeline.stages import PRUNED, STUDENT, Stages

LATENCY_TAKES = 64
LATENCY_REPEATS = 400
LATENCY_ROUNDS = 5


@dataclass(frozen=True)
class ModelScore:
    """One row. accuracy: ratio of right answers on `takes` test takes. accuracy_seen: the same without the takes whose
    class its signer did not record in training; None where there are no such takes. size_bytes: of the ONNX
    file. latency_p50_s: of one take on this host, through ONNX Runtime, one thread, in the best of five rounds.
    """

    name: str
    form: str
    accuracy: float
    takes: int
    accuracy_seen: float | None
    takes_seen: int
    parameters: int
    macs: int
    size_bytes: int
    latency_p50_s: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def score_models(stages: Stages) -> tuple[ModelScore, ...]:
    """Teacher, student, pruned, fp32 ONNX and INT8 on the test takes, which nothing before has looked at.

    The ONNX files of teacher and student are written beside their weights, for size and latency on equal terms.
    """
    data = stages.dataset
    x, labels = data.part(data.split.test)
    seen = ~np.isin(data.split.test, data.split.unseen)
    workdir = stages.workspace.path
    fp32, int8 = workdir / "model.onnx", workdir / "model.int8.onnx"
    rows: list[tuple[str, str, RecurrentClassifier, Path, NDArray[np.float32]]] = []
    for name, stage in (("teacher", stages.teacher), ("student", STUDENT)):
        file = stages.folder(stage) / "model.onnx"
        model = stages.export(stage, file)
        rows.append((name, "PyTorch", model, file, predict_logits(model, x)))
    pruned = stages.load(PRUNED)
    rows.append(("pruned", "PyTorch", pruned, fp32, predict_logits(pruned, x)))
    rows.append(("pruned", "ONNX fp32", pruned, fp32, logits_of(fp32, x)))
    rows.append(("pruned", "ONNX int8", pruned, int8, logits_of(int8, x)))
    latencies_s = median_latencies_s({row[3]: None for row in rows}, x)
    return tuple(
        _score(
            name, form, model.architecture, file, logits.argmax(axis=1) == labels, seen, x.shape[1], latencies_s[file]
        )
        for name, form, model, file, logits in rows
    )


def _score(
    name: str,
    form: str,
    shape: Architecture,
    file: Path,
    right: NDArray[np.bool_],
    seen: NDArray[np.bool_],
    frames: int,
    latency_p50_s: float,
) -> ModelScore:
    return ModelScore(
        name=name,
        form=form,
        accuracy=float(right.mean()),
        takes=len(right),
        accuracy_seen=float(right[seen].mean()) if 0 < seen.sum() < len(seen) else None,
        takes_seen=int(seen.sum()),
        parameters=shape.parameters,
        macs=shape.macs(frames),
        size_bytes=file.stat().st_size,
        latency_p50_s=latency_p50_s,
    )


def median_latencies_s(files: Iterable[Path], x: NDArray[np.float32]) -> dict[Path, float]:
    """Median latency of each file on this host, in seconds, in the best of some rounds in which the files take turns.

    The best round is the one least disturbed by whatever else the machine does.
    """
    rounds: dict[Path, list[float]] = {file: [] for file in files}
    for _ in range(LATENCY_ROUNDS):
        for file, medians in rounds.items():
            request = WorkerRequest(file, "latency", takes=x[:LATENCY_TAKES], repeats=LATENCY_REPEATS)
            medians.append(float(np.median(run_worker(request).samples_ns)) / 1e9)
    return {file: min(medians) for file, medians in rounds.items()}
