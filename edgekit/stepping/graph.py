"""A take's graph as that of one frame: states in and out, weights as they were.

Preprocessing is written anew, as the C of `edgekit.native` does it: for the wrist's way, the first frame
with a hand is a state. A node costs about a microsecond at run time whatever it computes, so there are few: one product
takes every landmark relative to its wrist.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, DTypeLike
from onnx import helper, numpy_helper

from edgekit.data import HAND_SIZE_FLOOR
from edgekit.native import Network
from edgekit.native.network import HAND, Frames
from edgekit.runtime import StateInfo

FRAME, LOGITS = "frame", "logits"
RECURRENT = ("LSTM", "GRU", "DynamicQuantizeLSTM")


def states_of(network: Network) -> tuple[StateInfo, ...]:
    """What goes on from frame to frame, in the order of the graph's inputs. Zeros begin a stream."""
    return tuple(StateInfo(name, shape) for name, shape in _states(network))


def _states(network: Network) -> Iterator[tuple[str, tuple[int | str, ...]]]:
    frames, last = network.frames, network.layers[-1]
    if frames.path:
        yield "state_first", ("batch", frames.features)
    for k, layer in enumerate(network.layers):
        yield f"state_hidden{k}", (1, "batch", layer.units)
        if layer.cell == "LSTM":
            yield f"state_cell{k}", (1, "batch", layer.units)
    if network.readout == "mean":
        yield "state_recent", (frames.count, "batch", last.units)
        yield "state_count", ("batch", 1)


