"""edgekit compile"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgekit.cli import options as o
from edgekit.cli.common import Common, emit, refuse_given, shared
from edgekit.cli.declaring import command as declared


@declared(
    o.OUTPUT.saying("Folder to write to [native in the work directory; with MODEL, its name without .onnx]."),
    o.ARITHMETIC,
    o.C_NAME,
    o.MACHINE,
    o.WORKDIR.saying("Where to find the model if none is named."),
    o.JSON,
    name="compile",
)
@click.argument("model", required=False, type=o.PATH)
@shared
def compile_(
    common: Common, model: Path | None, output: Path | None, arithmetic: Any, c_name: str, machine: Any
) -> None:
    """Write an ONNX file of edgekit's as C that needs nothing else.

    One C99 file with the weights in it, a header, a test program with golden vectors and a Makefile; with a C compiler
    also a shared library, which chooses at run time what the CPU has. INT8 files are computed in integers. MODEL is a
    file of `edgekit export` or `edgekit quantize`, or the word shipped; default: the work directory's INT8 file.

    --target wasm32 writes a WebAssembly module and its loader for browsers and Node instead, with clang and wasm-ld.

    Nothing is written unless the answers are ONNX Runtime's (exit code 5).

    \b
    Example:
      edgekit compile model.int8.onnx -o native
      edgekit compile shipped --arithmetic fp32 --name letters
      edgekit compile shipped --target wasm32 -o web
    """
    from edgekit.cli.progress import alive
    from edgekit.jobs import compile_file
    from edgekit.report import compiled_text

    if model is not None:
        refuse_given({"workdir"}, "MODEL names the file")
    with alive("compile", common.quiet):
        result = compile_file(common.workdir, model, output, arithmetic, c_name, machine)
    emit(common.as_json, result.to_dict(), lambda: compiled_text(result))
