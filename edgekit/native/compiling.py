"""`edgekit compile`: a model file as C, proven against ONNX Runtime before anything is written."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from edgekit.artifacts import scratch_folder, write_bytes
from edgekit.errors import ConfigError, GateError
from edgekit.native import reference
from edgekit.native.buffers import context_bytes
from edgekit.native.building import Compiler, build_library, find_compiler, library_name, run_test
from edgekit.native.network import F32, Network
from edgekit.native.program import Goldens, golden_program, golden_stream, makefile
from edgekit.native.reading import describe, read_network
from edgekit.native.signing import signed_classes
from edgekit.native.source import header, source, weight_bytes
from edgekit.native.stepping import stream_bytes
from edgekit.native.takes import golden_takes
from edgekit.native.wasm import WasmTools, build_module, find_wasm_tools, module_files
from edgekit.reading import StrPath
from edgekit.results import CompileResult
from edgekit.runtime import open_predictor

#: Takes of the golden vectors, and those that the file is proven on.
GOLDENS, PROOFS = 3, 16
#: How far a logit of fp32 arithmetic may be from ONNX Runtime's, times the largest logit where that is above 1.
FLOAT_TOLERANCE = 1e-5
#: How far a logit of int8 arithmetic may be, as a part of the logits' range: enough for rounding, and far less than a
#: graph that was read wrongly would be off.
INT8_TOLERANCE = 0.1


@dataclass(frozen=True)
class _Built:
    """Texts by file name, and the library or module, None where nothing compiled it, with the variants in it, the
    compiler's version, Node's where that ran the test, and how long compiling and testing took."""

    texts: Mapping[str, str]
    library: str
    content: bytes | None = None
    variants: tuple[str, ...] = ()
    compiler: str | None = None
    node: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class _Proof:
    """How far logits were off on that many takes, what was allowed, and labels that are others."""

    goldens: Goldens
    takes: int
    difference: float
    allowed: float
    labels_changed: int


def compile_model(
    path: StrPath,
    target: StrPath,
    *,
    arithmetic: Literal["auto", "fp32", "int8"] = "auto",
    name: str = "model",
    build: bool = True,
    machine: Literal["native", "wasm32"] = "native",
) -> CompileResult:
    """Write the model at `path` to the folder `target`: name.c, name.h, test.c and Makefile, and with a C compiler
    libname.so, after the test program has run; for wasm32 name.wasm, its loader name.mjs, and test.mjs, which has run
    where there is Node.

    arithmetic: "auto" is int8 for an INT8 file and fp32 for an fp32 one; "fp32" computes an INT8 file's weights in
    fp32. name: of the files and in front of every function. build: whether to look for a compiler at all; for wasm32
    there has to be one.

    Raises ModelFileError as `edgekit.native.reading.read_network` does, ConfigError for a name that is no word of C, a
    folder with somebody else's Makefile or sources of these names, int8 of an fp32 file, or wasm32 without clang and
    wasm-ld; GateError where answers are not ONNX Runtime's. Nothing is written then.
    """
    path, target = Path(path), Path(target)
    _check_name(name)
    _refuse_others_files(target, name)
    tools = find_wasm_tools() if machine == "wasm32" else None
    network = _chosen(read_network(path), arithmetic, path)
    proof = _prove(network, path)
    if tools is not None:
        built = _module(tools, network, proof.goldens, name)
    else:
        built = _native(network, proof.goldens, name, find_compiler() if build else None)
    _write(built, target)
    return CompileResult(
        source=path,
        folder=target,
        machine=machine,
        files=tuple(built.texts),
        library=None if built.content is None else target / built.library,
        library_bytes=len(built.content or b""),
        variants=built.variants,
        compiler=built.compiler,
        node=built.node,
        build_s=built.seconds,
        layers=describe(network.layers),
        scheme=network.scheme,
        arithmetic=network.arithmetic,
        weight_bytes=weight_bytes(network),
        context_bytes=context_bytes(network),
        stream_bytes=0 if machine == "wasm32" else stream_bytes(network),
        takes=proof.takes,
        max_abs_difference=proof.difference,
        tolerance=proof.allowed,
        labels_changed=proof.labels_changed,
    )


def _write(built: _Built, target: Path) -> None:
    """All files of a result, or none where the disk is full: they take their places when all are there."""
    if target.exists() and not target.is_dir():
        raise ConfigError(f"{target}: is a file, and a folder was to be written there; choose another name")
    new = not target.exists()
    files = {file: text.encode() for file, text in built.texts.items()}
    files |= {} if built.content is None else {built.library: built.content}
    target.mkdir(parents=True, exist_ok=True)
    try:
        with scratch_folder("compile", beside=target / built.library) as scratch:
            for file, content in files.items():
                write_bytes(scratch / file, content)
            (target / built.library).unlink(missing_ok=True)  # of other sources, perhaps: never beside new ones
            for file in files:
                (scratch / file).replace(target / file)
    except BaseException:
        if new and not any(target.iterdir()):
            target.rmdir()
        raise


def _native(network: Network, goldens: Goldens, name: str, compiler: Compiler | None) -> _Built:
    """Sources; with a compiler, the test program runs, then the library is made."""
    texts = {
        f"{name}.c": source(network, name),
        f"{name}.h": header(network, name),
        "test.c": golden_program(goldens, name),
        "Makefile": makefile(name, network.arithmetic),
    }
    if compiler is None:
        return _Built(texts, library_name(name))
    started = time.perf_counter()
    with scratch_folder("compile") as scratch:
        for file, text in texts.items():
            (scratch / file).write_text(text, encoding="utf-8")
        run_test(compiler, scratch, name)
        library, variants = build_library(compiler, scratch, name, network.arithmetic)
        seconds = time.perf_counter() - started
        return _Built(texts, library.name, library.read_bytes(), variants, compiler.version, None, seconds)


def _module(tools: WasmTools, network: Network, goldens: Goldens, name: str) -> _Built:
    started = time.perf_counter()
    scripts = module_files(network, goldens, name)
    with scratch_folder("compile") as scratch:
        module = build_module(tools, network, scripts, scratch, name)
        seconds = time.perf_counter() - started
        return _Built(scripts, module.name, module.read_bytes(), ("simd128",), tools.version, tools.node, seconds)


#: Words of C and C++, names that are taken, C's own headers, which name.h would hide, and its libraries.
_TAKEN = frozenset(
    {
        "and", "asm", "auto", "bool", "break", "c", "case", "catch", "char", "class", "const", "continue",
        "default", "delete", "do", "double", "ek", "else", "enum", "explicit", "export", "extern", "false", "float",
        "for", "friend", "goto", "if", "inline", "int", "long", "m", "main", "mutable", "namespace", "new", "not",
        "nullptr", "operator", "or", "private", "protected", "public", "register", "restrict", "return", "short",
        "signed", "sizeof", "static", "struct", "switch", "template", "test", "this", "throw", "true", "try",
        "typedef", "typename", "union", "unsigned", "using", "virtual", "void", "volatile", "while", "xor",
        "assert", "complex", "ctype", "errno", "fenv", "inttypes", "iso646", "limits", "locale", "math", "setjmp",
        "signal", "stdalign", "stdarg", "stdatomic", "stdbool", "stddef", "stdint", "stdio", "stdlib",
        "stdnoreturn", "string", "tgmath", "threads", "time", "uchar", "wchar", "wctype",
    }
)  # fmt: skip


def _check_name(name: str) -> None:
    if name in _TAKEN or name.startswith("ek_"):
        raise ConfigError(
            f"--name {name}: C, C++ or edgekit's own code uses this name already; choose another, such as letters"
        )
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
        raise ConfigError(
            f"--name {name or '(empty)'}: expected a name for C of a to z, 0 to 9 and _, first a letter, at most 40"
            " characters, such as letters"
        )


#: Stands in the first lines of sources.
_MARK = b"written by `edgekit compile"


def _refuse_others_files(target: Path, name: str) -> None:
    """Raises ConfigError where a file would be replaced in a folder that has nothing of `edgekit compile`."""
    sources = [path for path in target.glob("*") if path.suffix in (".c", ".h", ".mjs") and path.is_file()]
    if any(_MARK in path.read_bytes()[:200] for path in sources):
        return
    for file in (f"{name}.c", f"{name}.h", "test.c", "Makefile", f"{name}.mjs", "test.mjs"):
        if (target / file).exists():
            raise ConfigError(
                f"{target / file}: is there already, and edgekit compile did not write it; choose another folder with"
                " --output"
            )


def _chosen(network: Network, arithmetic: str, path: Path) -> Network:
    if arithmetic == "fp32":
        return network.in_float()
    if arithmetic == "int8" and network.arithmetic == "fp32":
        raise ConfigError(f"{path}: its weights are fp32; for int8 arithmetic run `edgekit quantize {path}` first")
    return network


def _prove(network: Network, path: Path) -> _Proof:
    """Made-up takes through ONNX Runtime and the numpy twin. Raises GateError where their answers are not the same."""
    x = golden_takes(network.frames, PROOFS)
    predictor = open_predictor(path)
    wanted = np.concatenate([predictor(take[None]) for take in x])
    got = reference.predict(network, x)
    spread = float(wanted.max() - wanted.min())
    allowed = INT8_TOLERANCE * spread if network.arithmetic == "int8" else _float_tolerance(wanted)
    difference = float(np.abs(wanted - got).max())
    if not difference <= allowed:
        raise GateError(
            f"{path}: in {network.arithmetic} arithmetic a logit is {difference:.3g} off ONNX Runtime's, allowed"
            f" {allowed:.3g}; nothing is written"
        )
    goldens = _goldens(network, x[:GOLDENS], wanted[:GOLDENS], got[:GOLDENS])
    changed = int((wanted.argmax(axis=1) != got.argmax(axis=1)).sum())
    return _Proof(goldens, len(x), difference, allowed, changed)


def _float_tolerance(wanted: F32) -> float:
    return FLOAT_TOLERANCE * max(1.0, float(np.abs(wanted).max()))


def _goldens(network: Network, x: F32, wanted: F32, got: F32) -> Goldens:
    streamed = golden_stream(network, x)
    if network.arithmetic == "int8":
        about = "Expected: what the same integer arithmetic gives in numpy, to the last bit."
        return Goldens(x, got, 0.0, about, streamed, signed_classes(network, x, got, 0.0))
    allowed, about = _float_tolerance(wanted), "Expected: ONNX Runtime's answers."
    return Goldens(x, wanted, allowed, about, streamed, signed_classes(network, x, wanted, allowed))
