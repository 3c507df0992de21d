"""The lines of C that are one prediction: calls of the kernels with a network's sizes."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.native.buffers import dense_wide, sequence_half, units_wide
from edgekit.native.network import HAND, Matrix, Network, Recurrent, whole
from edgekit.native.tables import BLOCK, EIGHT, gate_rows


def prediction(network: Network) -> Iterator[str]:
    """From landmarks to logits, checked landmarks given."""
    if network.frames.path:
        yield f"    float start[{4 * network.frames.hands}] = {{0}};"
    yield from frame_calls(network)
    for k, layer in enumerate(network.layers):
        ways = "in each of two directions" if len(layer.directions) == 2 else "forwards"
        yield f"    /* {layer.cell}, {layer.inputs} numbers to {layer.units} units, {ways} */"
        yield from _layer(network, layer, k)
    if network.readout == "mean" and network.arithmetic == "fp32":
        yield f"    for (t = 0; t < {network.layers[-1].outputs}; t++)"
        yield f"        c->read[t] *= 1.0f / {network.frames.count}.0f;"
    yield from dense_calls(network)


def is_float(network: Network, matrix: Matrix) -> bool:
    """Whether a matrix is computed in float32."""
    return network.arithmetic == "fp32" or matrix.codes is None


def _loop(count: int) -> str:
    return f"    for (t = 0; t < {count}; t++)"


def frame_calls(network: Network) -> Iterator[str]:
    """Normalised frames, with zeros up to whole blocks; in integers also their codes and steps."""
    frames = network.frames
    features, stride = frames.features, whole(frames.features, BLOCK)
    if stride > features:
        yield _loop(frames.count)
        yield f"        memset(c->frames + {stride} * t + {features}, 0, {stride - features} * sizeof(float));"
    for hand, at in enumerate(range(0, HAND * frames.hands, HAND)):
        first = f"start + {4 * hand}" if frames.path else "NULL"
        sizes = f"{features}, {frames.count}, {int(frames.path)}, {first}"
        yield f"    ek_hand(c->frames + {at}, {stride}, landmarks + {at}, {sizes});"
    if not frames.hands:
        yield _loop(frames.count)
        yield f"        memcpy(c->frames + {stride} * t, landmarks + {features} * t, {features} * sizeof(float));"
    yield f"{_loop(frames.count)} {{"
    yield f"        float *frame = c->frames + {stride} * t, peak;"
    if frames.mean is not None:
        yield f"        ek_standardise(frame, ek_mean, ek_unit, {stride});"
    yield f"        peak = ek_peak(frame, {stride});"
    yield "        if (!(peak <= FLT_MAX))"
    yield "            return EK_RANGE;"
    if network.arithmetic == "int8":
        columns = whole(features, EIGHT)
        yield f"        c->step[t] = ek_encode(c->sequence + {columns} * t, frame, peak, {stride});"
    yield "    }"


def _layer(network: Network, layer: Recurrent, k: int) -> Iterator[str]:
    exact, count = network.arithmetic == "int8", network.frames.count
    if exact and k == 1:  # h has this step from here on
        yield _loop(count)
        yield "        c->step[t] = 1.0f / 127.0f;"
    for d in range(len(layer.directions)):
        yield from _outputs(network, layer, k, d)
        yield f"    memset(c->gates + {count * gate_rows(layer)}, 0, {BLOCK} * sizeof *c->gates);"
        yield from (_integer_calls if exact else _float_calls)(network, layer, k, d)
        if k == len(network.layers) - 1:
            yield _read(network, layer, d)


def _read(network: Network, layer: Recurrent, d: int) -> str:
    """What the dense layers read of direction d: final states or sums, in integers already their mean."""
    total = f"c->total + {d * units_wide(network)}"
    if network.readout == "mean" and network.arithmetic == "int8":
        return f"    ek_int_mean(c->read + {d * layer.units}, {total}, {layer.units}, {network.frames.count});"
    read = "c->hidden" if network.readout == "final" else total
    return f"    memcpy(c->read + {d * layer.units}, {read}, {layer.units} * sizeof *c->read);"


def _outputs(network: Network, layer: Recurrent, k: int, d: int) -> Iterator[str]:
    """Where direction d leaves its h: as the next layer's input, as sums, or nowhere but in the final state."""
    last = k == len(network.layers) - 1
    units, summed = whole(layer.units, BLOCK), last and network.readout == "mean"
    out = (k + 1) % 2 * sequence_half(network) + d * layer.units
    yield f"    to.total = {f'c->total + {d * units_wide(network)}' if summed else 'NULL'};"
    yield f"    to.sequence = {'NULL' if last else f'c->sequence + {out}'};"
    yield f"    to.stride = {whole(layer.outputs, EIGHT if network.arithmetic == 'int8' else BLOCK)};"
    if summed:
        yield f"    memset(to.total, 0, {units} * sizeof *to.total);"


