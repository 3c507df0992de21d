"""Recurrent and linear layers as ONNX nodes: one LSTM or GRU node a layer, its weights plain initializers.

torch's own exporter computes W, R and B in the graph, where weight quantisers do not find them.
Gate order: torch's LSTM i, f, g, o is ONNX's i, o, f, c; torch's GRU r, z, n is ONNX's z, r, h with
linear_before_reset=1. Source: ONNX operator specification, LSTM-14 and GRU-14; torch.nn.LSTM and GRU.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from edgekit.data import Normalisation
from edgekit.export.builder import GraphBuilder

F64 = NDArray[np.float64]
_ORDER = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}  # torch's gates in ONNX's order


def recurrent_tensors(layer: nn.LSTM | nn.GRU) -> tuple[F64, F64, F64]:
    """W (directions, gates * hidden, in), R (directions, gates * hidden, hidden), B (directions, 2 * gates *
    hidden).

    In ONNX's gate order; B is the input bias, then the recurrent one.
    """
    suffixes = ("_l0", "_l0_reverse") if layer.bidirectional else ("_l0",)

    def stack(name: str) -> F64:
        return np.stack([_reorder(getattr(layer, name + suffix), kind_of(layer)) for suffix in suffixes])

    bias = np.concatenate([stack("bias_ih"), stack("bias_hh")], axis=1)
    return stack("weight_ih"), stack("weight_hh"), bias


def kind_of(layer: nn.Module) -> str:
    """ONNX's operator for a torch layer: LSTM or GRU."""
    return "LSTM" if isinstance(layer, nn.LSTM) else "GRU"


def _reorder(parameter: Any, kind: str) -> F64:
    array = parameter.detach().cpu().numpy().astype(np.float64)
    gates = np.split(array, len(_ORDER[kind]))
    return np.concatenate([gates[k] for k in _ORDER[kind]])


def fold_standardisation(weight: F64, bias: F64, normalisation: Normalisation) -> tuple[F64, F64]:
    """W and B of a first layer that standardises its own input: W ((x - mean) / std) + b = W' x + b'.

    W' = W / std, by column; b' = b - W' mean, on the input half of B. Shapes as in `recurrent_tensors`.
    """
    folded = weight / normalisation.std.astype(np.float64)
    shift = folded @ normalisation.mean.astype(np.float64)  # (directions, gates * hidden)
    return folded, bias - np.concatenate([shift, np.zeros_like(shift)], axis=1)


def add_recurrent(
    graph: GraphBuilder, x: str, layer: nn.LSTM | nn.GRU, index: int, folded: Normalisation | None
) -> tuple[str, str]:
    """One layer on x (time, batch, in). folded: the standardisation to take over, or None.

    Returns the names of all outputs Y (time, directions, batch, hidden) and final states (directions, batch,
    hidden).
    """
    weight, recurrent, bias = recurrent_tensors(layer)
    if folded is not None:
        weight, bias = fold_standardisation(weight, bias, folded)
    inputs = [
        x,
        graph.constant(f"W{index}", weight),
        graph.constant(f"R{index}", recurrent),
        graph.constant(f"B{index}", bias),
    ]
    kind = kind_of(layer)
    attributes: dict[str, Any] = {"hidden_size": layer.hidden_size}
    if layer.bidirectional:
        attributes["direction"] = "bidirectional"
    if kind == "GRU":
        attributes["linear_before_reset"] = 1
    outputs = graph.add_many(kind, inputs, [f"outputs{index}", f"state{index}"], **attributes)
    return outputs[0], outputs[1]


def add_sequence(graph: GraphBuilder, outputs: str, index: int, directions: int) -> str:
    """Y (time, directions, batch, hidden) as the next layer's input (time, batch, directions * hidden)."""
    if directions == 1:
        return graph.add("Squeeze", [outputs, graph.shape("direction_axis", 1)], f"sequence{index}")
    turned = graph.add("Transpose", [outputs], f"turned{index}", perm=[0, 2, 1, 3])
    return graph.add("Reshape", [turned, graph.shape("sequence_shape", 0, 0, -1)], f"sequence{index}")


def add_readout(graph: GraphBuilder, outputs: str, state: str, readout: str, directions: int) -> str:
    """The last layer as (batch, directions * hidden): its outputs' mean over time, or its final states."""
    if directions == 1:
        if readout == "mean":  # the direction axis has size 1, so its mean drops it
            return graph.add("ReduceMean", [outputs], "readout", axes=[0, 1], keepdims=0)
        return graph.add("Squeeze", [state, graph.shape("state_axis", 0)], "readout")
    if readout == "mean":
        state = graph.add("ReduceMean", [outputs], "mean_outputs", axes=[0], keepdims=0)
    turned = graph.add("Transpose", [state], "turned_readout", perm=[1, 0, 2])
    return graph.add("Flatten", [turned], "readout", axis=1)


def add_linear(graph: GraphBuilder, x: str, layer: nn.Linear, name: str, output: str) -> str:
    """x (batch, in) to (batch, out)."""
    weight = graph.constant(f"{name}_weight", layer.weight.detach().cpu().numpy())
    bias = graph.constant(f"{name}_bias", layer.bias.detach().cpu().numpy())
    return graph.add("Gemm", [x, weight, bias], output, transB=1)
