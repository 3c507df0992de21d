"""Preprocessing as ONNX nodes: the graph's twin of `edgekit.data.apply_normalisation`.

A node costs about a microsecond at run time whatever it computes, and the whole student takes about forty, so
the graph is written for few nodes: the wrist is spread over all landmarks by one product with a constant (3,
63) matrix, and one factor a frame divides by hand size and blanks frames without a hand at once.
"""

from __future__ import annotations

import numpy as np

from edgekit.data import HAND_FEATURES as HAND
from edgekit.data import HAND_SIZE_FLOOR, LANDMARKS, MIDDLE_BASE, WRIST, Normalisation
from edgekit.errors import ConfigError
from edgekit.export.builder import GraphBuilder

_WRIST = slice(3 * WRIST, 3 * WRIST + 3)
_MIDDLE = slice(3 * MIDDLE_BASE, 3 * MIDDLE_BASE + 3)


def add_preprocessing(
    graph: GraphBuilder, landmarks: str, normalisation: Normalisation, frames: int, explicit: bool
) -> str:
    """Nodes from raw landmarks (batch, frames, features) to what the first layer reads (frames, batch,
    features).

    explicit: standardise here; otherwise the caller has folded mean and std into the first layer.
    Raises ConfigError when hands are to be normalised and the features are not 63 a hand.
    """
    features = len(normalisation.mean)
    if normalisation.kind == "standard":
        x = graph.add("Transpose", [landmarks], "time_major", perm=[1, 0, 2])
    elif features == HAND:
        x = _add_hand(graph, landmarks, normalisation.displacement)
        x = graph.add("Transpose", [x], "time_major", perm=[1, 0, 2])
    elif features and features % HAND == 0:
        x = _add_hands(graph, landmarks, normalisation.displacement, frames, features // HAND)
    else:
        raise ConfigError(f"{features} features are not whole hands of {HAND}; use preprocessing 'standard'")
    if explicit:
        x = graph.add("Sub", [x, graph.constant("mean", normalisation.mean)], "centred")
        x = graph.add("Div", [x, graph.constant("std", normalisation.std)], "standardised")
    return x


def _add_hands(graph: GraphBuilder, landmarks: str, displacement: bool, frames: int, hands: int) -> str:
    """Several hands a frame: each is a take of its own for a while. Output (frames, batch, features)."""
    split = graph.shape("split_shape", 0, frames, hands, HAND)
    apart = graph.add("Reshape", [landmarks, split], "hands_apart")
    apart = graph.add("Transpose", [apart], "hands_first", perm=[0, 2, 1, 3])
    takes = graph.add("Reshape", [apart, graph.shape("takes_shape", -1, frames, HAND)], "hands_as_takes")
    takes = _add_hand(graph, takes, displacement)
    back = graph.add("Reshape", [takes, graph.shape("back_shape", -1, hands, frames, HAND)], "hands_back")
    back = graph.add("Transpose", [back], "time_first", perm=[2, 0, 1, 3])
    return graph.add("Reshape", [back, graph.shape("joined_shape", 0, 0, hands * HAND)], "time_major")


def _add_hand(graph: GraphBuilder, x: str, displacement: bool) -> str:
    """One hand, x (takes, frames, 63) to the same shape: relative to the wrist, in hand sizes."""
    relative = _add_relative(graph, x, keep_wrist=displacement)
    middle = _add_slice(graph, relative, _MIDDLE, "middle")
    length = graph.add("ReduceL2", [middle], "hand_length", axes=[2], keepdims=1)
    size = graph.add("Max", [length, graph.constant("floor", HAND_SIZE_FLOOR)], "hand_size")
    if not displacement:  # frames without a hand are zeros already
        return graph.add("Div", [relative, size], "normalised")
    total = graph.add("ReduceL1", [x], "frame_total", axes=[2], keepdims=1)
    seen = graph.add("Sign", [total], "seen")  # 1 where any number is not zero, else 0
    first = graph.add("ArgMax", [seen], "first_seen", axis=1, keepdims=1)
    start = graph.add("GatherND", [x, first], "first_frame", batch_dims=1)  # (takes, 1, 63)
    only_wrist = np.zeros(HAND)
    only_wrist[_WRIST] = 1.0
    start = graph.add("Mul", [start, graph.constant("only_wrist", only_wrist)], "start")
    moved = graph.add("Sub", [relative, start], "moved")
    scaled = graph.add("Div", [moved, size], "scaled")
    return graph.add("Mul", [scaled, seen], "normalised")


def _add_relative(graph: GraphBuilder, x: str, keep_wrist: bool) -> str:
    """Each landmark minus the wrist; the wrist itself becomes zero, or stays where it is."""
    spread = np.tile(np.eye(3), (1, LANDMARKS))
    if keep_wrist:
        spread[:, _WRIST] = 0.0
    wrist = _add_slice(graph, x, _WRIST, "wrist")
    wrists = graph.add("MatMul", [wrist, graph.constant("spread", spread)], "wrists")
    return graph.add("Sub", [x, wrists], "relative")


def _add_slice(graph: GraphBuilder, x: str, part: slice, output: str) -> str:
    start = graph.shape(f"{output}_start", part.start)
    stop = graph.shape(f"{output}_stop", part.stop)
    return graph.add("Slice", [x, start, stop, graph.shape("features_axis", 2)], output)
