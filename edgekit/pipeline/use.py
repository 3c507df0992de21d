"""What the commands that use a finished model file do. Works without torch and onnx."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from numpy.typing import NDArray

from edgekit.artifacts import sha256_file, write_bytes
from edgekit.config import Tree
from edgekit.data import DataConfig, Recordings, fit_length, load_recordings, read_take
from edgekit.errors import ConfigError, DataError, InputError, ModelFileError, ShapeError
from edgekit.evaluate import Metrics, evaluate_model, predict_batches
from edgekit.pipeline.dataset import data_digest, prepare_dataset, read_recordings
from edgekit.pipeline.settings import Options, Settings, needs_extra
from edgekit.pipeline.workspace import Workspace, versions
from edgekit.report import bench_junit, bench_markdown
from edgekit.runtime import ModelMetadata, Predictor, inspect_model, open_predictor

if TYPE_CHECKING:
    from edgekit.bench import Accuracy, BenchResult, CompareResult
    from edgekit.profiles import Profile
    from edgekit.quantize import QuantizeResult

INT8_NAME = "model.int8.onnx"
FP32_NAME = "model.onnx"
MIN_FRAMES = 10
FLOAT32_MAX = float(np.finfo(np.float32).max)


def find_model(workdir: Path, given: Path | None) -> Path:
    """The model named, or the work directory's INT8 file. Raises ModelFileError when there is none."""
    path = given or workdir / INT8_NAME
    if not path.exists():
        hint = "" if given else "; run `edgekit quantize` first, or name a model"
        raise ModelFileError(f"{path}: no such file{hint}")
    return path


def bench_model(
    workspace: Workspace,
    model: Path | None,
    profile: str | Profile,
    *,
    parent: Path | None = None,
    part: str | None = None,
    labelled: bool = False,
    baseline: Path | None = None,
    max_regression: float = 0.0,
) -> BenchResult:
    """Measure a file on this host and hold it against a profile.

    Inputs are recorded takes where the work directory has data of the right shape, else random numbers: also where the
    data is not on this machine, as on a device that the work directory was copied to.

    The same takes score the file against its float32 parent where `model` is None, the work directory's own file, or
    `labelled` says that the caller named takes, `parent` or `part`. part: "validation" (the default), "test", "train"
    or "all"; the test part is never used unless it is named. parent: default the work directory's fp32 file for its
    INT8 file, else none. Where the data is not here, what `quantize` found on validation takes counts.

    baseline: the JSON of an earlier bench, whose figures may be worse by `max_regression` now, a ratio.

    Raises ModelFileError for takes named for a file without class names, ShapeError for takes that don't fit it,
    InputError for a baseline that can't be compared with.
    """
    from edgekit.bench import BenchConfig, bench_onnx, hold_against, read_baseline

    earlier = None if baseline is None else read_baseline(baseline)
    path = find_model(workspace.path, model)
    config = workspace.settings.section("bench", BenchConfig)
    found = _named_takes(workspace, path) if labelled else _bench_takes(workspace, path)
    accuracy = None
    if labelled or model is None:
        fp32 = workspace.path / FP32_NAME
        chosen = parent or (fp32 if model is None and fp32.exists() else None)
        accuracy = _accuracy(workspace, path, found, chosen, part or "validation")
    result = bench_onnx(path, profile, config, takes=_fit(found), accuracy=accuracy)
    return result if earlier is None else hold_against(result, earlier, max_regression)


def check_reports(*paths: Path | None) -> None:
    """Raises InputError for files that could not be written, before minutes of measuring are lost. None: not wanted."""
    wanted = [path.absolute() for path in paths if path is not None]
    for path in wanted:
        folder = next(above for above in path.parents if above.exists())
        if path.is_dir() or not (folder.is_dir() and os.access(folder, os.W_OK)):
            raise InputError(f"{path}: can't be written; give a file in a folder of yours")
    if len(set(wanted)) < len(wanted):
        raise InputError(f"{wanted[0]}: one file can't hold two reports; give each its own")


def write_reports(result: BenchResult, junit: Path | None = None, markdown: Path | None = None) -> None:
    """A finished bench as files, each of them whole or absent. None: not wanted. Raises OSError for a place that can't
    be written."""
    if junit is not None:
        write_bytes(junit, bench_junit(result))
    if markdown is not None:
        write_bytes(markdown, bench_markdown(result).encode("utf-8", "replace"))


def compare_models(workspace: Workspace, models: Sequence[Path]) -> CompareResult:
    """Let files take turns on this host: whether they are faster than the first. Inputs are those of `bench_model`."""
    from edgekit.bench import CompareConfig, compare_onnx

    paths = [find_model(workspace.path, model) for model in models]
    config = workspace.settings.section("compare", CompareConfig)
    return compare_onnx(paths, config, takes=_fit(_bench_takes(workspace, *paths)))


