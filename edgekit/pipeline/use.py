"""What the commands that use a finished model file do. Works without torch and onnx."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from numpy.typing import NDArray

from edgekit.artifacts import parse_json
from edgekit.config import Tree
from edgekit.data import DataConfig, OutOfFold, Recordings, fit_length, load_recordings, read_take, used_frames
from edgekit.errors import ConfigError, DataError, ShapeError
from edgekit.evaluate import Metrics, evaluate_model, predict_batches
from edgekit.pipeline.dataset import data_digest, read_recordings
from edgekit.pipeline.files import find_model, metadata_of, part_of
from edgekit.pipeline.options import Options
from edgekit.pipeline.settings import Settings, needs_extra
from edgekit.pipeline.workspace import Workspace, versions
from edgekit.reading import StrPath
from edgekit.report import check_picture, draw_confusion
from edgekit.runtime import open_predictor

if TYPE_CHECKING:
    from edgekit.quantize import QuantizeResult

MIN_FRAMES = 10
FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Evaluation:
    """Metrics with what they were measured on. synthetic: the takes are generated, not recorded. takes_cut: those that
    are longer than the model's sequence_length. picture: the file with the confusion matrix, where one was drawn."""

    model: str
    data: str
    part: str
    synthetic: bool
    metrics: Metrics
    sequence_length: int
    takes_cut: int
    picture: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; accuracy, takes and per_class at the top level."""
        about = {"model": self.model, "data": self.data, "part": self.part, "synthetic": self.synthetic}
        about |= {"sequence_length": self.sequence_length, "takes_cut": self.takes_cut, "picture": self.picture}
        return {"schema_version": 1, **self.metrics.to_dict(), **about}


def evaluate_file(workspace: Workspace, model: StrPath | None, part: str, picture: StrPath | None = None) -> Evaluation:
    """Metrics of an ONNX file on the work directory's data. part: "test", "validation", "train" or "all". picture:
    where the confusion matrix is drawn (PNG, SVG or PDF).

    Raises ModelFileError for a file without class names: other models can't be compared by name; ConfigError or
    MissingExtraError, before anything else, for a picture that can't be drawn.
    """
    model = None if model is None else Path(model)
    picture = None if picture is None else Path(picture)
    if picture is not None:
        check_picture(picture)
    predictor = open_predictor(find_model(workspace.path, model))
    metadata = metadata_of(predictor)
    settings, path = workspace.settings, workspace.options.recordings
    recordings = read_recordings(path, settings)
    config = settings.section("data", DataConfig)
    frames = metadata.sequence_length
    takes = part_of(recordings, config, part, data_digest(path, settings), frames)
    metrics = evaluate_model(predictor, takes.x, takes.labels, recordings.class_names, metadata.class_names)
    evaluation = Evaluation(
        model=str(predictor.info.path),
        data=recordings.source,
        part=part,
        synthetic=recordings.synthetic,
        metrics=metrics,
        sequence_length=frames,
        takes_cut=takes.takes_cut,
    )
    if picture is None:
        return evaluation
    return replace(evaluation, picture=str(draw_confusion(evaluation.to_dict(), picture)))


@dataclass(frozen=True)
class Prediction:
    """probability: softmax of the logits, 0 to 1. index: the take's place in its file. frames_cut: those of the take
    that the model does not read, up to its last one with a hand."""

    source: str
    index: int
    label: str
    probability: float
    frames_cut: int = 0

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        answer = {"source": self.source, "take": self.index, "label": self.label, "probability": self.probability}
        return {**answer, "frames_cut": self.frames_cut}


def predict_takes(model: StrPath, recordings: StrPath) -> tuple[Prediction, ...]:
    """Labels for every take of a file or folder of recordings, or of one take `.npy` (frames, features)."""
    model = Path(model)
    recordings = Path(recordings)
    predictor = open_predictor(model)
    metadata = metadata_of(predictor)
    x, cut = _read_takes(recordings, metadata.sequence_length)
    if x.shape[2] != metadata.features:
        raise ShapeError(f"{recordings}: {x.shape[2]} numbers a frame; {model} reads {metadata.features}")
    probabilities = softmax(predict_batches(predictor, x, predictor.fixed_batch or 1))
    best = probabilities.argmax(axis=1)
    return tuple(
        Prediction(
            str(recordings), k, metadata.class_names[label], round(float(probabilities[k, label]), 6), int(cut[k])
        )
        for k, label in enumerate(best)
    )


def _read_takes(path: Path, frames: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """x (takes, frames, features), and how many used frames of each take are left out."""
    if path.suffix == ".npy":
        take = read_take(path)
        sequences, lengths = take[None], np.array([len(take)])
    else:
        recordings = load_recordings(path)
        sequences, lengths = recordings.sequences, recordings.lengths
    return fit_length(sequences, lengths, frames), np.maximum(used_frames(sequences, lengths) - frames, 0)


def predict_frames(model: StrPath, lines: Iterable[str], min_frames: int = MIN_FRAMES) -> Iterator[dict[str, Any]]:
    """A stream: one frame of numbers as a JSON list a line in, one label a frame out, over the last frames.

    Window: the model's sequence length, hop 1; nothing before `min_frames` frames. Empty lines are no frames. Raises
    DataError naming the line, or when there is no frame at all; ConfigError for min_frames beyond the window.
    """
    model = Path(model)
    predictor = open_predictor(model)
    metadata = metadata_of(predictor)
    if min_frames > metadata.sequence_length:
        raise ConfigError(f"min_frames {min_frames}: the model's window has {metadata.sequence_length} frames")
    window: list[NDArray[np.float32]] = []
    seen = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        window = [*window, _parse_frame(line, number, metadata.features)][-metadata.sequence_length :]
        seen += 1
        if len(window) < min_frames:
            continue
        take = np.stack(window)[None]
        x = fit_length(take, np.array([len(window)]), metadata.sequence_length)
        probabilities = softmax(predict_batches(predictor, x))[0]
        best = int(probabilities.argmax())
        probability = round(float(probabilities[best]), 6)
        yield {"frame": seen - 1, "label": metadata.class_names[best], "probability": probability}
    if not seen:
        raise DataError(f"the stream holds no frame; expected a JSON list of {metadata.features} numbers a line")


def _parse_frame(line: str, number: int, features: int) -> NDArray[np.float32]:
    try:
        values, why = parse_json(line), ""
    except ValueError as error:
        values, why = None, f" ({error})"
    if not isinstance(values, list) or any(type(value) not in (int, float) for value in values):
        got = line.strip()[:60]
        raise DataError(f"line {number}: expected a JSON list of {features} numbers, all finite, got {got!r}{why}")
    if len(values) != features:
        raise DataError(f"line {number}: expected {features} numbers, got {len(values)}")
    bad = [value for value in values if not -FLOAT32_MAX <= value <= FLOAT32_MAX]
    if bad:
        raise DataError(f"line {number}: every number must be finite in float32, got {str(bad[0])[:20]}")
    return np.array(values, dtype=np.float32)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits (batch, classes) to probabilities, rows adding up to 1."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float32] = raised / raised.sum(axis=1, keepdims=True)
    return probabilities


def predict_labels(recordings: Recordings) -> OutOfFold:
    """A second opinion on labels from models trained here. Raises MissingExtraError without the training extra."""
    with needs_extra("--out-of-fold"):
        from edgekit.train import predict_out_of_fold
    return predict_out_of_fold(recordings)


def quantize_file(source: StrPath, target: StrPath | None, said: Tree) -> QuantizeResult:
    """INT8 form of any fp32 ONNX file; target defaults to `NAME.int8.onnx` beside it. said: a settings tree."""
    source = Path(source)
    target = None if target is None else Path(target)
    with needs_extra("quantize"):
        from edgekit.quantize import QuantizeConfig, quantize_onnx
    settings = Settings(Options(settings=said))
    settings.check(said)
    config = settings.section("quantize", QuantizeConfig)
    return quantize_onnx(source, target or int8_path(source), config)


def int8_path(source: StrPath) -> Path:
    """Where the INT8 form of a file goes unless said otherwise."""
    source = Path(source)
    return source.with_suffix(".int8.onnx")


def describe_environment() -> dict[str, Any]:
    """This machine and what is installed, JSON-ready."""
    memory = psutil.virtual_memory()
    return {
        **versions(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu": cpu_model(),
        "usable_cores": len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else None,
        "memory_bytes": memory.total,
        "memory_available_bytes": memory.available,
        "load_1min": psutil.getloadavg()[0],
    }


def cpu_model() -> str:
    """As the system names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return names[0] if names else platform.machine()
