"""The models of bench/peers.py, behind their preprocessing: as ONNX files, as weights, and exact answers.

What every runtime computes is the network alone: recurrent layers, mean over time, dense layers, on frames that are
normalised already. Preprocessing would be another task in each of them, and is a small part of the work.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from edgekit.export import export_onnx
from edgekit.model import load_model
from edgekit.native import Network, read_network, reference
from edgekit.native.takes import golden_takes
from edgekit.quantize import QuantizeConfig, quantize_onnx
from edgekit.shipped import open_box

F32, F64 = NDArray[np.float32], NDArray[np.float64]
#: Name of a model to how it is made from what edgekit comes with.
MODELS = {"student pruned to 40 units": "", "student, 64 units": "student", "teacher, 256x3": "teacher"}
#: Whole takes that answers are compared on.
TAKES = 200
#: Operators between a file's input and its first layer begin behind its last one of these.
_LAYERS = ("LSTM", "DynamicQuantizeLSTM")


@dataclass(frozen=True)
class Case:
    """One model in a folder of its own: network.onnx, network.int8.onnx and network.dynamic.onnx, whole.onnx and so on
    with preprocessing, weights.npz, takes.npy, landmarks.npy.

    exact: float64 (takes, classes), what the fp32 weights mean. network: of fp32."""

    name: str
    folder: Path
    network: Network
    exact: F64


def make_case(name: str, folder: Path) -> Case:
    """The files of one of MODELS, and its answers."""
    folder.mkdir(parents=True, exist_ok=True)
    whole, int8 = _whole_files(MODELS[name], folder)
    dynamic = quantize_onnx(whole, folder / "whole.dynamic.onnx", QuantizeConfig(scheme="int8-dynamic")).target
    for source, target in ((whole, "network.onnx"), (int8, "network.int8.onnx"), (dynamic, "network.dynamic.onnx")):
        onnx.save(without_preprocessing(onnx.load(source)), folder / target)
    network = read_network(folder / "network.onnx")
    frames = read_network(int8).frames
    landmarks = golden_takes(frames, TAKES)
    takes = reference.normalised(frames, landmarks)
    np.save(folder / "takes.npy", takes)
    np.save(folder / "landmarks.npy", landmarks)
    save_weights(network, read_network(folder / "network.int8.onnx"), folder / "weights.npz")
    return Case(name, folder, network, exact_logits(network, takes.astype(np.float64)))


def _whole_files(source: str, folder: Path) -> tuple[Path, Path]:
    """fp32 and INT8 with preprocessing. source: a model of the box; "" for its finished INT8 file, whose fp32 are the
    weights that its codes stand for."""
    box = open_box()
    fp32, int8 = folder / "whole.onnx", folder / "whole.int8.onnx"
    if source:
        model, names = load_model(box.model(source))
        export_onnx(model, fp32, class_names=names, sequence_length=box.frames)
        return fp32, quantize_onnx(fp32, int8, QuantizeConfig(scheme="int8-weights")).target
    int8.write_bytes(box.student.read_bytes())
    onnx.save(in_fp32(onnx.load(int8)), fp32)
    return fp32, int8


def in_fp32(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same file with its weights as float32 numbers."""
    graph = model.graph
    known = {item.name for item in graph.initializer}
    constant = []
    for node in graph.node:
        if node.input and all(each in known for each in node.input):
            constant.append(node)
            known |= set(node.output)
    read = {each for node in graph.node if node not in constant for each in node.input}
    names = [each for node in constant for each in node.output if each in read]
    outputs = [helper.make_tensor_value_info(each, onnx.TensorProto.FLOAT, None) for each in names]
    part = helper.make_graph(constant, "weights", [], outputs, list(graph.initializer))
    values = ReferenceEvaluator(helper.make_model(part, opset_imports=model.opset_import)).run(None, {})
    for node in constant:
        graph.node.remove(node)
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in zip(names, values, strict=True)
    )
    _drop_unread(graph)
    for item in [item for item in model.metadata_props if item.key == "edgekit.scheme"]:
        model.metadata_props.remove(item)
    return model


