"""What an edgekit model file says about itself, kept in ONNX `metadata_props`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from edgekit.artifacts import json_text, parse_json
from edgekit.errors import ModelFileError

PREFIX = "edgekit."

FLOAT32_MAX = float(np.finfo(np.float32).max)
#: Frames of a take, numbers of a frame, and numbers of a take that a file may ask for; a take is held in memory.
MAX_FRAMES = MAX_FEATURES = 100_000
MAX_TAKE = 2**26

PREPROCESSING = ("standard", "hand", "hand+displacement", "own")

#: How a model's numbers are stored and computed, to what that means, for people.
SCHEMES: Mapping[str, str] = {
    "fp32": "fp32 storage and arithmetic",
    "int8-weights": "int8 storage, fp32 arithmetic",
    "int4-weights": "int4 storage, fp32 arithmetic",
    "int8-dynamic": "int8 arithmetic inside the LSTM layers, int8 storage of the dense layers",
}


@dataclass(frozen=True)
class StateInfo:
    """A state of a step model: an input float32, whose next value is the output `next_name`. Zeros begin a stream.

    shape: sizes, and "batch" for the axis of streams.
    """

    name: str
    shape: tuple[int | str, ...]

    @property
    def next_name(self) -> str:
        """Of the output."""
        return f"new_{self.name}"

    def zeros(self, batch: int) -> NDArray[np.float32]:
        """As it is before the first frame of `batch` streams."""
        return np.zeros([size if isinstance(size, int) else batch for size in self.shape], np.float32)


#: How much an answer looks like a sign: see `edgekit.evaluate.sign_scores`.
Score = Literal["probability", "energy"]


@dataclass(frozen=True)
class Rejection:
    """Which answers of a file are no sign: those whose `score` is below the `threshold`.

    found_on: the takes on which the threshold was found, for people. lost: the part of them that it costs, which were
    read rightly before.
    """

    score: Score
    threshold: float
    found_on: str = ""
    lost: float = 0.0

    def to_json(self) -> str:
        """As it stands in a file."""
        return json_text(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Rejection:
        """The way back. Raises ModelFileError for what is damaged."""
        found: Rejection = _parse("no_sign", text)
        return found


@dataclass(frozen=True)
class ModelMetadata:
    """One file is all that a device needs: this is the part that is no tensor.

    class_names: one a logit, in order. sequence_length: frames that the model reads. features: numbers a
    frame. preprocessing: what the graph itself does before the first layer: "standard" (standardisation
    only), "hand" (each frame relative to its wrist, divided by hand size, then standardised) or
    "hand+displacement" (the wrist's slots carry its path, too), or "own", what a module of the user's does.
    scheme: one of `SCHEMES`. parents: SHA-256 of the files that this one was made from, nearest first, shipped
    weights last. version: of edgekit. parameters, macs: of the model, at batch 1; macs 0 where they are not known.
    trained_on: the data, and what weights it started from, for people. data_sha256, split: of these recordings, and
    how they were split, as JSON of settings; "" where that is not known. states: of a step model, which reads one frame
    (batch, features) a run; empty for one that reads takes. sequence_length is then what the model was made from reads,
    and macs those of one frame. no_sign: when an answer says that nobody signs; None where the file has no such rule.
    """

    class_names: tuple[str, ...]
    sequence_length: int
    features: int
    preprocessing: str = "hand"
    scheme: str = "fp32"
    parents: tuple[str, ...] = ()
    version: str = ""
    parameters: int = 0
    macs: int = 0
    trained_on: str = ""
    data_sha256: str = ""
    split: str = ""
    states: tuple[StateInfo, ...] = ()
    no_sign: Rejection | None = None

    @property
    def steps(self) -> bool:
        """Whether it is a step model: one frame a run, with states that go in and come out."""
        return bool(self.states)

    def to_props(self) -> dict[str, str]:
        """Keys `edgekit.<name>`, values JSON. Digests that are not known are left out: a file cut short behind its last
        key would be taken for whole."""
        known = {name: value for name, value in asdict(self).items() if value or name not in _LEFT_OUT}
        return {PREFIX + name: json_text(value, ascii_only=False) for name, value in known.items()}

    @classmethod
    def from_props(cls, props: Mapping[str, str]) -> ModelMetadata | None:
        """The way back; None when there is no edgekit key. Keys of a newer edgekit are ignored.

        Raises ModelFileError naming the key when a value is missing, of the wrong kind or out of range.
        """
        if not any(key.startswith(PREFIX) for key in props):
            return None
        values: dict[str, Any] = {}
        for item in fields(cls):
            text = props.get(PREFIX + item.name)
            if text is not None:
                values[item.name] = _parse(item.name, text)
        _check_take(values)
        missing = [name for name in ("class_names", "sequence_length", "features") if name not in values]
        if missing:
            raise ModelFileError(f"metadata lacks {PREFIX}{missing[0]}; export the model again")
        return cls(**values)


_TUPLES = {"class_names", "parents"}
#: Keys that stand in files where they hold something.
_LEFT_OUT = {"data_sha256", "split", "states", "no_sign"}
#: Least and greatest of each number.
_INTEGERS = {
    "sequence_length": (1, MAX_FRAMES),
    "features": (1, MAX_FEATURES),
    "parameters": (0, 2**63 - 1),
    "macs": (0, 2**63 - 1),
}


def _check_take(values: Mapping[str, Any]) -> None:
    frames, features = values.get("sequence_length", 1), values.get("features", 1)
    if frames * features > MAX_TAKE:
        raise ModelFileError(
            f"metadata {PREFIX}sequence_length {frames} times {PREFIX}features {features} is more than the {MAX_TAKE:,}"
            " numbers that a take may have; export the model again"
        )


def _parse(name: str, text: str) -> Any:
    try:
        value = parse_json(text)
    except ValueError:
        value = None
    allowed = ""
    if name in _TUPLES:
        good = isinstance(value, list) and all(isinstance(part, str) and _is_text(part) for part in value)
        value = tuple(value) if good else value
    elif name == "states":
        good = isinstance(value, list) and bool(value) and all(map(_is_state, value))
        value = tuple(StateInfo(each["name"], tuple(each["shape"])) for each in value) if good else value
    elif name == "no_sign":
        good = _is_rejection(value)
        value = Rejection(**value) if good else value
    elif name in _INTEGERS:
        least, most = _INTEGERS[name]
        good = type(value) is int and least <= value <= most
        allowed = f", allowed {least} to {most}"
    else:
        good = isinstance(value, str) and _is_text(value)
    if not good or (name == "class_names" and len(set(value)) != len(value)):
        raise ModelFileError(f"metadata {PREFIX}{name} is damaged: {text[:80]!r}{allowed}; export the model again")
    return value


def _is_state(value: Any) -> bool:
    """Whether that is a state as JSON, of no more numbers than a take may have."""
    if not (isinstance(value, dict) and value.keys() == {"name", "shape"} and isinstance(value["name"], str)):
        return False
    shape = value["shape"]
    sizes = [size for size in shape if size != "batch"] if isinstance(shape, list) else []
    fits = bool(sizes) and len(sizes) == len(shape) - 1 and all(type(size) is int and size >= 1 for size in sizes)
    return fits and math.prod(sizes) <= MAX_TAKE and _is_text(value["name"])


def _is_rejection(value: Any) -> bool:
    """Whether that is a rejection as JSON, with numbers that logits can have."""
    if not (isinstance(value, dict) and value.keys() == {"score", "threshold", "found_on", "lost"}):
        return False
    numbers = all(type(value[name]) in (int, float) for name in ("threshold", "lost"))
    numbers = numbers and all(abs(value[name]) <= FLOAT32_MAX for name in ("threshold", "lost"))
    told = isinstance(value["found_on"], str) and _is_text(value["found_on"])
    return numbers and told and value["score"] in get_args(Score)


def _is_text(value: str) -> bool:
    """Whether it can be written anywhere: half a surrogate pair can't."""
    return not any("\ud800" <= character <= "\udfff" for character in value)