#: Recordings, and how many frames of a take the models read.
Found = tuple[Recordings, int]


def _bench_takes(workspace: Workspace, *paths: Path) -> Found | None:
    """The work directory's recordings where they are here and all of the files read such takes."""
    data, wanted = workspace.options.recordings, None
    if workspace.record("quantize") is not None:
        wanted = _take_size(paths)
    if wanted is None:
        return None
    if data is not None and not Path(data).exists():
        workspace.watcher.note(f"{data} is not here: random input")
        return None
    recordings = read_recordings(data, workspace.settings)
    return (recordings, wanted[0]) if recordings.features == wanted[1] else None


def _named_takes(workspace: Workspace, path: Path) -> Found:
    """The recordings that the user named; what does not fit is an error."""
    wanted = _take_size((path,))
    if wanted is None:
        raise ModelFileError(f"{path}: holds no class names; takes can only be used with files that edgekit exported")
    recordings = read_recordings(workspace.options.recordings, workspace.settings)
    if recordings.features != wanted[1]:
        raise ShapeError(f"{recordings.source}: {recordings.features} numbers a frame; {path} reads {wanted[1]}")
    return recordings, wanted[0]


def _fit(found: Found | None) -> NDArray[np.float32] | None:
    return None if found is None else fit_length(found[0].sequences, found[0].lengths, found[1])


def _accuracy(workspace: Workspace, path: Path, found: Found | None, parent: Path | None, part: str) -> Accuracy | None:
    from edgekit.bench import LabelledTakes, score_accuracy

    if found is None:
        return _recorded_accuracy(workspace, path)
    (recordings, frames), settings = found, workspace.settings
    config = settings.section("data", DataConfig)
    config = config.model_copy(update={"sequence_length": frames})
    try:
        x, labels = _part(recordings, config, part, data_digest(workspace.options.recordings, settings))
    except DataError as error:
        raise DataError(f"{error}; to measure on all takes as they are: --part all") from None
    takes = LabelledTakes(x, labels, recordings.class_names, recordings.source, part, recordings.synthetic)
    return score_accuracy(path, takes, parent)


