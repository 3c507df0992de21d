"""Predictions by a shared library of `edgekit compile`, through ctypes: numpy and nothing else.

A library is a program: load only what you or somebody you trust has compiled.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekit.artifacts import StrPath
from edgekit.errors import ConfigError, ModelFileError, did_you_mean, require_kind
from edgekit.runtime.inspection import ModelInfo, inspect_model
from edgekit.runtime.metadata import ModelMetadata, Rejection
from edgekit.runtime.native_stream import Block, NativeStream, refusal
from edgekit.runtime.session import Shape, validate_input

F32 = NDArray[np.float32]
#: What answers: ONNX Runtime, or a library of `edgekit compile`.
Runtime = Literal["onnxruntime", "native"]

#: Of the C interface that this file speaks; `edgekit.native` writes it into every library.
ABI = 2
#: How an ELF file begins.
_ELF = b"\x7fELF"
#: ELF's numbers of machines (e_machine), by what Python calls them.
_MACHINES = {
    62: ("x86_64", "amd64"),
    183: ("aarch64", "arm64"),
    40: ("armv7l", "armv6l", "armv8l"),
    3: ("i686", "i386"),
}


class NativePredictor:
    """An open library, called as a `Predictor` is. Made by `open_native`. Threads wait for each other: the buffers are
    its own, and ctypes lets go of Python's lock while C computes.

    info: what the library says of itself, and SHA-256 of the ONNX file that it was made from. variants: ways through it
    that this CPU has, the fastest first; variant: the one in use.
    """

    input_name, output_name = "landmarks", "logits"
    fixed_batch: int | None = None
    scoring_batch = 256

    def __init__(self, library: ctypes.CDLL, path: Path, variant: str | None) -> None:
        self._library = library
        _declare(library)
        sizes = (ctypes.c_size_t * 4)()
        library.ek_sizes(sizes)
        frames, features, self.classes, context = (int(size) for size in sizes)
        self._stream_bytes = int(library.ek_stream_size())
        self.input_shape: Shape = ("batch", frames, features)
        self._context, self._lock = Block(context), threading.Lock()
        self._take = np.zeros((frames, features), np.float32)
        self._logits = np.zeros(self.classes, np.float32)
        info = _describe(library, path, (frames, features, self.classes))
        names = [library.ek_variant_name(k).decode() for k in range(library.ek_variant_count())]
        runs = {name: k for k, name in enumerate(names) if library.ek_variant_runs(k)}
        self.variants = tuple(runs)
        self.variant = self.variants[0] if variant is None else variant
        if self.variant not in runs:
            what = "is not for this CPU" if self.variant in names else "is not in it"
            raise ConfigError(f"{path}: variant '{self.variant}' {what}{did_you_mean(self.variant, runs)}")
        self.info = replace(info, variant=self.variant)
        self._index = runs[self.variant]
        self._call = self._prepared(self._index)

    @property
    def streams(self) -> bool:
        """Whether it can go on from frame to frame, as `stream` does."""
        return self._stream_bytes > 0

    def stream(self, rows: int = 1) -> NativeStream:
        """A new stream. rows: states that it keeps, which can be reset one by one and take the same frames.

        Raises ModelFileError for a model that reads takes backwards, too."""
        if not self.streams:
            raise ModelFileError(
                f"{self.info.path}: no stream: a layer of this model reads takes backwards, too, so that every answer"
                " needs a whole take; train one with bidirectional: false"
            )
        sizes = (self._take.shape[1], self.classes, self._stream_bytes)
        return NativeStream(self._library, self._index, sizes, self.info.path, rows)

    def __call__(self, x: ArrayLike) -> F32:
        """x float32 (batch, frames, features) to logits float32 (batch, classes). Raises ShapeError as `Predictor`
        does, and for numbers that are too large."""
        values = validate_input(x, self.input_shape, self.input_name)
        logits = np.empty((len(values), self.classes), np.float32)
        with self._lock:
            for k, take in enumerate(values):
                np.copyto(self._take, take)
                self.run()
                logits[k] = self._logits
        return logits

    def run(self) -> None:
        """Predict what lies in the own take, into the own logits: what a caller pays beside is two copies and about a
        microsecond. For one thread at a time. Raises ShapeError for numbers that are too large."""
        status = self._call()
        if status:
            raise refusal(self._library, status, self.info.path)

    def _prepared(self, index: int) -> Callable[[], int]:
        """The call on the own buffers; their addresses are looked up once, because numpy takes microseconds for it."""
        (frames, features), address = self._take.shape, ctypes.c_void_p
        sizes = [ctypes.c_size_t(size) for size in (frames, features, self.classes)]
        take, logits = address(self._take.ctypes.data), address(self._logits.ctypes.data)
        arguments = (ctypes.c_int(index), self._context.pointer, take, sizes[0], sizes[1], logits, sizes[2])
        return functools.partial(self._library.ek_predict_with, *arguments)


def open_native(path: StrPath, variant: str | None = None) -> NativePredictor:
    """Open the library at `path`, a file or a folder with one. variant: one of its names, by default the fastest that
    this CPU has.

    Raises ModelFileError for a file that is none of edgekit's libraries, or for another kind of machine, which is
    looked up before it is loaded; ConfigError for a variant that it or this CPU has not.
    """
    path = find_library(path)
    _check_machine(path)
    try:
        library = ctypes.CDLL(str(path.resolve()))
        abi = library.ek_abi
    except (OSError, AttributeError) as error:
        raise ModelFileError(
            f"{path}: no library of edgekit compile ({str(error)[:200]}); compile the model here"
        ) from None
    if abi() != ABI:
        raise ModelFileError(f"{path}: made by another edgekit (interface {abi()}, expected {ABI}); compile it again")
    return NativePredictor(library, path, variant)


def inspect_any(path: StrPath) -> ModelInfo:
    """What an ONNX file or a library of `edgekit compile` says of itself. Raises ModelFileError for what is neither."""
    return open_native(path).info if is_library(path) else inspect_model(path)


def is_library(path: StrPath) -> bool:
    """Whether a path means a library and not an ONNX file: a folder, a file called .so, or one that begins as ELF."""
    require_kind(path, (str, os.PathLike), "model", "the path of an ONNX file, or of a library")
    path = Path(path)
    if path.is_dir() or path.suffix == ".so":
        return True
    try:
        with path.open("rb") as file:
            return path.is_file() and file.read(len(_ELF)) == _ELF
    except (OSError, ValueError):  # whoever opens it says why
        return False


def find_library(path: StrPath) -> Path:
    """The library that a path means: itself, or the only lib*.so of a folder. Raises ModelFileError."""
    path = Path(path)
    if path.suffix == ".onnx":
        raise ModelFileError(f"{path}: an ONNX file; `edgekit compile {path} -o native` makes a library of it")
    if not path.is_dir():
        if not path.is_file():
            model = "shipped" if path == Path("shipped") else "MODEL"
            raise ModelFileError(f"{path}: no such file; `edgekit compile {model} -o native` makes one")
        return path
    found = sorted(path.glob("lib*.so"))
    if len(found) != 1:
        raise ModelFileError(f"{path}: holds {len(found)} libraries (lib*.so), expected one; `make -C {path} library`")
    return found[0]


def _check_machine(path: Path) -> None:
    """Raises ModelFileError for what is no ELF file, is cut short, which would bring the process down when it is
    loaded, or is for another kind of machine. Source: System V ABI, ELF header."""
    with path.open("rb") as file:
        start = file.read(64)
    if start[: len(_ELF)] != _ELF or len(start) < 64:
        raise ModelFileError(f"{path}: not a shared library; compile the model here")
    order: Literal["little", "big"] = "little" if start[5] == 1 else "big"

    def field(place: int, size: int) -> int:
        return int.from_bytes(start[place : place + size], order)

    names = _MACHINES.get(field(18, 2), (f"machine {field(18, 2)}",))
    if platform.machine().lower() not in names:
        raise ModelFileError(
            f"{path}: compiled for {names[0]}, and this is {platform.machine()}; compile the model here"
        )
    table, sizes = (field(0x28, 8), 0x3A) if start[4] == 2 else (field(0x20, 4), 0x2E)  # of sections, which come last
    if table + field(sizes, 2) * field(sizes + 2, 2) > path.stat().st_size:
        raise ModelFileError(f"{path}: cut short; copy or compile it again")


def _declare(library: ctypes.CDLL) -> None:
    for name in ("ek_sha256", "ek_variant_name", "ek_class", "ek_status"):
        getattr(library, name).restype = ctypes.c_char_p
    library.ek_class.argtypes = [ctypes.c_size_t]
    library.ek_stream_size.restype = ctypes.c_size_t


def _describe(library: ctypes.CDLL, path: Path, sizes: tuple[int, int, int]) -> ModelInfo:
    frames, features, classes = sizes
    names = tuple(library.ek_class(k).decode() for k in range(classes))
    content, rule = path.read_bytes(), _rule(library)
    return ModelInfo(
        path=path,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        metadata=ModelMetadata(names, frames, features, parents=(library.ek_sha256().decode(),), no_sign=rule),
        ir_version=0,
        opsets={},
        producer="edgekit compile",
        inputs=(),
        outputs=(),
        op_types={},
    )


def _rule(library: ctypes.CDLL) -> Rejection | None:
    """When an answer says that nobody signs; None where the library has no rule, or is of an edgekit that knew none."""
    try:
        text = library.ek_no_sign
    except AttributeError:
        return None
    text.restype = ctypes.c_char_p
    found: str = text().decode()
    return Rejection.from_json(found) if found else None
