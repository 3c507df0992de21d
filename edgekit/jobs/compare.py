"""What `compare` does: finished files and libraries in turn, with the work directory's takes. Works without torch and
onnx."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgekit.jobs.model_files import find_model
from edgekit.jobs.takes import own_takes
from edgekit.reading import StrPath
from edgekit.workdir.workspace import Workspace

if TYPE_CHECKING:
    from edgekit.bench import CompareResult


def compare_models(workspace: Workspace, models: Sequence[StrPath]) -> CompareResult:
    """Let files take turns on this host: whether they are faster than the first. Inputs are those of `bench_model`."""
    from edgekit.bench import CompareConfig, compare_onnx

    paths = [find_model(workspace.path, model) for model in models]
    config = workspace.settings.section("compare", CompareConfig)
    takes = own_takes(workspace, *paths)
    return compare_onnx(paths, config, takes=None if takes is None else takes.x)
