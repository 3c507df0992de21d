"""What `compare` does: finished files and libraries in turn, with the work directory's takes. Works without torch and
onnx."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.artifacts import write_text
from edgekit.errors import ShapeError
from edgekit.jobs.model_files import find_model
from edgekit.jobs.takes import own_takes
from edgekit.reading import StrPath
from edgekit.report import compare_page
from edgekit.runtime import inspect_any
from edgekit.workdir.workspace import Workspace

if TYPE_CHECKING:
    from edgekit.bench import CompareResult


def compare_models(workspace: Workspace, models: Sequence[StrPath]) -> CompareResult:
    """Let files take turns on this host: whether they are faster than the first. Inputs are those of `bench_model`."""
    from edgekit.bench import CompareConfig, compare_onnx

    paths = [find_model(workspace.path, model) for model in models]
    _refuse_mixed(paths)
    config = workspace.settings.section("compare", CompareConfig)
    takes = own_takes(workspace, *paths)
    return compare_onnx(paths, config, takes=None if takes is None else takes.x)


def write_comparison(result: CompareResult, html: StrPath | None) -> None:
    """A finished comparison as a page, whole or absent. None: not wanted. Raises OSError for a place that can't be
    written."""
    if html is not None:
        write_text(Path(html), compare_page(result))


def _refuse_mixed(paths: Sequence[Path]) -> None:
    """Raises ShapeError for step models beside files of takes."""
    infos = [inspect_any(path) for path in paths]
    stepping = [info for info in infos if info.steps]
    if stepping and len(stepping) < len(infos):
        other = next(info for info in infos if not info.steps)
        raise ShapeError(
            f"{stepping[0].path}: reads one frame a run, and {other.path} a whole take, so that a run of each is not"
            " the same work; bench each of them alone: on a stream both run once a frame"
        )
