"""What `compile` does: a finished file as C."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from edgekit.artifacts import real_place
from edgekit.jobs.model_files import NATIVE_NAME, find_model
from edgekit.reading import StrPath
from edgekit.results import CompileResult
from edgekit.workdir.extras import needs_extra


def compile_file(
    workdir: StrPath,
    model: StrPath | None,
    target: StrPath | None,
    arithmetic: Literal["auto", "fp32", "int8"] = "auto",
    name: str = "model",
    machine: Literal["native", "wasm32"] = "native",
) -> CompileResult:
    """Write a model as C; see `edgekit.native.compile_model` and `find_model`, which finds it. target: by default the
    folder `native` beside a work directory's file, else one called as the file, in the current folder."""
    with needs_extra("compile"):
        from edgekit.native import compile_model
    path = find_model(workdir, model)
    beside = real_place(path).parent == real_place(workdir)
    chosen = Path(target) if target else Path(workdir, NATIVE_NAME) if beside else Path(path.name.removesuffix(".onnx"))
    return compile_model(path, chosen, arithmetic=arithmetic, name=name, machine=machine)