def _recorded_accuracy(workspace: Workspace, path: Path) -> Accuracy | None:
    """What `quantize` found, if it was on this very file. It kept how many labels changed, not which were right before:
    as many flips as there can have been."""
    from edgekit.bench import Accuracy, Flips, Parent

    record = workspace.record("quantize")
    if record is None or record.outputs.get(path.name) != sha256_file(path):
        return None
    loss = record.metrics["int8"]
    difference = round(loss["accuracy_drop"] * loss["takes"])
    flips = loss["changed"] - (loss["changed"] - difference) % 2
    return Accuracy(
        accuracy=loss["int8_accuracy"],
        takes=loss["takes"],
        part="validation",
        source=f"the data of {workspace.path}, which is not here; flips are at most those shown",
        parent=Parent(
            path=str(workspace.path / FP32_NAME),
            sha256=record.outputs.get(FP32_NAME),
            accuracy=loss["fp32_accuracy"],
            flips=Flips(loss["takes"], (flips + difference) // 2, (flips - difference) // 2),
            max_abs_difference=loss["max_abs_difference"],
            mean_abs_difference=loss["mean_abs_difference"],
            labels_changed=loss["changed"],
        ),
    )


def _take_size(paths: Sequence[Path]) -> tuple[int, int] | None:
    """(frames, numbers a frame) that all of the files read; None where one does not say, or they differ."""
    sizes = set()
    for path in paths:
        info = inspect_model(path)
        if info.metadata is None:
            return None
        _check_metadata(path, info.metadata, info.inputs[0].shape if len(info.inputs) == 1 else None)
        sizes.add((info.metadata.sequence_length, info.metadata.features))
    return sizes.pop() if len(sizes) == 1 else None


@dataclass(frozen=True)
class Evaluation:
    """Metrics with what they were measured on. synthetic: the takes are generated, not recorded."""

    model: str
    data: str
    part: str
    synthetic: bool
    metrics: Metrics

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; accuracy, takes and per_class at the top level."""
        about = {"model": self.model, "data": self.data, "part": self.part, "synthetic": self.synthetic}
        return {"schema_version": 1, **self.metrics.to_dict(), **about}


def evaluate_file(workspace: Workspace, model: Path | None, part: str) -> Evaluation:
    """Metrics of an ONNX file on the work directory's data. part: "test", "validation", "train" or "all".

    Raises ModelFileError for a file without class names: other models can't be compared by name.
    """
    predictor = open_predictor(find_model(workspace.path, model))
    metadata = _metadata(predictor)
    settings, path = workspace.settings, workspace.options.recordings
    recordings = read_recordings(path, settings)
    config = settings.section("data", DataConfig)
    config = config.model_copy(update={"sequence_length": metadata.sequence_length})
    x, labels = _part(recordings, config, part, data_digest(path, settings))
    metrics = evaluate_model(predictor, x, labels, recordings.class_names, metadata.class_names)
    name = str(predictor.info.path)
    return Evaluation(name, recordings.source, part, recordings.synthetic, metrics)


def _part(recordings: Recordings, config: DataConfig, part: str, digest: str) -> tuple[Any, Any]:
    if part == "all":
        x = fit_length(recordings.sequences, recordings.lengths, config.sequence_length)
        return x, recordings.labels
    dataset = prepare_dataset(recordings, config, digest)
    index = {"train": dataset.split.train, "validation": dataset.split.validation, "test": dataset.split.test}[part]
    return dataset.part(index)


def _metadata(predictor: Predictor) -> ModelMetadata:
    metadata = predictor.info.metadata
    if metadata is None:
        raise ModelFileError(
            f"{predictor.info.path}: holds no class names; only files that edgekit exported can be used here"
        )
    _check_metadata(predictor.info.path, metadata, predictor.input_shape)
    return metadata


def _check_metadata(path: Path, metadata: ModelMetadata, shape: tuple[int | str | None, ...] | None) -> None:
    """Raises ModelFileError when what a file says about itself is not what its input (batch, time, features) is."""
    said = (metadata.sequence_length, metadata.features)
    declared = (shape or ())[1:]
    fits = len(declared) == 2 and all(
        got == want for got, want in zip(declared, said, strict=True) if isinstance(got, int)
    )
    if not fits:
        raise ModelFileError(
            f"{path}: its metadata says {said[0]} frames of {said[1]} numbers, its input is {shape}; export it again"
        )


@dataclass(frozen=True)
class Prediction:
    """probability: softmax of the logits, 0 to 1. index: the take's place in its file, or the frame's number."""

    source: str
    index: int
    label: str
    probability: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"source": self.source, "take": self.index, "label": self.label, "probability": self.probability}


def predict_takes(model: Path, recordings: Path) -> tuple[Prediction, ...]:
    """Labels for every take of a file or folder of recordings, or of one take `.npy` (frames, features)."""
    predictor = open_predictor(model)
    metadata = _metadata(predictor)
    x = _read_takes(recordings, metadata.sequence_length)
    if x.shape[2] != metadata.features:
        raise ShapeError(f"{recordings}: {x.shape[2]} numbers a frame; {model} reads {metadata.features}")
    probabilities = softmax(predict_batches(predictor, x, predictor.fixed_batch or 1))
    best = probabilities.argmax(axis=1)
    return tuple(
        Prediction(str(recordings), k, metadata.class_names[label], round(float(probabilities[k, label]), 6))
        for k, label in enumerate(best)
    )


def _read_takes(path: Path, frames: int) -> NDArray[np.float32]:
    if path.suffix == ".npy":
        take = read_take(path)
        return fit_length(take[None], np.array([len(take)]), frames)
    recordings = load_recordings(path)
    return fit_length(recordings.sequences, recordings.lengths, frames)


def predict_frames(model: Path, lines: Iterable[str], min_frames: int = MIN_FRAMES) -> Iterator[dict[str, Any]]:
    """A stream: one frame of numbers as a JSON list a line in, one label a frame out, over the last frames.

    Window: the model's sequence length, hop 1; nothing before `min_frames` frames. Empty lines are no frames. Raises
    DataError naming the line, or when there is no frame at all; ConfigError for min_frames beyond the window.
    """
    predictor = open_predictor(model)
    metadata = _metadata(predictor)
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
        values = json.loads(line)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, list) or any(type(value) not in (int, float) for value in values):
        got = line.strip()[:60]
        raise DataError(f"line {number}: expected a JSON list of {features} numbers, got {got!r}")
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


def quantize_file(source: Path, target: Path | None, said: Tree) -> QuantizeResult:
    """INT8 form of any fp32 ONNX file; target defaults to `NAME.int8.onnx` beside it. said: a settings tree."""
    with needs_extra("quantize"):
        from edgekit.quantize import QuantizeConfig, quantize_onnx
    settings = Settings(Options(settings=said))
    settings.check(said)
    config = settings.section("quantize", QuantizeConfig)
    return quantize_onnx(source, target or int8_path(source), config)


def int8_path(source: Path) -> Path:
    """Where the INT8 form of a file goes unless said otherwise."""
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
