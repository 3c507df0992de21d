"""The closing table: every model of the chain on the same test takes."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.device import Work, model_work
from edgekit.evaluate import Retention, accuracy_interval
from edgekit.measure import WorkerRequest, run_worker
from edgekit.model import RecurrentClassifier, count_zeros, predict_logits
from edgekit.quantize.gates import logits_of
from edgekit.results import ModelScore, StageFinding, TrainingFigures
from edgekit.runtime import inspect_model
from edgekit.stages.model_stage import ModelStage
from edgekit.stages.table import Stages
from edgekit.train import ALONE, poor_generalisation

LATENCY_TAKES = 64
LATENCY_REPEATS = 400
LATENCY_PROCESSES = 4
TIME_LIMIT_S = 30.0


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A model to score: its logits (takes, classes) on the test takes, and its ONNX file where it has one."""

    name: str
    form: str
    logits: NDArray[np.float32]
    parameters: int
    zeros: int | None
    macs: int | None
    file: Path | None


@ALONE.applied()
def score_models(stages: Stages) -> tuple[ModelScore, ...]:
    """Teacher, student, pruned, fp32 ONNX and what was rounded on the test takes, which nothing before has looked at.

    The ONNX files of teacher and student are written again beside their weights: size and latency on equal terms.
    """
    data = stages.data.dataset
    x, labels = data.part(data.split.test)
    seen = ~np.isin(data.split.test, data.split.unseen)
    candidates = [_teacher(stages, x), _trained(stages.student, "student", x), *_device_files(stages, x)]
    latencies_s = median_latencies_s(list(dict.fromkeys(c.file for c in candidates if c.file is not None)), x)
    right = [candidate.logits.argmax(axis=1) == labels for candidate in candidates]
    return tuple(_score(c, own, right[0], seen, latencies_s) for c, own in zip(candidates, right, strict=True))


def generalisation(stages: Stages, scores: Sequence[ModelScore]) -> tuple[StageFinding, ...]:
    """Findings of the trained models, each with its stage: good on validation takes and poor on test takes."""
    accuracy = {score.name: score.accuracy for score in scores if score.form == "PyTorch"}
    names = dict.fromkeys(stages.teacher.stages, "teacher") | {stages.student.name: "student"}
    names |= {stages.pruned.name: "pruned"}
    found: list[StageFinding] = []
    for stage, name in names.items():
        figures = stages.workspace.finished(stage, TrainingFigures).figures
        finding = poor_generalisation(figures.val_accuracy, accuracy[name])
        found += [StageFinding(stage, finding)] if finding else []
    return tuple(found)


def _teacher(stages: Stages, x: NDArray[np.float32]) -> _Candidate:
    if stages.teacher.own is not None:
        return _trained(stages.teacher.own, "teacher", x)
    foreign = stages.teacher.loaded
    work = model_work(inspect_model(foreign.path)) if foreign.path else None
    return _Candidate(
        name="teacher",
        form=foreign.form,
        logits=predict_logits(foreign.module, x),
        parameters=foreign.parameters,
        zeros=None,
        macs=work.macs if isinstance(work, Work) else None,
        file=foreign.path,
    )


def _trained(stage: ModelStage, name: str, x: NDArray[np.float32]) -> _Candidate:
    model = stage.load()
    stage.keep_onnx(model)
    return _candidate(name, "PyTorch", model, stage.onnx, predict_logits(model, x), x.shape[1])


def _device_files(stages: Stages, x: NDArray[np.float32]) -> list[_Candidate]:
    """The pruned model in PyTorch and as the files that `quantize` made, the one for the device last."""
    pruned, fp32, left = stages.pruned.load(), stages.quantized.fp32, stages.quantized.left()
    rows = [
        _candidate("pruned", "PyTorch", pruned, fp32, predict_logits(pruned, x), x.shape[1]),
        _candidate("pruned", "ONNX fp32", pruned, fp32, logits_of(fp32, x), x.shape[1]),
    ]
    if left is not None:
        name, file = "fine-tuned" if left.tuned else "pruned", left.file
        form = f"ONNX int{left.bits}"
        rounded = _candidate(name, form, pruned, file, logits_of(file, x), x.shape[1])  # which makes zeros of its own
        rows.append(rounded)
    return rows


def _candidate(
    name: str, form: str, model: RecurrentClassifier, file: Path, logits: NDArray[np.float32], frames: int
) -> _Candidate:
    shape = model.architecture
    return _Candidate(name, form, logits, shape.parameters, count_zeros(model), shape.macs(frames), file)


def _score(
    candidate: _Candidate,
    right: NDArray[np.bool_],
    teachers: NDArray[np.bool_],
    seen: NDArray[np.bool_],
    latencies_s: Mapping[Path, float],
) -> ModelScore:
    """right, teachers: which takes it and the teacher answer right."""
    file = candidate.file
    content = file.read_bytes() if file else None
    low, high = accuracy_interval(int(right.sum()), len(right))
    kept = retention_of(right, teachers)
    kept_low, kept_high = kept.interval() or (None, None)
    return ModelScore(
        name=candidate.name,
        form=candidate.form,
        accuracy=float(right.mean()),
        accuracy_low=low,
        accuracy_high=high,
        takes=len(right),
        retention=kept.ratio,
        retention_low=kept_low,
        retention_high=kept_high,
        accuracy_seen=float(right[seen].mean()) if 0 < seen.sum() < len(seen) else None,
        takes_seen=int(seen.sum()),
        parameters=candidate.parameters,
        zeros=candidate.zeros,
        macs=candidate.macs,
        size_bytes=None if content is None else len(content),
        gzip_bytes=None if content is None else len(gzip.compress(content)),
        latency_p50_s=latencies_s[file] if file else None,
    )


def retention_of(right: NDArray[np.bool_], teachers: NDArray[np.bool_]) -> Retention:
    """Of two models' answers to the same takes."""
    both, lost, gained = right & teachers, teachers & ~right, right & ~teachers
    return Retention(len(right), int(both.sum()), int(lost.sum()), int(gained.sum()))


def median_latencies_s(files: Sequence[Path], x: NDArray[np.float32]) -> dict[Path, float]:
    """Median latency of each file on this host, in seconds, in the process where it was least.

    files: two or more. In each process all of them take turns on the same takes, so a slow spell of the machine slows
    all alike; which one is opened first changes. The best process is the one least disturbed, and luckiest in memory.
    """
    first, *others = files
    request = WorkerRequest(
        first,
        "compare",
        others=tuple(others),
        takes=x[:LATENCY_TAKES],
        repeats=LATENCY_REPEATS,
        max_time_s=TIME_LIMIT_S,
    )
    medians = []
    for process in range(LATENCY_PROCESSES):
        result = run_worker(replace(request, opened_first=process % len(files)))
        medians.append([float(np.median(samples)) / 1e9 for samples in (result.samples_ns, *result.others_ns)])
    return dict(zip(files, np.min(medians, axis=0).tolist(), strict=True))
