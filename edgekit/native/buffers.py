"""What a prediction writes to: the arrays of the context struct."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgekit.native.network import Network, whole
from edgekit.native.tables import BLOCK, EIGHT, gate_rows


@dataclass(frozen=True)
class Buffer:
    """One array, or a single number where size is 0. kind: float, int or signed char."""

    kind: str
    name: str
    size: int
    about: str

    @property
    def size_bytes(self) -> int:
        """Of the array."""
        return max(self.size, 1) * (1 if self.kind == "signed char" else 4)

    @property
    def declared(self) -> str:
        """As a line of a struct."""
        size = f"[{self.size}]" if self.size else ""
        return f"    {self.kind} {self.name}{size}; /* {self.about} */"


def buffers(network: Network) -> list[Buffer]:
    """All of them; floats first, so that nothing is filled up between them."""
    kind = _integers if network.arithmetic == "int8" else _floats
    return [*_common(network), *_cells(network), *kind(network)]


def context_bytes(network: Network) -> int:
    """Of the whole struct."""
    return sum(one.size_bytes for one in buffers(network))


def units_wide(network: Network) -> int:
    """Units of the widest layer, in whole blocks."""
    return max(whole(layer.units, BLOCK) for layer in network.layers)


def dense_wide(network: Network) -> int:
    """Outputs of the widest dense layer, in whole blocks."""
    return max(whole(one.weights.rows, BLOCK) for one in network.dense)


def codes_wide(network: Network) -> int:
    """Numbers of the widest layer and of the widest dense layer's input, in whole blocks."""
    return max(units_wide(network), *(whole(one.weights.columns, BLOCK) for one in network.dense))


def sequence_half(network: Network) -> int:
    """Where the second half of `sequence` begins: layers read from one half and write to the other, in turn."""
    count, layers = network.frames.count, network.layers
    if network.arithmetic == "fp32":
        return count * max(whole(layer.outputs, BLOCK) for layer in layers)
    wide = max(whole(layer.outputs, EIGHT) for layer in layers)
    return count * max(whole(network.frames.features, EIGHT), wide) + EIGHT


def _common(network: Network) -> Iterator[Buffer]:
    frames, layers = network.frames, network.layers
    gates, directions = max(map(gate_rows, layers)), max(len(layer.directions) for layer in layers)
    yield Buffer("float", "frames", frames.count * whole(frames.features, BLOCK), "the input, normalised")
    yield Buffer("float", "gates", frames.count * gates + BLOCK, "what the input sends into each gate")
    yield Buffer("float", "hidden", units_wide(network), "h of the moment")
    kind = "int" if network.arithmetic == "int8" else "float"
    yield Buffer(kind, "total", directions * units_wide(network), "sums of h over time")
    yield Buffer("float", "read", whole(layers[-1].outputs, BLOCK), "what the dense layers read")
    yield Buffer("float", "dense", len(network.dense) * dense_wide(network), "what they give")


def _cells(network: Network) -> Iterator[Buffer]:
    cells = {layer.cell for layer in network.layers}
    if "LSTM" in cells:
        yield Buffer("float", "cell", units_wide(network), "c of the moment")
    if "GRU" in cells:
        yield Buffer("float", "state", max(map(gate_rows, network.layers)) + BLOCK, "what h sends into each gate")


def _integers(network: Network) -> Iterator[Buffer]:
    yield Buffer("float", "step", network.frames.count, "what a code of 1 stands for, by frame")
    yield Buffer("signed char", "codes", codes_wide(network), "h, or a dense layer's input, as integers")
    yield Buffer("signed char", "sequence", 2 * sequence_half(network), "a layer's input and its output")


def _floats(network: Network) -> Iterator[Buffer]:
    if len(network.layers) > 1:
        yield Buffer("float", "sequence", 2 * sequence_half(network), "a layer's input and its output")
