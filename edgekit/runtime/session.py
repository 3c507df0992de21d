"""Opens ONNX Runtime sessions and validates every input before it reaches them.

ONNX Runtime aborts the whole process on an empty batch and turns NaN into finite logits, so nothing runs
unchecked.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekit.errors import ConfigError, ModelFileError, ShapeError
from edgekit.runtime.guard import GuardedSession, Options
from edgekit.runtime.inspection import ModelInfo

F32 = NDArray[np.float32]
Shape = tuple[int | str | None, ...]

#: Takes at once where it does not matter: enough to be quick, few enough to fit in a small computer's memory.
SCORING_BATCH = 256


class BatchDependenceWarning(UserWarning):
    """Logits that depend on which takes share a batch, and above one take on the number of threads."""


def validate_input(x: ArrayLike, expected_shape: Sequence[int | str | None], name: str = "input") -> F32:
    """`x` as a contiguous float32 array that a model with this input may be run on.

    expected_shape: a size an axis; a name or None where any size of at least 1 will do. name: for messages.
    Raises ShapeError when x is not numeric, has another rank or size, an empty axis, or a value that is NaN,
    infinite or beyond float32.
    """
    try:
        given = np.asarray(x)
    except ValueError:
        raise ShapeError(f"{name}: rows of unequal length; expected shape {_text(expected_shape)}") from None
    if given.dtype.kind not in "fiu":
        raise ShapeError(f"{name}: type {given.dtype}; expected float32 numbers")
    fits = given.ndim == len(expected_shape) and all(
        size == wanted if isinstance(wanted, int) else size >= 1
        for size, wanted in zip(given.shape, expected_shape, strict=True)
    )
    if not fits or 0 in given.shape:
        hint = "; an empty batch can't be run" if given.shape[:1] == (0,) else ""
        raise ShapeError(f"{name}: shape {given.shape}; expected {_text(expected_shape)}{hint}")
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(given, dtype=np.float32)
    if not np.isfinite(values).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise ShapeError(f"{name}: {given[where]} at {where}; every value must be finite in float32")
    return values


def _text(shape: Sequence[int | str | None]) -> str:
    return "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"


class Predictor:
    """An open model with one float32 input and logits of rank 2. Made by `open_predictor`.

    info: what the file says. input_shape: sizes, names or None; axis 0 is the batch. classes: number of
    logits, None when the file does not state it.
    """

    def __init__(self, session: GuardedSession, info: ModelInfo) -> None:
        self._session = session
        self.info = info
        self.input_name, self.input_shape = _single_input(session, info.path)
        self.output_name, output_shape = _single_output(session, info.path)
        self.classes = output_shape[1] if isinstance(output_shape[1], int) else None
        named = len(info.metadata.class_names) if info.metadata else None
        if named is not None and self.classes is not None and named != self.classes:
            raise ModelFileError(f"{info.path}: {named} class names for {self.classes} outputs; export the model again")

    @property
    def fixed_batch(self) -> int | None:
        """The only batch size that the model takes, or None when it takes any."""
        first = self.input_shape[0]
        return first if isinstance(first, int) else None

    @property
    def scoring_batch(self) -> int:
        """Takes to run at once when takes are scored: the fixed batch, 1 where a batch changes its takes' logits
        (`ModelInfo.batch_dependent`), else 256. `edgekit.evaluate.predict_batches` goes by it.
        """
        return self.fixed_batch or (1 if self.info.batch_dependent else SCORING_BATCH)

    def __call__(self, x: ArrayLike) -> F32:
        """x float32 (batch, time, features) to logits float32 (batch, classes).

        Raises ShapeError for an x that the model can't take, ModelFileError when the model itself fails on it, or
        answers with what no class can be chosen by: NaN or infinity. Warns with BatchDependenceWarning for more than
        one take where these change each other's logits.
        """
        values = validate_input(x, self.input_shape, self.input_name)
        if len(values) > 1 and self.info.batch_dependent:
            warnings.warn(self._dependence(len(values)), BatchDependenceWarning, stacklevel=2)
        return checked(self._session.run([self.output_name], {self.input_name: values})[0], len(values), self.info.path)

    def _dependence(self, batch: int) -> str:
        return (
            f"{self.info.path}: {', '.join(self.info.batch_dependent)} quantises all {batch} takes of this batch with"
            " one scale: logits depend on the other takes, and on threads; run one take at a time"
        )


def checked(logits: F32, batch: int, path: Path) -> F32:
    """Logits that a class can be chosen by, float32 (batch, classes). Raises ModelFileError for others."""
    if logits.shape[:1] != (batch,) or logits.ndim != 2:
        raise ModelFileError(f"{path}: gave shape {logits.shape} for a batch of {batch}; expected (batch, classes)")
    if not np.isfinite(logits.max(axis=1, initial=-np.inf)).all():  # -inf is the logarithm of 0, and allowed
        raise ModelFileError(
            f"{path}: gave NaN or infinity for an input of finite numbers; its weights are damaged, or numbers overflow"
            " in it"
        )
    return logits


def open_session(content: bytes | Path, path: Path, threads: int = 1, options: Options = "own") -> GuardedSession:
    """A session on bytes that `inspect_bytes` has accepted; on the bytes, so that what was checked is what runs, or on
    a file of edgekit's own that holds them.

    It runs in a process of its own, with the options of `child.session_options`, `plain_options` or `bare_options`,
    within the limits of `edgekit.runtime.limits`. Raises ModelFileError for a model that can't be loaded, ConfigError
    for threads below 1.
    """
    if threads < 1:
        raise ConfigError(f"threads: {threads}; expected at least 1")
    return GuardedSession(content, path, threads, options)


def _single_input(session: GuardedSession, path: Path) -> tuple[str, Shape]:
    inputs = session.inputs
    if len(inputs) != 1:
        names = ", ".join(item.name for item in inputs) or "none"
        raise ModelFileError(f"{path}: inputs {names}; edgekit predicts with models of exactly one input")
    item = inputs[0]
    if item.type != "tensor(float)" or len(item.shape) < 2:
        raise ModelFileError(f"{path}: input '{item.name}' is {item.type} {item.shape}; expected float32 (batch, ...)")
    return item.name, tuple(item.shape)


def _single_output(session: GuardedSession, path: Path) -> tuple[str, Shape]:
    outputs = session.outputs
    item = next((output for output in outputs if output.name == "logits"), outputs[0])
    if item.type != "tensor(float)" or len(item.shape) not in (0, 2):  # 0: a shape that is not stated
        raise ModelFileError(
            f"{path}: output '{item.name}' is {item.type} {item.shape}; expected float32 (batch, classes)"
        )
    return item.name, tuple(item.shape) or (None, None)