class StepGraph:
    """Nodes and constants of the step model, in the order in which they are asked for."""

    def __init__(self, model: onnx.ModelProto, network: Network) -> None:
        """model: of takes, which `network` was read from."""
        self._model, self._network = model, network
        self._nodes: list[onnx.NodeProto] = []
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}

    def build(self) -> onnx.ModelProto:
        """The checked model, without metadata."""
        moving = self._behind_landmarks()
        self._nodes += [node for node in self._model.graph.node if not moving.intersection(node.output)]
        x = self._standardised(self._hands(self._network.frames))
        last = self._layers(x)
        dense = [node for node in self._model.graph.node if node.op_type in ("Gemm", "Relu")]
        self._readout(last, dense[0].input[0])
        self._nodes += dense
        made = helper.make_model(
            self._graph(), opset_imports=self._model.opset_import, ir_version=self._model.ir_version
        )
        onnx.checker.check_model(made, full_check=not any(node.domain for node in self._nodes))
        return made

    def _graph(self) -> onnx.GraphProto:
        features, classes = self._network.frames.features, self._network.classes
        states = states_of(self._network)
        inputs = [_tensor(FRAME, ("batch", features)), *(_tensor(one.name, one.shape) for one in states)]
        outputs = [_tensor(LOGITS, ("batch", classes)), *(_tensor(one.next_name, one.shape) for one in states)]
        read = {name for node in self._nodes for name in node.input}
        kept = [tensor for name, tensor in self._constants.items() if name in read]
        return helper.make_graph(self._nodes, "edgekit", inputs, outputs, kept)

    def _behind_landmarks(self) -> set[str]:
        """Names that depend on the take."""
        moving = {self._model.graph.input[0].name}
        for node in self._model.graph.node:
            if moving.intersection(node.input):
                moving.update(node.output)
        return moving

    def _constant(self, name: str, value: ArrayLike, dtype: DTypeLike = np.float32) -> str:
        self._constants[name] = numpy_helper.from_array(np.asarray(value, dtype), name)
        return name

    def _add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def _slice(self, x: str, first: int, behind: int, output: str, axis: int = 1) -> str:
        edges = {"first": first, "behind": behind, "axis": axis}
        return self._add(
            "Slice", [x, *(self._constant(f"{output}_{k}", [v], np.int64) for k, v in edges.items())], output
        )

    def _hands(self, frames: Frames) -> str:
        """The frame with every hand relative to its wrist and divided by its size; (batch, features)."""
        if not frames.hands:
            return FRAME
        x = self._as_hands(FRAME, "hands")
        x = self._with_path(x) if frames.path else self._sized(self._add("MatMul", [x, self._relative()], "relative"))
        return self._together(x, "hands_together")

    def _as_hands(self, x: str, output: str) -> str:
        """(batch, features) as (hands, 63): each hand as a frame of its own."""
        return x if self._network.frames.hands == 1 else self._reshaped(x, output, (-1, HAND))

    def _together(self, x: str, output: str) -> str:
        """The way back."""
        frames = self._network.frames
        return x if frames.hands == 1 else self._reshaped(x, output, (-1, frames.features))

    def _reshaped(self, x: str, output: str, shape: tuple[int, ...]) -> str:
        return self._add("Reshape", [x, self._constant(f"{output}_shape", shape, np.int64)], output)

    def _with_path(self, x: str) -> str:
        """The wrist's own place holds its way since the first frame with a hand, which is the state: frames without one
        are zeros, so that until then it is this frame."""
        before = self._as_hands("state_first", "first_hands")
        began = self._add("Cast", [self._total(before, "first_total")], "has_begun", to=onnx.TensorProto.BOOL)
        single = self._network.frames.hands == 1
        first = self._add("Where", [began, before, x], "new_state_first" if single else "new_first_hands")
        self._together(first, "new_state_first")
        only_wrist = np.concatenate([np.ones(3), np.zeros(HAND - 3)])
        start = self._add("Mul", [first, self._constant("only_wrist", only_wrist)], "start")
        moved = self._add("Gemm", [x, self._relative(), start], "moved", beta=-1.0)
        seen = self._add("Sign", [self._total(x, "frame_total")], "seen")
        return self._add("Mul", [self._sized(moved), seen], "blanked")

    def _total(self, x: str, output: str) -> str:
        return self._add("ReduceL1", [x], output, axes=[1], keepdims=1)

    def _relative(self) -> str:
        """(63, 63), by which landmarks become relative to their wrist: one product and sums with zeros, so that nothing
        is rounded twice. The wrist itself becomes zero, or stays where its way is asked for. Stored as int8, which ONNX
        Runtime casts once, when it loads the file."""
        turn = np.eye(HAND, dtype=np.int8)
        turn[:3] -= np.tile(np.eye(3, dtype=np.int8), (1, HAND // 3))
        turn[:3, :3] = np.eye(3) * self._network.frames.path
        stored = self._constant("relative_int8", turn, np.int8)
        return self._add("Cast", [stored], "relative_to_wrist", to=onnx.TensorProto.FLOAT)

    def _sized(self, x: str) -> str:
        length = self._add("ReduceL2", [self._slice(x, 27, 30, "middle")], "hand_length", axes=[1], keepdims=1)
        size = self._add("Max", [length, self._constant("floor", HAND_SIZE_FLOOR)], "hand_size")
        return self._add("Div", [x, size], "scaled")

    def _standardised(self, x: str) -> str:
        """(1, batch, features): what a layer reads of one frame."""
        frames = self._network.frames
        if frames.mean is None or frames.std is None:
            return self._add("Unsqueeze", [x, self._constant("time_axis", [0], np.int64)], "one_frame")
        centred = self._add("Sub", [x, self._constant("mean", frames.mean[None, None])], "centred")
        return self._add("Div", [centred, self._constant("std", frames.std)], "one_frame")

    def _layers(self, x: str) -> str:
        """The last layer's new h, (1, batch, units): of one frame it is what the next layer reads, too."""
        nodes = [node for node in self._model.graph.node if node.op_type in RECURRENT]
        for k, node in enumerate(nodes):
            parts = ["hidden"] if node.op_type == "GRU" else ["hidden", "cell"]
            made = onnx.NodeProto()
            made.CopyFrom(node)
            others = [*node.input[7:]] if node.op_type == "DynamicQuantizeLSTM" else []
            states = [f"state_{part}{k}" for part in parts]
            del made.input[:], made.output[:]
            made.input.extend([x, *node.input[1:4], "", *states, *others])
            made.output.extend(["", *(f"new_{name}" for name in states)])
            self._nodes.append(made)
            x = f"new_state_hidden{k}"
        return x

    def _readout(self, h: str, output: str) -> None:
        """What the dense layers read, (batch, units)."""
        if self._network.readout == "final":
            self._add("Squeeze", [h, self._constant("state_axis", [0], np.int64)], output)
            return
        frames = self._network.frames.count
        older = self._slice("state_recent", 1, frames, "older", axis=0)
        recent = self._add("Concat", [older, h], "new_state_recent", axis=0)
        total = self._add(
            "ReduceSum", [recent, self._constant("frames_axis", [0], np.int64)], "recent_total", keepdims=0
        )
        more = self._add("Add", ["state_count", self._constant("one", 1.0)], "count_and_one")
        count = self._add("Min", [more, self._constant("most", frames)], "new_state_count")
        self._add("Div", [total, count], output)


def _tensor(name: str, shape: tuple[int | str, ...]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
