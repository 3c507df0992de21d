"""What `export` does: a torch module that a function of the user's makes, as an ONNX file, without a work directory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgekit.data import DataConfig, canonical_takes, choose_length
from edgekit.errors import ConfigError
from edgekit.reading import StrPath
from edgekit.results import ExportedModule
from edgekit.workdir.extras import needs_extra
from edgekit.workdir.workspace import Workspace

#: Takes on which the file is proven, evenly spread.
PROOF_TAKES = 64


def export_module(
    workspace: Workspace, said: str, target: StrPath | None, class_names: Sequence[str] | None = None
) -> ExportedModule:
    """Write the module that `module:function` makes as an fp32 ONNX file with the classes of the work directory's data,
    in their order, proven on its takes. Runs the user's code.

    target: by default FUNCTION.onnx in the current folder. class_names: of the module's outputs, first to last; else
    its own attribute class_names; else the data's. Raises as `edgekit.teacher.load_teacher` and
    `edgekit.export.export_onnx` do; nothing is written then.
    """
    if said.endswith(".onnx") or ":" not in said:
        raise ConfigError(f"MODULE {said}: expected MODULE:FUNCTION, such as my_models:make")
    with needs_extra("export"):
        from edgekit.export import export_onnx
        from edgekit.teacher import load_teacher
    recordings = workspace.recordings
    length = workspace.settings.section("data", DataConfig).sequence_length
    x = canonical_takes(recordings, choose_length(recordings) if length == "auto" else length)
    x = x[np.linspace(0, len(x) - 1, min(len(x), PROOF_TAKES)).round().astype(np.int64)]
    module = load_teacher(said, x, recordings.class_names, class_names, flag="MODULE")
    path = Path(target or f"{said.rpartition(':')[2]}.onnx")
    made = export_onnx(module.module, path, class_names=recordings.class_names, takes=x)
    return ExportedModule(
        module=said,
        path=path,
        size_bytes=made.size_bytes,
        sha256=made.sha256,
        parameters=module.parameters,
        sequence_length=x.shape[1],
        features=x.shape[2],
        classes=len(recordings.class_names),
        parity=made.parity,
        about=module.describe(),
    )