def _integer_calls(network: Network, layer: Recurrent, k: int, d: int) -> Iterator[str]:
    name, rows, count = f"ek_l{k}{'fb'[d]}", gate_rows(layer), network.frames.count
    x = f"c->sequence + {k % 2 * sequence_half(network)}, c->step, {whole(layer.inputs, EIGHT)}, {rows}, {count}"
    yield f"    ek_int_project(c->gates, {name}_bias, EK_MATRIX({name}_w), {x});"
    sizes = f"c->codes, {layer.units}, {whole(layer.units, EIGHT)}, {rows}, {count}, {d}"
    kind = f"ek_int_{layer.cell.lower()}(to, c->gates, EK_MATRIX({name}_r)"
    yield f"    {kind}, {_state(layer, name)}, {sizes});"


def _float_calls(network: Network, layer: Recurrent, k: int, d: int) -> Iterator[str]:
    name, rows, count = f"ek_l{k}{'fb'[d]}", gate_rows(layer), network.frames.count
    x = f"c->sequence + {k % 2 * sequence_half(network)}" if k else "c->frames"
    sizes = f"{whole(layer.inputs, BLOCK)}, {layer.inputs}, {rows}, {count}"
    yield f"    ek_float_project(c->gates, {name}_bias, {name}_w, {x}, {sizes});"
    kind = f"ek_float_{layer.cell.lower()}(to, c->gates, {name}_r"
    yield f"    {kind}, {_state(layer, name)}, {layer.units}, {rows}, {count}, {d});"


def _state(layer: Recurrent, name: str) -> str:
    return "c->cell, c->hidden" if layer.cell == "LSTM" else f"{name}_inside, c->state, c->hidden"


def dense_calls(network: Network) -> Iterator[str]:
    """From what the dense layers read, `read`, to the logits."""
    x, outputs = "c->read", network.dense[0].weights.columns
    if outputs % BLOCK and not is_float(network, network.dense[0].weights):
        yield f"    memset(c->read + {outputs}, 0, {-outputs % BLOCK} * sizeof *c->read);"
    for k, one in enumerate(network.dense):
        out = f"c->dense + {k * dense_wide(network)}"
        rows, columns = whole(one.weights.rows, BLOCK), one.weights.columns
        yield f"    /* dense, {columns} numbers to {one.weights.rows} */"
        if is_float(network, one.weights):
            yield f"    ek_float_rows({out}, ek_d{k}_bias, ek_d{k}_w, {x}, {columns}, {rows});"
        else:
            sizes = f"c->codes, {columns}, {whole(columns, EIGHT)}, {rows}"
            yield f"    ek_int_dense({out}, ek_d{k}_bias, EK_MATRIX(ek_d{k}_w), {x}, {sizes});"
        if one.relu:
            yield f"    for (t = 0; t < {rows}; t += EK_F)"
            yield f"        ek_store({out} + t, ek_max(ek_load({out} + t), ek_set(0.0f)));"
        x = out
    yield f"    memcpy(logits, {x}, {network.classes} * sizeof *logits);"
