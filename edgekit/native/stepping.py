"""One frame of a stream as lines of C, and the struct that it goes on from: of networks that read a take forwards only.

All preprocessing goes frame by frame: of the wrist's way, its first place is kept. A readout of the final state is that
of the last frame; a mean is over the frames since the reset, over the last ones where these are more than a take has.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from edgekit.native.buffers import Buffer, codes_wide, dense_wide, units_wide
from edgekit.native.calls import dense_calls, frame_calls
from edgekit.native.network import Network, Recurrent, whole
from edgekit.native.tables import BLOCK, EIGHT, gate_rows


def stream_buffers(network: Network) -> list[Buffer]:
    """The struct: what is kept from frame to frame, then scratch; floats first."""
    kept, scratch = list(_kept(network)), list(_scratch(network))
    return sorted([*kept, *scratch], key=lambda one: ("float", "int", "signed char").index(one.kind))


def stream_bytes(network: Network) -> int:
    """Of the struct; 0 where there is none."""
    return whole(sum(one.size_bytes for one in stream_buffers(network)), 4) if network.streams else 0


def _kept(network: Network) -> Iterator[Buffer]:
    units, last = _places(network)[-1], whole(network.layers[-1].units, BLOCK)
    if network.frames.path:
        yield Buffer("float", "start", 4 * network.frames.hands, "where each wrist was first, and whether it was")
    yield Buffer("float", "hidden", units, "h, layer by layer")
    if network.layers[0].cell == "LSTM":
        yield Buffer("float", "cell", units, "c, layer by layer")
    if network.readout == "mean":
        whole_numbers = network.arithmetic == "int8"
        kind = "signed char" if whole_numbers else "float"
        yield Buffer(kind, "recent", network.frames.count * last, "the last layer's h of the last frames")
        if whole_numbers:
            yield Buffer("int", "total", last, "their sum")
        yield Buffer("int", "next", 0, "where the next of them goes")
        yield Buffer("int", "count", 0, "how many there are")
    yield Buffer("int", "ready", 0, "whether it was reset")


def _scratch(network: Network) -> Iterator[Buffer]:
    rows, features = max(map(gate_rows, network.layers)), whole(network.frames.features, BLOCK)
    yield Buffer("float", "frames", features, "the frame, normalised")
    yield Buffer("float", "gates", rows + BLOCK, "what goes into each gate")
    if network.layers[0].cell == "GRU":
        yield Buffer("float", "state", rows + BLOCK, "what h sends into each gate")
    yield Buffer("float", "read", whole(network.layers[-1].units, BLOCK), "what the dense layers read")
    yield Buffer("float", "dense", len(network.dense) * dense_wide(network), "what they give")
    if network.arithmetic == "int8":
        yield Buffer("float", "step", 1, "what a code of 1 stands for")
        yield Buffer("signed char", "sequence", max(features, units_wide(network)), "a layer's input as integers")
        yield Buffer("signed char", "codes", codes_wide(network), "h, or a dense layer's input")


def _places(network: Network) -> list[int]:
    """Where each layer's h begins in `hidden`, and where the last one's ends."""
    return [0, *accumulate(whole(layer.units, BLOCK) for layer in network.layers)]


def step(network: Network) -> Iterator[str]:
    """From one frame's landmarks to logits, checked landmarks given."""
    path = network.frames.path
    if path:
        yield f"    float start[{4 * network.frames.hands}];"
        yield "    memcpy(start, c->start, sizeof start);"
    yield from frame_calls(network.of_frames(1))
    if path:
        yield "    memcpy(c->start, start, sizeof start);"
    for k, layer in enumerate(network.layers):
        yield f"    /* {layer.cell}, {layer.inputs} numbers to {layer.units} units */"
        yield from _layer(network, layer, k)
    yield from _readout(network)
    yield from dense_calls(network)


def _layer(network: Network, layer: Recurrent, k: int) -> Iterator[str]:
    exact, rows, place = network.arithmetic == "int8", gate_rows(layer), _places(network)[k]
    hidden, before = f"c->hidden + {place}", f"c->hidden + {_places(network)[k - 1]}"
    lstm = layer.cell == "LSTM"
    for sums in ("gates",) if lstm else ("gates", "state"):
        yield f"    memset(c->{sums} + {rows}, 0, {BLOCK} * sizeof *c->{sums});"
    yield from (_integer_products if exact else _float_products)(layer, k, hidden, before)
    own = f"c->cell + {place}, {hidden}" if lstm else f"c->state, {hidden}"
    yield f"    ek_{layer.cell.lower()}_cell(c->gates, {own}, {layer.units});"


def _integer_products(layer: Recurrent, k: int, hidden: str, before: str) -> Iterator[str]:
    name, rows = f"ek_l{k}f", gate_rows(layer)
    factor = "1.0f / 127.0f" if k else "c->step[0]"
    if k:
        yield f"    ek_codes(c->sequence, {before}, 127.0f, {whole(layer.inputs, BLOCK)});"
    x = f"c->sequence, {factor}, {whole(layer.inputs, EIGHT)}, {rows}"
    yield f"    ek_int_rows(c->gates, {name}_bias, EK_MATRIX({name}_w), {x});"
    yield f"    ek_codes(c->codes, {hidden}, 127.0f, {whole(layer.units, BLOCK)});"
    sums = "c->gates, c->gates" if layer.cell == "LSTM" else f"c->state, {name}_inside"
    own = f"c->codes, 1.0f, {whole(layer.units, EIGHT)}, {rows}"
    yield f"    ek_int_rows({sums}, EK_MATRIX({name}_r), {own});"


def _float_products(layer: Recurrent, k: int, hidden: str, before: str) -> Iterator[str]:
    name, rows = f"ek_l{k}f", gate_rows(layer)
    x = before if k else "c->frames"
    yield f"    ek_float_rows(c->gates, {name}_bias, {name}_w, {x}, {layer.inputs}, {rows});"
    sums = "c->gates, c->gates" if layer.cell == "LSTM" else f"c->state, {name}_inside"
    yield f"    ek_float_rows({sums}, {name}_r, {hidden}, {layer.units}, {rows});"


def _readout(network: Network) -> Iterator[str]:
    layer, hidden = network.layers[-1], f"c->hidden + {_places(network)[-2]}"
    mean, sizes = network.readout == "mean", f"{whole(layer.units, BLOCK)}, {network.frames.count}"
    exact = network.arithmetic == "int8"
    if mean and exact:
        yield f"    ek_codes(c->codes, {hidden}, 127.0f, {whole(layer.units, BLOCK)});"
        yield f"    ek_keep_codes(c->recent, c->total, c->codes, {sizes}, &c->next, &c->count);"
    elif mean:
        yield f"    ek_keep(c->recent, {hidden}, {sizes}, &c->next, &c->count);"
    yield "    if (!logits)"
    yield "        return EK_OK;"
    if mean and exact:
        yield f"    ek_int_mean(c->read, c->total, {layer.units}, c->count);"
    elif mean:
        yield f"    ek_recent(c->read, c->recent, {sizes}, c->next, c->count);"
    else:
        yield f"    memcpy(c->read, {hidden}, {layer.units} * sizeof *c->read);"
