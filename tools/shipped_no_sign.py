"""The shipped student learns when nobody signs, without being trained again: what `edgekit quantize` does to the model
before it is rounded, done to the rounded file. See tools/make_weights.py, --only-no-sign."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgekit import __version__
from edgekit.artifacts import sha256_bytes
from edgekit.data import AugmentConfig, Mix, Recordings, canonical_takes
from edgekit.errors import GateError
from edgekit.evaluate import strong_answers
from edgekit.runtime import ModelMetadata, Rejection
from edgekit.train.no_sign import Shift, rule_for, shift_between, takes_to_fit_on

F32 = NDArray[np.float32]
#: What the output layer reads, its weights, their scale and its bias, as `edgekit quantize` calls them.
HIDDEN, WEIGHT, SCALE, BIAS = "hidden", "output_weight_int8", "output_weight_scale", "output_bias"
#: Takes at a time.
BATCH = 256
#: Answers to the recordings that may change, as a part of them, and the accuracy that may be lost.
MOST_CHANGED, MOST_LOST = 0.001, 0.0005


def taught(content: bytes, recordings: Recordings, augmentation: AugmentConfig, seed: int) -> tuple[bytes, str]:
    """The file with a rule for no sign, and what that did, in words. Raises GateError where answers were lost, or
    energy tells nothing."""
    model = onnx.load_from_string(content)
    metadata = ModelMetadata.from_props({item.key: item.value for item in model.metadata_props})
    if metadata is None:
        raise GateError("the student holds no metadata; make the weights again")
    known = canonical_takes(recordings, metadata.sequence_length)
    x, labels = known[(known != 0).any(axis=(1, 2))], recordings.labels[(known != 0).any(axis=(1, 2))]
    signs, nothing = takes_to_fit_on(x, Mix.of_classes(metadata.class_names), augmentation, seed)
    shift = shift_between(_read(model, signs), _read(model, nothing))
    if shift is None:
        raise GateError("energy is no evidence of a sign")
    before = _run(model, x, ["logits"])[0]
    _add(model, shift)
    after = _run(model, x, ["logits"])[0]
    text = _kept(before, after, labels)
    rule = rule_for(after, labels, f"{len(x)} takes that the model has learned from")
    if rule is None:
        raise GateError("no take is read rightly")
    parents = (sha256_bytes(content), *metadata.parents)
    ruled = replace(metadata, no_sign=rule, parents=parents, version=__version__)
    helper.set_model_props(model, {**{p.key: p.value for p in model.metadata_props}, **ruled.to_props()})
    return model.SerializeToString(deterministic=True), f"{text} {_told(model, rule, nothing)}"


def _kept(before: F32, after: F32, labels: NDArray[np.int64]) -> str:
    changed = int((before.argmax(axis=1) != after.argmax(axis=1)).sum())
    lost = float((before.argmax(axis=1) == labels).mean() - (after.argmax(axis=1) == labels).mean())
    text = (
        f"It changed {changed} of {len(labels):,} answers, and its accuracy on them by {0.0 - 100 * lost:+.3f} points."
    )
    if changed > MOST_CHANGED * len(labels) or lost > MOST_LOST:
        raise GateError(f"{text} That is too much; don't ship it so")
    return text


def _told(model: onnx.ModelProto, rule: Rejection, nothing: F32) -> str:
    told = 1.0 - strong_answers(_run(model, nothing, ["logits"])[0], rule).mean()
    return f"{told_by(rule)} It tells {told:.0%} of synthetic hands that sign nothing."


def told_by(rule: Rejection) -> str:
    """What a rule says, in words."""
    return (
        f"An energy below {rule.threshold:.2f} is no sign; that costs {rule.lost:.2%} of the takes which it has learned"
        " from."
    )


def _add(model: onnx.ModelProto, shift: Shift) -> None:
    """Into the output layer's INT8 weights, which are rounded anew, and its bias."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    codes, scale, bias = (numpy_helper.to_array(tensors[name]) for name in (WEIGHT, SCALE, BIAS))
    weights = codes.astype(np.float64) * scale.astype(np.float64) + shift.weights
    anew = (np.abs(weights).max(axis=1, keepdims=True) / 127).astype(scale.dtype)
    rounded = np.clip(np.round(weights / anew.astype(np.float64)), -127, 127).astype(np.int8)
    moved = (bias + np.float32(shift.bias)).astype(np.float32)
    for name, array in ((WEIGHT, rounded), (SCALE, anew), (BIAS, moved)):
        tensors[name].CopyFrom(numpy_helper.from_array(array, name))


def _read(model: onnx.ModelProto, x: F32) -> tuple[torch.Tensor, torch.Tensor]:
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    opened.graph.output.append(helper.make_tensor_value_info(HIDDEN, TensorProto.FLOAT, None))
    hidden, logits = (torch.from_numpy(part).double() for part in _run(opened, x, [HIDDEN, "logits"]))
    return hidden, torch.logsumexp(logits, dim=1)


def _run(model: onnx.ModelProto, x: F32, outputs: list[str]) -> list[NDArray[Any]]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    parts = [session.run(outputs, {"landmarks": x[k : k + BATCH]}) for k in range(0, len(x), BATCH)]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]
