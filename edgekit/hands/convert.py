"""A TensorFlow Lite file to ONNX: the dozen operators that MediaPipe's two hand networks are made of, and no others.

Pictures are (1, height, width, 3) in both files; inside, ONNX has channels first. Weights stay the half-precision
numbers that the source holds and are cast to float32 when the file is loaded: half the bytes, the same values. Needs
the packages `tflite` and `onnx`; nothing of TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import tflite
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgekit.errors import ModelFileError

Array = NDArray[Any]
OPSET, IR_VERSION = 17, 9
TO_FIRST, TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
OPERATORS = {code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}
KINDS = {tflite.TensorType.FLOAT32: "<f4", tflite.TensorType.FLOAT16: "<f2", tflite.TensorType.INT32: "<i4"}
NO_ACTIVATION, RELU6 = tflite.ActivationFunctionType.NONE, tflite.ActivationFunctionType.RELU6


def convert_tflite(content: bytes, outputs: Sequence[str], name: str) -> bytes:
    """The bytes of an ONNX file that computes what the .tflite file `content` does.

    outputs: names for its outputs, in their order. name: the graph's. The same input always gives the same bytes.
    Raises ModelFileError for an operator or a layout that is not among those converted.
    """
    return bytes(_Conversion(content).model(outputs, name).SerializeToString(deterministic=True))


class _Conversion:
    def __init__(self, content: bytes) -> None:
        self.source = tflite.Model.GetRootAsModel(content, 0)
        self.graph = self.source.Subgraphs(0)
        self.nodes: list[Any] = []
        self.weights: dict[str, Any] = {}
        self.halves: dict[int, int] = {}  # of a weight cast to float32: the tensor that holds it

    def model(self, outputs: Sequence[str], name: str) -> Any:
        given = int(self.graph.Inputs(0))
        shape = self.shape(given)
        self.node("Transpose", ["picture"], self.label(given), perm=TO_FIRST)
        for number in range(self.graph.OperatorsLength()):
            self.operator(self.graph.Operators(number))
        ends = [int(end) for end in self.graph.OutputsAsNumpy()]
        for end, said in zip(ends, outputs, strict=True):
            self.node("Identity", [self.label(end)], said)
        told = [helper.make_tensor_value_info(said, TensorProto.FLOAT, self.shape(end))
                for end, said in zip(ends, outputs, strict=True)]  # fmt: skip
        entry = helper.make_tensor_value_info("picture", TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, name, [entry], told, list(self.weights.values()))
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="edgekit")
        made.ir_version = IR_VERSION
        onnx.checker.check_model(made)
        return made

    def operator(self, operator: Any) -> None:
        code = self.source.OperatorCodes(operator.OpcodeIndex())
        name = OPERATORS.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "unknown")
        if name not in CONVERTED:
            raise ModelFileError(f"the .tflite file has the operator {name}; converted are {', '.join(CONVERTED)}")
        CONVERTED[name](self, operator)

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        self.nodes.append(
            helper.make_node(kind, list(inputs), [output], name=f"{kind}_{len(self.nodes)}", **attributes)
        )

    def label(self, tensor: int) -> str:
        return f"t{tensor}"

    def shape(self, tensor: int) -> list[int]:
        return [int(size) for size in self.graph.Tensors(tensor).ShapeAsNumpy()]

    def constant(self, tensor: int) -> Array:
        """The numbers that the file holds for a tensor."""
        tensor = self.halves.get(tensor, tensor)
        found = self.graph.Tensors(tensor)
        data = self.source.Buffers(found.Buffer()).DataAsNumpy()
        if isinstance(data, int) or found.Type() not in KINDS:
            raise ModelFileError(f"the .tflite file's tensor {tensor} holds no numbers of a known kind")
        return np.frombuffer(data.tobytes(), KINDS[found.Type()]).reshape(self.shape(tensor))

    def weight(self, tensor: int, order: Callable[[Array], Array] = lambda x: x) -> str:
        """The name of a float32 tensor with these weights, in an order of ONNX's."""
        name = f"w{tensor}"
        if name in self.weights:
            return name
        numbers = np.ascontiguousarray(order(self.constant(tensor)))
        if numbers.dtype == np.float16:
            self.weights[name] = numpy_helper.from_array(numbers, f"{name}_half")
            self.node("Cast", [f"{name}_half"], name, to=TensorProto.FLOAT)
        else:
            self.weights[name] = numpy_helper.from_array(numbers, name)
        return name

    def fixed(self, name: str, numbers: Sequence[float] | float, kind: str) -> str:
        self.weights[name] = numpy_helper.from_array(np.array(numbers, kind), name)
        return name

    def activated(self, kind: str, inputs: Sequence[str], output: int, activation: int, **attributes: Any) -> None:
        """A node whose result goes through ReLU6 where that is fused into the source's operator."""
        if activation not in (NO_ACTIVATION, RELU6):
            raise ModelFileError(f"the .tflite file fuses activation {activation}; converted are none and ReLU6")
        label = self.label(output)
        self.node(kind, inputs, label if activation == NO_ACTIVATION else f"{label}_raw", **attributes)
        if activation == RELU6:
            ends = [self.fixed(name, number, "<f4") for name, number in (("zero", 0.0), ("six", 6.0))]
            self.node("Clip", [f"{label}_raw", *ends], label)

    def options(self, operator: Any, kind: Any) -> Any:
        found, table = kind(), operator.BuiltinOptions()
        found.Init(table.Bytes, table.Pos)
        return found

    def pads(self, options: Any, source: int, kernel: Sequence[int]) -> list[int]:
        """ONNX's pads [top, left, bottom, right]; of SAME, the odd one at the end, as TensorFlow has it."""
        if options.Padding() == tflite.Padding.VALID:
            return [0, 0, 0, 0]
        sizes, strides = self.shape(source)[1:3], (options.StrideH(), options.StrideW())
        whole = [max((-(-n // s) - 1) * s + k - n, 0) for n, s, k in zip(sizes, strides, kernel, strict=True)]
        return [n // 2 for n in whole] + [n - n // 2 for n in whole]


def _dequantize(made: _Conversion, operator: Any) -> None:
    made.halves[operator.Outputs(0)] = operator.Inputs(0)


def _convolution(made: _Conversion, operator: Any, depthwise: bool) -> None:
    options = made.options(operator, tflite.DepthwiseConv2DOptions if depthwise else tflite.Conv2DOptions)
    source, weight, bias = (operator.Inputs(k) for k in range(3))
    kernel, channels = made.shape(weight)[1:3], made.shape(source)[3]
    order = (3, 0, 1, 2) if depthwise else TO_FIRST
    inputs = [made.label(source), made.weight(weight, lambda x: x.transpose(order)), made.weight(bias)]
    made.activated(
        "Conv",
        inputs,
        operator.Outputs(0),
        options.FusedActivationFunction(),
        group=channels if depthwise else 1,
        kernel_shape=kernel,
        strides=[options.StrideH(), options.StrideW()],
        dilations=[options.DilationHFactor(), options.DilationWFactor()],
        pads=made.pads(options, source, kernel),
    )


def _conv(made: _Conversion, operator: Any) -> None:
    _convolution(made, operator, depthwise=False)


def _depthwise(made: _Conversion, operator: Any) -> None:
    _convolution(made, operator, depthwise=True)


def _prelu(made: _Conversion, operator: Any) -> None:
    slope = made.weight(operator.Inputs(1), lambda x: x.transpose(2, 0, 1))
    made.node("PRelu", [made.label(operator.Inputs(0)), slope], made.label(operator.Outputs(0)))


def _add(made: _Conversion, operator: Any) -> None:
    activation = made.options(operator, tflite.AddOptions).FusedActivationFunction()
    inputs = [made.label(operator.Inputs(k)) for k in range(2)]
    made.activated("Add", inputs, operator.Outputs(0), activation)


def _max_pool(made: _Conversion, operator: Any) -> None:
    options, source = made.options(operator, tflite.Pool2DOptions), operator.Inputs(0)
    kernel, strides = [options.FilterHeight(), options.FilterWidth()], [options.StrideH(), options.StrideW()]
    pads, activation = made.pads(options, source, kernel), options.FusedActivationFunction()
    shape = {"kernel_shape": kernel, "strides": strides, "pads": pads}
    made.activated("MaxPool", [made.label(source)], operator.Outputs(0), activation, **shape)


def _pad(made: _Conversion, operator: Any) -> None:
    numbers = made.constant(operator.Inputs(1))[list(TO_FIRST)]
    name = made.fixed(f"pads{operator.Outputs(0)}", [*numbers[:, 0], *numbers[:, 1]], "<i8")
    made.node("Pad", [made.label(operator.Inputs(0)), name], made.label(operator.Outputs(0)))


def _resize(made: _Conversion, operator: Any) -> None:
    options, output = made.options(operator, tflite.ResizeBilinearOptions), operator.Outputs(0)
    if not options.HalfPixelCenters() or options.AlignCorners():
        raise ModelFileError("the .tflite file resizes between corners; converted is the way with half-pixel centres")
    height, width = made.shape(output)[1:3]
    sizes = made.fixed(f"sizes{output}", [1, made.shape(output)[3], height, width], "<i8")
    how = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    made.node("Resize", [made.label(operator.Inputs(0)), "", "", sizes], made.label(output), **how)


def _reshape(made: _Conversion, operator: Any) -> None:
    source, output = operator.Inputs(0), operator.Outputs(0)
    if len(made.shape(source)) != 4 or len(made.shape(output)) == 4:
        raise ModelFileError("the .tflite file reshapes other than from a picture to rows")
    made.node("Transpose", [made.label(source)], f"{made.label(output)}_last", perm=TO_LAST)
    shape = made.fixed(f"shape{output}", made.shape(output), "<i8")
    made.node("Reshape", [f"{made.label(output)}_last", shape], made.label(output))


def _concatenation(made: _Conversion, operator: Any) -> None:
    options, output = made.options(operator, tflite.ConcatenationOptions), operator.Outputs(0)
    if len(made.shape(output)) == 4 or options.FusedActivationFunction() != NO_ACTIVATION:
        raise ModelFileError("the .tflite file joins pictures; converted is joining rows")
    inputs = [made.label(int(source)) for source in operator.InputsAsNumpy()]
    made.node("Concat", inputs, made.label(output), axis=options.Axis())


def _mean(made: _Conversion, operator: Any) -> None:
    keep = made.options(operator, tflite.ReducerOptions).KeepDims()
    if keep or sorted(made.constant(operator.Inputs(1)).tolist()) != [1, 2]:
        raise ModelFileError("the .tflite file takes a mean other than over a picture's rows and columns")
    made.node("ReduceMean", [made.label(operator.Inputs(0))], made.label(operator.Outputs(0)), axes=[2, 3], keepdims=0)


def _fully_connected(made: _Conversion, operator: Any) -> None:
    activation = made.options(operator, tflite.FullyConnectedOptions).FusedActivationFunction()
    source, weight, bias = (operator.Inputs(k) for k in range(3))
    inputs = [made.label(source), made.weight(weight), made.weight(bias)]
    made.activated("Gemm", inputs, operator.Outputs(0), activation, transB=1)


def _logistic(made: _Conversion, operator: Any) -> None:
    made.node("Sigmoid", [made.label(operator.Inputs(0))], made.label(operator.Outputs(0)))


CONVERTED: dict[str, Callable[[_Conversion, Any], None]] = {
    "DEQUANTIZE": _dequantize,
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "PRELU": _prelu,
    "ADD": _add,
    "MAX_POOL_2D": _max_pool,
    "PAD": _pad,
    "RESIZE_BILINEAR": _resize,
    "RESHAPE": _reshape,
    "CONCATENATION": _concatenation,
    "MEAN": _mean,
    "FULLY_CONNECTED": _fully_connected,
    "LOGISTIC": _logistic,
}
