"""Benches and comparisons of a finished file, with the work directory's takes. Works without torch and onnx."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgekit.artifacts import write_bytes, write_text
from edgekit.data import Recordings, fit_length
from edgekit.errors import ConfigError, DataError, InputError, ModelFileError, ShapeError
from edgekit.evaluate.class_names import match_class_names
from edgekit.evaluate.reading import check_metadata, read_as
from edgekit.jobs.model_files import FP32_NAME, find_model, frames_for, part_of, refuse_changed, roles_of
from edgekit.reading import StrPath
from edgekit.report import bench_junit, bench_markdown
from edgekit.runtime import inspect_model
from edgekit.workdir.workspace import Workspace

if TYPE_CHECKING:
    from edgekit.bench import Accuracy, BenchResult, CompareResult
    from edgekit.profiles import Profile


def bench_model(
    workspace: Workspace,
    model: StrPath | None,
    profile: str | Profile,
    *,
    parent: StrPath | None = None,
    part: str | None = None,
    labelled: bool = False,
    baseline: StrPath | None = None,
    max_regression: float = 0.0,
    class_names: Sequence[str] | None = None,
) -> BenchResult:
    """Measure a file on this host and hold it against a profile.

    Inputs are recorded takes where the work directory has data of the right shape, else random numbers: also where the
    data is not on this machine, as on a device that the work directory was copied to.

    The same takes score the file against its float32 parent where `model` is None, the work directory's own file, or
    `labelled` says that the caller named takes, `parent` or `part`. part: "validation" (the default), "test", "train"
    or "all"; the test part is never used unless it is named. parent: default the work directory's fp32 file for its
    INT8 file, else none. Where the data is not here, what `quantize` found on validation takes counts.

    baseline: the JSON of an earlier bench, whose figures may be worse by `max_regression` now, a ratio. class_names: of
    the file's outputs, and of the parent's where it names none; without them a file that names none is taken in the
    data's order of classes.

    Raises ConfigError where its answers do not bear that out, or class_names don't fit, ShapeError for takes that don't
    fit the file, InputError for a baseline that can't be compared with.
    """
    model = None if model is None else Path(model)
    parent = None if parent is None else Path(parent)
    baseline = None if baseline is None else Path(baseline)
    from edgekit.bench import BenchConfig, bench_onnx, hold_against, read_baseline

    earlier = None if baseline is None else read_baseline(baseline)
    path = find_model(workspace.path, model)
    config = workspace.settings.section("bench", BenchConfig)
    if class_names is not None and not labelled:
        raise ConfigError("--class-names: names are for labelled takes; give --data, --part or --parent with them")
    found = _named_takes(workspace, path, class_names) if labelled else _bench_takes(workspace, path)
    accuracy = None
    if labelled or model is None:
        fp32 = workspace.path / FP32_NAME
        own = model is None and parent is None and fp32.exists()
        if own:
            refuse_changed(workspace.path, fp32)
        chosen = fp32 if own else parent
        accuracy = _accuracy(workspace, path, found, chosen, part or "validation", class_names)
    result = bench_onnx(path, profile, config, takes=_fit(found), accuracy=accuracy)
    return result if earlier is None else hold_against(result, earlier, max_regression)


def check_reports(*paths: StrPath | None) -> None:
    """Raises InputError for files that could not be written, before minutes of measuring are lost. None: not wanted."""
    wanted = [Path(path).absolute() for path in paths if path is not None]
    for path in wanted:
        folder = next(above for above in path.parents if above.exists())
        if path.is_dir() or not (folder.is_dir() and os.access(folder, os.W_OK)):
            raise InputError(f"{path}: can't be written; give a file in a folder of yours")
    if len(set(wanted)) < len(wanted):
        raise InputError(f"{wanted[0]}: one file can't hold two reports; give each its own")


def write_reports(result: BenchResult, junit: StrPath | None = None, markdown: StrPath | None = None) -> None:
    """A finished bench as files, each of them whole or absent. None: not wanted. Raises OSError for a place that can't
    be written."""
    junit = None if junit is None else Path(junit)
    markdown = None if markdown is None else Path(markdown)
    if junit is not None:
        write_bytes(junit, bench_junit(result))
    if markdown is not None:
        write_text(markdown, bench_markdown(result))


def compare_models(workspace: Workspace, models: Sequence[StrPath]) -> CompareResult:
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
        workspace.watcher.stage("data", "note", f"{data} is not here: random input")
        return None
    recordings = workspace.recordings
    return (recordings, wanted[0]) if recordings.features == wanted[1] else None


def _named_takes(workspace: Workspace, path: Path, class_names: Sequence[str] | None) -> Found:
    """The recordings that the user named; what does not fit is an error."""
    info = inspect_model(path)
    if len(info.inputs) != 1:
        raise ModelFileError(f"{path}: {len(info.inputs)} inputs; labelled takes are for files of one")
    reading = read_as(path, info.metadata, info.inputs[0].shape or (), None, class_names)
    recordings = workspace.recordings
    if reading.features not in (None, recordings.features):
        numbers = f"{recordings.features} numbers per frame"
        raise ShapeError(f"{recordings.source}: {numbers}; {path} reads {reading.features}")
    if reading.origin == "said":
        match_class_names(class_names or (), recordings.class_names)
    return recordings, frames_for(reading, recordings, workspace.settings)


def _fit(found: Found | None) -> NDArray[np.float32] | None:
    return None if found is None else fit_length(found[0].sequences, found[0].lengths, found[1])


def _accuracy(
    workspace: Workspace,
    path: Path,
    found: Found | None,
    parent: Path | None,
    part: str,
    class_names: Sequence[str] | None,
) -> Accuracy | None:
    from edgekit.bench import LabelledTakes, score_accuracy

    if found is None:
        return _recorded_accuracy(workspace, path)
    recordings, frames = found
    try:
        chosen = part_of(workspace, part, frames)
    except DataError as error:
        raise DataError(f"{error}; to measure on all takes as they are: --part all") from None
    takes = LabelledTakes(
        x=chosen.x,
        labels=chosen.labels,
        class_names=recordings.class_names,
        source=recordings.source,
        part=part,
        synthetic=recordings.synthetic,
        takes_cut=chosen.takes_cut,
        roles=roles_of(inspect_model(path).metadata, recordings, workspace.digest, chosen.index),
    )
    return score_accuracy(path, takes, parent, class_names)


def _recorded_accuracy(workspace: Workspace, path: Path) -> Accuracy | None:
    """What `quantize` found, if it was on this very file."""
    from edgekit.bench import Accuracy, Flips, Parent

    record = workspace.record("quantize")
    if record is None or path.name not in record.outputs:
        return None
    loss = record.metrics.get("int8", {})
    if not {"lost", "gained"} <= set(loss):  # made by an older edgekit
        return None
    return Accuracy(
        accuracy=loss["int8_accuracy"],
        takes=loss["takes"],
        part="validation",
        source=f"the data of {workspace.path}, which is not here",
        parent=Parent(
            path=str(workspace.path / FP32_NAME),
            sha256=record.outputs.get(FP32_NAME),
            accuracy=loss["fp32_accuracy"],
            flips=Flips(loss["takes"], loss["lost"], loss["gained"]),
            max_abs_difference=loss["max_abs_difference"],
            mean_abs_difference=loss["mean_abs_difference"],
            labels_changed=loss["changed"],
        ),
    )


def _take_size(paths: Sequence[Path]) -> tuple[int, int] | None:
    """(frames, numbers per frame) that all of the files read; None where one does not say, or they differ."""
    sizes = set()
    for path in paths:
        info = inspect_model(path)
        if info.metadata is None:
            return None
        check_metadata(path, info.metadata, info.inputs[0].shape if len(info.inputs) == 1 else None)
        sizes.add((info.metadata.sequence_length, info.metadata.features))
    return sizes.pop() if len(sizes) == 1 else None