def without_preprocessing(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same file for one take of frames that are normalised already."""
    graph = model.graph
    first = next(node for node in graph.node if node.op_type in _LAYERS)
    turned = helper.make_node("Transpose", [graph.input[0].name], [first.input[0]], perm=[1, 0, 2])
    producers = {output: node for node in graph.node for output in node.output}
    before, waiting = [], [first.input[0]]
    while waiting:
        node = producers.get(waiting.pop())
        if node is not None and node not in before:
            before.append(node)
            waiting += node.input
    for node in before:
        graph.node.remove(node)
    graph.node.insert(0, turned)
    for item in (*graph.input, *graph.output):
        item.type.tensor_type.shape.dim[0].Clear()
        item.type.tensor_type.shape.dim[0].dim_value = 1
    _drop_unread(graph)
    return model


def _drop_unread(graph: onnx.GraphProto) -> None:
    read = {each for node in graph.node for each in node.input}
    for item in [item for item in graph.initializer if item.name not in read]:
        graph.initializer.remove(item)


def save_weights(fp32: Network, int8: Network, path: Path) -> None:
    """Arrays by name, gates in ONNX's order i, o, f, c: `layer0.0.weights` (rows, inputs), `layer0.0.recurrent` (rows,
    units) and `layer0.0.bias` (rows,) of each layer and direction, `dense0.weights` and `dense0.bias`; of INT8
    `.codes` int8 and `.scale` float32 (rows,) behind the name of a matrix. `shape`: JSON with frames, features,
    layers as [units, directions]."""
    arrays: dict[str, Any] = {}
    for k, (layer, codes) in enumerate(zip(fp32.layers, int8.layers, strict=True)):
        for d, (one, coded) in enumerate(zip(layer.directions, codes.directions, strict=True)):
            arrays[f"layer{k}.{d}.bias"] = one.input_bias + one.recurrent_bias
            for part in ("weights", "recurrent"):
                _put(arrays, f"layer{k}.{d}.{part}", getattr(one, part), getattr(coded, part))
    for k, (dense, coded_dense) in enumerate(zip(fp32.dense, int8.dense, strict=True)):
        arrays[f"dense{k}.bias"] = dense.bias
        _put(arrays, f"dense{k}.weights", dense.weights, coded_dense.weights)
    layers = [[layer.units, len(layer.directions)] for layer in fp32.layers]
    shape = {"frames": fp32.frames.count, "features": fp32.frames.features, "layers": layers, "dense": len(fp32.dense)}
    np.savez(path, shape=json.dumps(shape), **arrays)


def _put(arrays: dict[str, Any], name: str, values: Any, coded: Any) -> None:
    arrays[name] = values.values
    if coded.codes is not None:
        arrays[f"{name}.codes"], arrays[f"{name}.scale"] = coded.codes, coded.scale


def exact_logits(network: Network, x: F64) -> F64:
    """Logits in float64 of x (takes, frames, features), straight from the formulas of an LSTM; readout `mean`."""
    for layer in network.layers:
        both = []
        for d, one in enumerate(layer.directions):
            matrices = [each.values.astype(np.float64) for each in (one.weights, one.recurrent)]
            bias = one.input_bias.astype(np.float64) + one.recurrent_bias
            both.append(_run_layer(x[:, ::-1] if d else x, *matrices, bias)[:, :: -1 if d else 1])
        x = np.concatenate(both, axis=2)
    read = x.mean(axis=1)
    for dense in network.dense:
        read = read @ dense.weights.values.astype(np.float64).T + dense.bias
        read = np.maximum(read, 0) if dense.relu else read
    return read


def _run_layer(x: F64, weights: F64, recurrent: F64, bias: F64) -> F64:
    h, c = np.zeros((2, len(x), recurrent.shape[1]))
    outputs = []
    for t in range(x.shape[1]):
        i, o, f, g = np.split(x[:, t] @ weights.T + h @ recurrent.T + bias, 4, axis=1)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, axis=1)


def _sigmoid(x: F64) -> F64:
    return np.asarray(1 / (1 + np.exp(-x)))


def work(network: Network) -> Mapping[str, int]:
    """What one prediction needs at least: products of weights, sigmoids and tanhs, and numbers of weights."""
    frames = network.frames.count
    cells = sum(layer.units * len(layer.directions) for layer in network.layers)
    gates = sum(4 * layer.units * (layer.inputs + layer.units) * len(layer.directions) for layer in network.layers)
    dense = sum(one.weights.values.size for one in network.dense)
    return {"products": frames * gates + dense, "functions": frames * 5 * cells, "weights": gates + dense}
