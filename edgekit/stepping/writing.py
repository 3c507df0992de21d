"""`edgekit step`: a model file that reads one frame a run, written once it is proven against the one of takes.

What is compared: after a take's last frame, the steps' logits with the file's own; after every frame before, with those
of the same file made for takes of so many frames; and on a stream longer than a take with the numpy form of
`edgekit.native`, which is the reference of `edgekit compile`, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edgekit import __version__
from edgekit.artifacts import scratch_folder, sha256_bytes, write_bytes
from edgekit.errors import GateError, ModelFileError
from edgekit.native import Network, read_network, reference
from edgekit.native.network import F32
from edgekit.native.reading import describe
from edgekit.native.takes import golden_takes
from edgekit.reading import StrPath
from edgekit.results import StepResult
from edgekit.runtime import ModelMetadata, StepPredictor, inspect_model, open_predictor
from edgekit.runtime.inspection import read_model
from edgekit.stepping.graph import StepGraph, states_of

#: Of edgekit's own files; the operators of later ones are spelt otherwise.
OPSET = 17
#: Takes that a file is proven on.
PROOFS = 8
#: How far a logit may be off, times the largest logit where that is above 1.
TOLERANCE = 1e-5
#: The same of scheme int8-dynamic, as a part of the logits' range: there a frame alone is rounded in steps of its own,
#: and a whole take in one. As in `edgekit.native.compiling`.
DYNAMIC_TOLERANCE = 0.1


@dataclass(frozen=True)
class _Proof:
    """frames: answers that were compared. difference: the largest of a logit; allowed: how much may be."""

    frames: int
    difference: float
    allowed: float


def write_step_model(path: StrPath, target: StrPath) -> StepResult:
    """Write the step model of the file at `path` to `target`.

    Raises ModelFileError as `edgekit.native.read_network` does, and for a model that reads takes backwards, too, or has
    another opset than edgekit writes; GateError where answers are not those of the file; nothing is written then.
    """
    path, target = Path(path), Path(target)
    info = inspect_model(path)
    network = read_network(path)
    if not network.streams:
        raise ModelFileError(
            f"{path}: no step model: a layer of this model reads takes backwards, too, so that every answer needs a"
            " whole take; train one with bidirectional: false"
        )
    if info.opsets.get("") != OPSET:
        raise ModelFileError(
            f"{path}: opset {info.opsets.get('')}, expected {OPSET}, which edgekit writes; export it with this edgekit"
        )
    taken = onnx.load_from_string(read_model(path))
    metadata = _metadata(info.metadata or _unnamed(network), network)
    content = _content(StepGraph(taken, network).build(), metadata)
    with scratch_folder("step") as folder:
        proof = _prove(taken, network, write_bytes(folder / "step.onnx", content), path)
    write_bytes(target, content)
    return StepResult(
        source=path,
        path=target,
        size_bytes=len(content),
        source_bytes=info.size_bytes,
        sha256=sha256_bytes(content),
        layers=describe(network.layers),
        scheme=network.scheme,
        states=metadata.states,
        frames=proof.frames,
        max_abs_difference=proof.difference,
        tolerance=proof.allowed,
    )


def _unnamed(network: Network) -> ModelMetadata:
    return ModelMetadata(network.class_names, network.frames.count, network.frames.features)


def _metadata(metadata: ModelMetadata, network: Network) -> ModelMetadata:
    recurrent = sum(layer.rows * (layer.inputs + layer.units) for layer in network.layers)
    dense = sum(one.weights.rows * one.weights.columns for one in network.dense)
    return replace(
        metadata,
        states=states_of(network),
        macs=recurrent + dense,
        parents=(network.sha256, *metadata.parents),
        version=__version__,
    )


def _content(model: onnx.ModelProto, metadata: ModelMetadata) -> bytes:
    model.producer_name, model.producer_version = "edgekit", __version__
    helper.set_model_props(model, metadata.to_props())
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _prove(taken: onnx.ModelProto, network: Network, made: Path, path: Path) -> _Proof:
    """Made-up takes through both. Raises GateError where answers differ by more than is allowed."""
    predictor = open_predictor(made)
    if not isinstance(predictor, StepPredictor):
        raise TypeError(f"{made}: no step model")
    dynamic = "DynamicQuantizeLSTM" in {node.op_type for node in taken.graph.node}
    x = golden_takes(network.frames, PROOFS)
    frames, worst, largest, spread = 0, 0.0, 1.0, 0.0
    for got, wanted in _pairs(taken, network, predictor, x, dynamic):
        frames += len(got)
        worst = max(worst, float(np.abs(got - wanted).max()))
        largest, spread = max(largest, float(np.abs(wanted).max())), max(spread, float(np.ptp(wanted)))
    allowed = DYNAMIC_TOLERANCE * spread if dynamic else TOLERANCE * largest
    if not worst <= allowed:
        raise GateError(
            f"{path}: frame by frame a logit is {worst:.3g} off the file's own, allowed {allowed:.3g}; nothing is"
            " written"
        )
    return _Proof(frames, worst, allowed)


def _pairs(
    taken: onnx.ModelProto, network: Network, predictor: StepPredictor, x: F32, dynamic: bool
) -> Iterator[tuple[F32, F32]]:
    """(of steps, of takes), float32 (answers, classes)."""
    count = network.frames.count
    by_steps = np.stack(list(predictor.answers(x)), axis=1)
    for t in sorted({1, -(-count // 2), count}):
        yield by_steps[:, t - 1], _answers(_of_frames(taken, count, t), x[:, :t])
    if not dynamic:  # numpy has no form of its steps
        yield from zip(by_steps, reference.stream(network.in_float(), x), strict=True)
        long = x[:3].reshape(1, -1, x.shape[2])
        yield np.concatenate(list(predictor.answers(long))), reference.stream(network.in_float(), long)[0]


def _answers(model: onnx.ModelProto, x: F32) -> F32:
    """Of a file of takes, one take at a time."""
    with scratch_folder("step") as folder:
        predictor = open_predictor(write_bytes(folder / "takes.onnx", model.SerializeToString()))
        return np.concatenate([predictor(take[None]) for take in x])


def _of_frames(taken: onnx.ModelProto, count: int, t: int) -> onnx.ModelProto:
    """The same file for takes of t frames: its input, and where it takes hands apart, say how many."""
    made = onnx.ModelProto()
    made.CopyFrom(taken)
    made.graph.input[0].type.tensor_type.shape.dim[1].dim_value = t
    del made.metadata_props[:]
    for tensor in made.graph.initializer:
        place = {"split_shape": 1, "takes_shape": 1, "back_shape": 2}.get(tensor.name)
        if place is not None:
            shape = numpy_helper.to_array(tensor).copy()
            if shape[place] != count:
                raise ModelFileError(f"'{tensor.name}' is {shape}; expected {count} frames at {place}")
            shape[place] = t
            tensor.CopyFrom(numpy_helper.from_array(shape, tensor.name))
    return made
