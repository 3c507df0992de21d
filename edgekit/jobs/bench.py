"""What `bench` does: a finished file, with the work directory's takes. Works without torch and onnx."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.artifacts import scratch_folder, write_bytes, write_text
from edgekit.errors import ConfigError, DataError, InputError, StateError
from edgekit.jobs.model_files import find_model, refuse_changed
from edgekit.jobs.takes import BenchTakes, named_takes, own_takes, part_of, roles_of, titles_of
from edgekit.reading import StrPath
from edgekit.report import bench_junit, bench_markdown, bench_page
from edgekit.results import QuantizationFigures
from edgekit.runtime import Runtime
from edgekit.stages.names import FP32_NAME
from edgekit.workdir.extras import needs_extra
from edgekit.workdir.workspace import Workspace

if TYPE_CHECKING:
    from edgekit.bench import Accuracy, BenchResult
    from edgekit.device.emulator import Emulate
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
    runtime: Runtime = "onnxruntime",
    emulate: bool = False,
    max_instructions: int | None = None,
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

    runtime: "native" compiles the file for this machine, and measures that. emulate: whether the cores of the profile's
    boards are emulated, too; then max_instructions limits a prediction on each of them.

    Raises ConfigError where its answers do not bear that out, or class_names don't fit, ShapeError for takes that don't
    fit the file, InputError for a baseline that can't be compared with.
    """
    from edgekit.bench import BenchConfig, bench_onnx, hold_against, read_baseline

    earlier = None if baseline is None else read_baseline(baseline)
    path = find_model(workspace.path, model)
    config = workspace.settings.section("bench", BenchConfig)
    if class_names is not None and not labelled:
        raise ConfigError("--class-names: names are for labelled takes; give --data, --part or --parent with them")
    takes = named_takes(workspace, path, class_names) if labelled else own_takes(workspace, path)
    beside = _own_parent(workspace) if model is None and parent is None else parent
    with _compiled(path, runtime) as library:
        accuracy = None
        if labelled or model is None:
            accuracy = _accuracy(workspace, path, takes, beside, part or "validation", class_names, library)
        given = None if takes is None else takes.x
        result = bench_onnx(
            path,
            profile,
            config,
            takes=given,
            accuracy=accuracy,
            library=library,
            emulate=_emulator(library) if emulate else None,
            max_instructions=max_instructions,
        )
    return result if earlier is None else hold_against(result, earlier, max_regression)


@contextlib.contextmanager
def _compiled(path: Path, runtime: Runtime) -> Iterator[Path | None]:
    """A library of the file, while the block lasts; None for ONNX Runtime. Raises MissingExtraError without onnx,
    InputError without a C compiler."""
    if runtime == "onnxruntime":
        yield None
        return
    with needs_extra("bench --runtime native"):
        from edgekit.native import compile_model
    with scratch_folder("native") as folder:
        library = compile_model(path, folder).library
        if library is None:
            raise InputError("bench --runtime native needs a C compiler: install gcc or clang, or set CC")
        yield library


def _emulator(library: Path | None) -> Emulate:
    """What runs a request on emulated cores: the file under ONNX Runtime, or the sources beside a library. Raises
    InputError where the emulator is not set up."""
    from edgekit.device.emulator import chosen_onnxruntime, emulate_model, find_home

    home = find_home()
    if library is None:
        return partial(emulate_model, home, chosen_onnxruntime(home.sites))
    from edgekit.native.counting import cross_compiler, emulate_compiled

    cross_compiler()
    return partial(emulate_compiled, home, library.parent, library)


def check_reports(*paths: StrPath | None) -> None:
    """Raises InputError for files that could not be written, before minutes of measuring are lost. None: not wanted."""
    wanted = [Path(path).absolute() for path in paths if path is not None]
    for path in wanted:
        folder = next(above for above in path.parents if above.exists())
        if path.is_dir() or not (folder.is_dir() and os.access(folder, os.W_OK)):
            raise InputError(f"{path}: can't be written; give a file in a folder of yours")
    if len(set(wanted)) < len(wanted):
        raise InputError(f"{wanted[0]}: one file can't hold two reports; give each its own")


def write_reports(
    result: BenchResult,
    junit: StrPath | None = None,
    markdown: StrPath | None = None,
    html: StrPath | None = None,
) -> None:
    """A finished bench as files, each of them whole or absent. None: not wanted. Raises OSError for a place that can't
    be written."""
    if junit is not None:
        write_bytes(Path(junit), bench_junit(result))
    if markdown is not None:
        write_text(Path(markdown), bench_markdown(result))
    if html is not None:
        write_text(Path(html), bench_page(result))


def _own_parent(workspace: Workspace) -> Path | None:
    """The work directory's fp32 file; None where it has none. Raises ModelFileError for one that was changed."""
    fp32 = workspace.path / FP32_NAME
    if not fp32.exists():
        return None
    refuse_changed(workspace.path, fp32)
    return fp32


def _accuracy(
    workspace: Workspace,
    path: Path,
    takes: BenchTakes | None,
    parent: StrPath | None,
    part: str,
    class_names: Sequence[str] | None,
    library: Path | None,
) -> Accuracy | None:
    from edgekit.bench import LabelledTakes, score_accuracy

    if takes is None:
        return None if library is not None else _recorded_accuracy(workspace, path)
    recordings = takes.recordings
    try:
        chosen = part_of(workspace, part, takes.frames)
    except DataError as error:
        raise DataError(f"{error}; to measure on all takes as they are: --part all") from None
    labelled = LabelledTakes(
        x=chosen.x,
        labels=chosen.labels,
        class_names=recordings.class_names,
        source=recordings.source,
        part=part,
        synthetic=recordings.synthetic,
        takes_cut=chosen.takes_cut,
        roles=roles_of(path, recordings, workspace.digest, chosen.index),
        titles=titles_of(recordings, chosen.index),
    )
    return score_accuracy(library or path, labelled, parent, class_names)


def _recorded_accuracy(workspace: Workspace, path: Path) -> Accuracy | None:
    """What `quantize` found, if it was on this very file."""
    from edgekit.bench import Accuracy, Parent

    record = workspace.record("quantize")
    if record is None or path.name not in record.outputs:
        return None
    try:
        loss = workspace.finished("quantize", QuantizationFigures).figures.int8
    except StateError:  # made by an older edgekit, which kept less of it
        return None
    if loss is None:  # fp32, which was compared with nothing
        return None
    return Accuracy(
        accuracy=loss.int8_accuracy,
        takes=loss.takes,
        part="validation",
        source=f"the data of {workspace.path}, which is not here",
        parent=Parent(
            path=str(workspace.path / FP32_NAME),
            sha256=record.outputs.get(FP32_NAME),
            accuracy=loss.fp32_accuracy,
            flips=loss.flips,
            max_abs_difference=loss.max_abs_difference,
            mean_abs_difference=loss.mean_abs_difference,
            labels_changed=loss.changed,
        ),
    )
