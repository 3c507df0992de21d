"""A thin writer of ONNX graphs: nodes and constants in the order in which they are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, DTypeLike
from onnx import helper, numpy_helper

OPSET = 17  # with IR 9: what ONNX Runtime 1.13 and later loads; older ones stand on many a Pi
IR_VERSION = 9


class GraphBuilder:
    """Collects nodes and constants. Every method that adds a node returns its (first) output's name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: ArrayLike, dtype: DTypeLike = np.float32) -> str:
        """A named constant of the graph; the same name may be asked for again with the same value."""
        array = np.ascontiguousarray(value, dtype=dtype).reshape(np.shape(value))
        self.constants[name] = numpy_helper.from_array(array, name)
        return name

    def shape(self, name: str, *values: int) -> str:
        """A named int64 vector: axes, or a shape for Reshape."""
        return self.constant(name, values, np.int64)

    def add(self, op_type: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """One node with one output; the node is named after it."""
        return self.add_many(op_type, inputs, [output], **attributes)[0]

    def add_many(self, op_type: str, inputs: list[str], outputs: list[str], **attributes: Any) -> list[str]:
        """One node with several outputs; "" leaves an optional one out."""
        name = next(output for output in outputs if output)
        self.nodes.append(helper.make_node(op_type, inputs, outputs, name=name, **attributes))
        return outputs

    def model(
        self,
        inputs: dict[str, list[int | str]],
        outputs: dict[str, list[int | str]],
        metadata: dict[str, str],
        version: str,
    ) -> onnx.ModelProto:
        """The checked model. inputs, outputs: float32 tensors, name to sizes and names of axes."""
        graph = helper.make_graph(
            self.nodes,
            "edgekit",
            [_tensor(name, shape) for name, shape in inputs.items()],
            [_tensor(name, shape) for name, shape in outputs.items()],
            list(self.constants.values()),
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="edgekit",
            producer_version=version,
        )
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model, full_check=True)
        return model


def _tensor(name: str, shape: list[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
