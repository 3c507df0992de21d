"""LiteRT: the network as a flatbuffer of its fused LSTM operator, fp32 and with dynamic-range INT8 weights.

The file is written from the weights, as the Keras converter would: UNIDIRECTIONAL_SEQUENCE_LSTM, backwards directions
between two REVERSE_V2, MEAN, FULLY_CONNECTED. In INT8 each gate's matrix has one scale, because the operator knows no
more of them. States are variables of the interpreter: they are reset in every call.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from serve import Runner
from weights import Weights

TYPES = {"float32": schema.TensorType.FLOAT32, "int32": schema.TensorType.INT32, "int8": schema.TensorType.INT8}
NONE = -1


class Interpreted(Runner):
    """An interpreter on one thread, with its XNNPACK delegate."""

    version = version("ai-edge-litert")
    about = "one thread, XNNPACK, states reset in the call"

    def __init__(self, path: Path) -> None:
        self.files = (path,)
        self._interpreter = Interpreter(model_path=str(path), num_threads=1)
        self._interpreter.allocate_tensors()
        self._in = self._interpreter.get_input_details()[0]["index"]
        self._out = self._interpreter.get_output_details()[0]["index"]

    def set(self, take: Any) -> None:
        self._interpreter.set_tensor(self._in, np.ascontiguousarray(take)[None])

    def run(self) -> None:
        self._interpreter.reset_all_variables()
        self._interpreter.invoke()

    def logits(self) -> Any:
        return self._interpreter.get_tensor(self._out)[0]

    def empty(self) -> Any:
        path = self.files[0].with_name("litert.nothing.tflite")
        model = Model(False)
        start = model.tensor("x", (1, 1, 1), None)
        path.write_bytes(model.finish(start, model.mean(start, (1, 1))))
        nothing = Interpreted(path)
        nothing.set(np.zeros((1, 1), np.float32))
        return nothing.run


class Model:
    """A flatbuffer that is being written. int8: weights so."""

    def __init__(self, int8: bool) -> None:
        self.int8 = int8
        self.buffers, self.tensors, self.operators = [schema.BufferT()], list[Any](), list[Any]()
        self.codes = list[Any]()

    def tensor(self, name: str, shape: Sequence[int], data: Any, scale: float | None = None, kept: bool = False) -> int:
        """Its index. data: None for what is computed."""
        one = schema.TensorT()
        one.name, one.shape, one.isVariable = name, list(shape), kept
        one.type = TYPES[data.dtype.name] if data is not None else TYPES["float32"]
        one.buffer = 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            self.buffers.append(buffer)
            one.buffer = len(self.buffers) - 1
        if scale is not None:
            one.quantization = schema.QuantizationParametersT()
            one.quantization.scale, one.quantization.zeroPoint = [scale], [0]
        self.tensors.append(one)
        return len(self.tensors) - 1

    def matrix(self, name: str, values: Any) -> int:
        """Weights, in INT8 where the model is."""
        if not self.int8:
            return self.tensor(name, values.shape, values)
        scale = float(np.abs(values).max()) / 127
        return self.tensor(name, values.shape, np.rint(values / scale).astype(np.int8), scale)

    def add(self, kind: int, inputs: Sequence[int], output: int, options: tuple[int, Any], version: int = 1) -> int:
        """An operator; its output."""
        code, one = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = kind, min(kind, 127), version
        self.codes.append(code)
        one.opcodeIndex, one.inputs, one.outputs = len(self.codes) - 1, list(inputs), [output]
        one.builtinOptionsType, one.builtinOptions = options
        self.operators.append(one)
        return output

    def lstm(self, weights: Weights, of: str, x: int, frames: int, units: int) -> int:
        """(1, frames, units)"""
        order = "ifgo"
        parts = [weights.split(f"{of}.{part}", order) for part in ("weights", "recurrent", "bias")]
        outer, inner = ([self.matrix(f"{of}{k}{g}", part[g]) for g in range(4)] for k, part in enumerate(parts[:2]))
        bias = [self.tensor(f"{of}b{g}", (units,), parts[2][g]) for g in range(4)]
        states = [self.tensor(f"{of}{name}", (1, units), None, kept=True) for name in ("h", "c")]
        inputs = [x, *outer, *inner, NONE, NONE, NONE, *bias, NONE, NONE, *states, NONE, NONE, NONE, NONE]
        options = schema.UnidirectionalSequenceLSTMOptionsT()
        options.fusedActivationFunction = schema.ActivationFunctionType.TANH
        kind = schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM
        output = self.tensor(f"{of}out", (1, frames, units), None)
        told = (schema.BuiltinOptions.UnidirectionalSequenceLSTMOptions, options)
        return self.add(kind, inputs, output, told, 2 if self.int8 else 1)

    def reversed(self, x: int, shape: Sequence[int]) -> int:
        """Backwards in time."""
        axis = self.tensor("axis", (1,), np.array([1], np.int32))
        told = (schema.BuiltinOptions.ReverseV2Options, schema.ReverseV2OptionsT())
        return self.add(schema.BuiltinOperator.REVERSE_V2, [x, axis], self.tensor("back", shape, None), told)

    def joined(self, xs: Sequence[int], shape: Sequence[int]) -> int:
        """Side by side."""
        options = schema.ConcatenationOptionsT()
        options.axis = 2
        told = (schema.BuiltinOptions.ConcatenationOptions, options)
        return self.add(schema.BuiltinOperator.CONCATENATION, xs, self.tensor("both", shape, None), told)

    def mean(self, x: int, shape: Sequence[int]) -> int:
        """Over time."""
        axis = self.tensor("axis", (1,), np.array([1], np.int32))
        told = (schema.BuiltinOptions.ReducerOptions, schema.ReducerOptionsT())
        return self.add(schema.BuiltinOperator.MEAN, [x, axis], self.tensor("mean", shape, None), told)

    def dense(self, x: int, values: Any, bias: Any, relu: bool) -> int:
        """A dense layer."""
        options = schema.FullyConnectedOptionsT()
        kinds = schema.ActivationFunctionType
        options.fusedActivationFunction = kinds.RELU if relu else kinds.NONE
        inputs = [x, self.matrix("w", values), self.tensor("b", bias.shape, bias)]
        told = (schema.BuiltinOptions.FullyConnectedOptions, options)
        output = self.tensor("dense", (1, len(values)), None)
        return self.add(schema.BuiltinOperator.FULLY_CONNECTED, inputs, output, told, 3 if self.int8 else 1)

    def finish(self, start: int, end: int) -> bytes:
        """The file."""
        graph, model = schema.SubGraphT(), schema.ModelT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = self.tensors, self.operators, [start], [end]
        model.version, model.subgraphs, model.buffers = 3, [graph], self.buffers
        model.operatorCodes = self.codes
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def prepare(folder: Path, way: str) -> None:
    """litert.fp32.tflite or litert.int8-dynamic.tflite"""
    weights, model = Weights(folder), Model(way == "int8-dynamic")
    start = x = model.tensor("x", (1, weights.frames, weights.features), None)
    inputs = weights.features
    for k, (units, directions) in enumerate(weights.layers):
        shape = (1, weights.frames, units)
        outputs = [model.lstm(weights, f"layer{k}.0", x, weights.frames, units)]
        if directions == 2:
            turned = model.reversed(x, (1, weights.frames, inputs))
            back = model.lstm(weights, f"layer{k}.1", turned, weights.frames, units)
            outputs.append(model.reversed(back, shape))
        inputs = units * directions
        x = model.joined(outputs, (1, weights.frames, inputs)) if directions == 2 else outputs[0]
    x = model.mean(x, (1, inputs))
    for k in range(weights.dense):
        x = model.dense(x, weights[f"dense{k}.weights"], weights[f"dense{k}.bias"], k < weights.dense - 1)
    (folder / f"litert.{way}.tflite").write_bytes(model.finish(start, x))


def load(folder: Path, way: str) -> Runner:
    """fp32 or int8-dynamic."""
    return Interpreted(folder / f"litert.{way}.tflite")
