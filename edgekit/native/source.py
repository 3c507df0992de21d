"""model.c and model.h: the kernels as they lie in the folder `c`, then the weights, then one function that calls them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files

from edgekit.native.gates import FINE, QUICK, Rational
from edgekit.native.network import HAND, Arithmetic, Matrix, Network, Recurrent, whole
from edgekit.native.tables import BLOCK, EIGHT, Table, c_float, gate_rows, numbers, tables

#: Of the C interface; a binding refuses a library of another.
ABI = 1
#: Numbers beyond it are refused, so that squares of their differences stay finite in float32.
LARGEST = "1e15f"


#: Options of each way through the program that a shared library for x86-64 has beside the baseline, the fastest first.
_AVX2 = ("-mavx2", "-mfma")
_AVX512 = (*_AVX2, "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq")
VARIANTS: Mapping[Arithmetic, Mapping[str, tuple[str, ...]]] = {
    "int8": {"avx512vnni": (*_AVX512, "-mavx512vnni"), "avxvnni": (*_AVX2, "-mavxvnni"), "avx2": _AVX2},
    "fp32": {"avx512": _AVX512, "avx2": _AVX2},
}


@dataclass(frozen=True)
class Buffer:
    """One array of the context struct. kind: float or signed char."""

    kind: str
    name: str
    size: int
    about: str

    @property
    def size_bytes(self) -> int:
        """Of the array."""
        return self.size * (4 if self.kind == "float" else 1)


def kernel(name: str) -> str:
    """A file of the folder `c`."""
    return files("edgekit.native").joinpath("c", name).read_text(encoding="utf-8")


def buffers(network: Network) -> list[Buffer]:
    """What a prediction needs to write to."""
    frames, layers = network.frames, network.layers
    units = max(whole(layer.units, BLOCK) for layer in layers)
    gates = max(gate_rows(layer) for layer in layers)
    wide = max(whole(layer.outputs, EIGHT) for layer in layers)
    read = whole(layers[-1].outputs, BLOCK)
    dense = max(whole(one.weights.rows, BLOCK) for one in network.dense)
    exact = network.arithmetic == "int8"
    made = [
        Buffer("float", "frames", frames.count * whole(frames.features, BLOCK), "the input, normalised"),
        Buffer("float", "gates", frames.count * gates + BLOCK, "what the input sends into each gate"),
        Buffer("float", "hidden", units, "h of the moment"),
        Buffer("float", "total", max(len(layer.directions) for layer in layers) * units, "sums of h over time"),
        Buffer("float", "read", read, "what the dense layers read"),
        Buffer("float", "dense", len(network.dense) * dense, "what they give"),
    ]
    if any(layer.cell == "LSTM" for layer in layers):
        made.append(Buffer("float", "cell", units, "c of the moment"))
    if any(layer.cell == "GRU" for layer in layers):
        made.append(Buffer("float", "state", gates + BLOCK, "what h sends into each gate"))
    if exact:
        widest = max(whole(one.weights.columns, EIGHT) for one in network.dense)
        first = frames.count * whole(frames.features, EIGHT)
        made += [
            Buffer("float", "step", frames.count, "what a code of 1 stands for, by frame"),
            Buffer("signed char", "codes", max(units, 2 * widest), "h, or a dense layer's input, as integers"),
            Buffer(
                "signed char", "sequence", 2 * max(first, frames.count * wide) + BLOCK, "a layer's input and its output"
            ),
        ]
    elif len(layers) > 1:
        made.append(Buffer("float", "sequence", 2 * frames.count * whole(wide, BLOCK), "layers' outputs, in turn"))
    return made


def weight_bytes(network: Network) -> int:
    """Constant data of the program."""
    return sum(table.values.nbytes for table in tables(network))


def header(network: Network, name: str) -> str:
    """model.h"""
    fields = "\n".join(f"    {one.kind} {one.name}[{one.size}]; /* {one.about} */" for one in buffers(network))
    context = sum(one.size_bytes for one in buffers(network))
    values = {
        "name": name,
        "NAME": name.upper(),
        "abi": str(ABI),
        "sha256": network.sha256,
        "scheme": network.scheme,
        "arithmetic": network.arithmetic,
        "frames": str(network.frames.count),
        "features": str(network.frames.features),
        "classes": str(network.classes),
        "weights": str(weight_bytes(network)),
        "context": str(context),
        "largest": LARGEST,
        "fields": fields,
    }
    return filled(kernel("model.h"), values)


def filled(text: str, values: Mapping[str, str]) -> str:
    """A file of the folder `c` with its @names@ replaced."""
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text


def source(network: Network, name: str) -> str:
    """model.c"""
    exact = network.arithmetic == "int8"
    cells = {layer.cell for layer in network.layers}
    float_dense = any(_is_float(network, one.weights) for one in network.dense)
    parts = ["floats.c", "gates.c"]
    parts += [f"{cell.lower()}.c" for cell in sorted(cells)]
    parts += ["rows_float.c"] if not exact or float_dense else []
    parts += ["dots.c", "rows_int8.c", "layers_int8.c"] if exact else ["layers_float.c"]
    parts += ["frames.c"] + (["hand.c"] if network.frames.hands else [])
    made = tables(network)
    values = {"name": name, "NAME": name.upper(), "sha256": network.sha256, "largest": LARGEST}
    return "\n".join(
        [
            filled(kernel("begin.c"), values),
            *_settings(exact, cells),
            kernel("machine.c"),
            *(kernel(part) for part in parts),
            *_weights(made, name),
            *_names(network, name),
            filled(kernel("entry.c"), {**values, "body": "\n".join(_body(network, name))}),
            filled(kernel("library.c"), {**values, "variants": _variants(network)}),
        ]
    )


def _is_float(network: Network, matrix: Matrix) -> bool:
    return network.arithmetic == "fp32" or matrix.codes is None


def _settings(exact: bool, cells: set[str]) -> Iterator[str]:
    rational: Rational = QUICK if exact else FINE
    yield "/* ---- What this model needs " + "-" * 88 + " */\n"
    yield f"#define EK_EXACT {int(exact)}"
    yield f"#define EK_HAS_LSTM {int('LSTM' in cells)}"
    yield f"#define EK_HAS_GRU {int('GRU' in cells)}"
    yield f"#define EK_TANH_LIMIT {rational.limit}f"
    yield f"#define EK_TANH_ORDER {rational.order}"
    yield f"/* EK_TANH_ERROR is {rational.error:g} */"
    top, low = rational.halved
    named = {"TANH_TOP": rational.top, "TANH_LOW": rational.low, "SIGMOID_TOP": top, "SIGMOID_LOW": low}
    for key, coefficients in named.items():
        listed = ", ".join(c_float(value) for value in coefficients)
        yield f"#define EK_{key} {{{listed}}}"
    yield ""


def _weights(made: list[Table], name: str) -> Iterator[str]:
    yield "/* ---- Weights " + "-" * 102 + " */\n"
    for table in made:
        yield f"#define ek_{table.name} {name}_ek_{table.name}"
    yield "\n#if defined(EK_VARIANT)"
    yield from (f"EK_DATA {_called(table)};" for table in made)
    yield "#else"
    for table in made:
        yield f"\n/* {table.about} */"
        if table.only:
            yield f"#if defined({table.only}) || defined(EK_LIBRARY)"
        yield f"EK_DATA {_called(table)} = {{"
        yield from numbers(table.values)
        yield "};"
        if table.only:
            yield "#endif"
    yield "#endif\n"


def _called(table: Table) -> str:
    return table.declared.replace(f" {table.name}[", f" ek_{table.name}[")


def _names(network: Network, name: str) -> Iterator[str]:
    yield "/* ---- Names " + "-" * 104 + " */\n"
    yield "#if !defined(EK_VARIANT)"
    yield f"static const char *const ek_class_names[{network.classes}] = {{"
    yield from (f"    {_quoted(each)}," for each in network.class_names)
    yield "};"
    yield "#endif\n"


def _quoted(text: str) -> str:
    """A C string of UTF-8; what is no plain ASCII as octal."""
    safe = (chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in text.encode())
    return f'"{"".join(safe)}"'


def _variants(network: Network) -> str:
    """Rows of the table of variants, the fastest first."""
    rows = [f"#if !defined(EK_WITHOUT_{each})\nEK_ROW({each})\n#endif" for each in VARIANTS[network.arithmetic]]
    return "\n".join(rows)


def _body(network: Network, name: str) -> Iterator[str]:
    """The calls of one prediction."""
    yield from _input(network)
    for k, layer in enumerate(network.layers):
        last = k == len(network.layers) - 1
        yield f"    /* {layer.cell}, {layer.inputs} numbers to {layer.units} units"
        yield f"       {'in each of two directions' if len(layer.directions) == 2 else 'forwards'} */"
        yield from _layer(network, layer, k, last)
    yield from _readout(network)
    yield from _dense(network)


def _input(network: Network) -> Iterator[str]:
    frames = network.frames
    stride = whole(frames.features, BLOCK)
    if stride > frames.features:
        yield f"    for (t = 0; t < {frames.count}; t++)"
        yield f"        memset(c->frames + {stride} * t + {frames.features}, 0, {stride - frames.features} * sizeof(float));"
    for hand in range(frames.hands):
        at, path = HAND * hand, int(frames.path)
        yield f"    ek_hand(c->frames + {at}, {stride}, landmarks + {at}, {frames.features}, {frames.count}, {path});"
    if not frames.hands:
        yield f"    for (t = 0; t < {frames.count}; t++)"
        copied = f"landmarks + {frames.features} * t, {frames.features} * sizeof(float)"
        yield f"        memcpy(c->frames + {stride} * t, {copied});"
    yield f"    for (t = 0; t < {frames.count}; t++) {{"
    yield f"        float *frame = c->frames + {stride} * t, peak;"
    if frames.mean is not None:
        yield f"        ek_standardise(frame, ek_mean, ek_unit, {stride});"
    yield f"        peak = ek_peak(frame, {stride});"
    yield "        if (!(peak <= FLT_MAX))"
    yield "            return EK_RANGE;"
    if network.arithmetic == "int8":
        columns = whole(frames.features, EIGHT)
        yield f"        c->step[t] = ek_encode(c->sequence + {columns} * t, frame, peak, {stride});"
    yield "    }"


def _matrix(name: str) -> str:
    return f"EK_MATRIX({name})"


def _layer(network: Network, layer: Recurrent, k: int, last: bool) -> Iterator[str]:
    exact = network.arithmetic == "int8"
    count = network.frames.count
    rows, units = gate_rows(layer), whole(layer.units, BLOCK)
    half = (
        next(one.size for one in buffers(network) if one.name == "sequence") // 2
        if exact or len(network.layers) > 1
        else 0
    )
    into, out = (k % 2) * half, ((k + 1) % 2) * half
    wide = whole(layer.outputs, EIGHT if exact else BLOCK)
    kind = "int" if exact else "float"
    if exact and not last:
        yield f"    memset(c->sequence + {out}, 0, {count * wide});"
    if exact and k == 1:
        yield f"    for (t = 0; t < {count}; t++)"
        yield "        c->step[t] = 1.0f / 127.0f;"
    total = "c->total + {at}" if last and network.readout == "mean" else "NULL"
    for d, _ in enumerate(layer.directions):
        name = f"l{k}{'fb'[d]}"
        where = total.format(at=d * units)
        target = "NULL" if last else f"c->sequence + {out + d * layer.units}"
        yield f"    to.total = {where};"
        yield f"    to.sequence = {target};"
        yield f"    to.stride = {wide};"
        if where != "NULL":
            yield f"    memset(to.total, 0, {units} * sizeof *to.total);"
        yield f"    memset(c->gates + {count * rows}, 0, {BLOCK} * sizeof *c->gates);"
        if exact:
            columns = whole(layer.inputs, EIGHT)
            x = f"c->sequence + {into}"
            yield f"    ek_int_project(c->gates, ek_{name}_bias, {_matrix(f'ek_{name}_w')}, {x}, c->step, {columns}, {rows}, {count});"
            weights, tail = _matrix(f"ek_{name}_r"), f"c->codes, {layer.units}, {whole(layer.units, EIGHT)}"
        else:
            x, stride = (
                (f"c->sequence + {into}", whole(layer.inputs, BLOCK))
                if k
                else ("c->frames", whole(layer.inputs, BLOCK))
            )
            yield f"    ek_float_project(c->gates, ek_{name}_bias, ek_{name}_w, {x}, {stride}, {layer.inputs}, {rows}, {count});"
            weights, tail = f"ek_{name}_r", f"{layer.units}"
        call = f"ek_{kind}_{layer.cell.lower()}(to, c->gates, {weights}"
        state = "c->cell, c->hidden" if layer.cell == "LSTM" else f"ek_{name}_inside, c->state, c->hidden"
        yield f"    {call}, {state}, {tail}, {rows}, {count}, {d});"
        if last:
            source_ = "c->hidden" if network.readout == "final" else where
            yield f"    memcpy(c->read + {d * layer.units}, {source_}, {layer.units} * sizeof *c->read);"


def _readout(network: Network) -> Iterator[str]:
    if network.readout == "mean":
        yield f"    for (t = 0; t < {network.layers[-1].outputs}; t++)"
        yield f"        c->read[t] *= 1.0f / {network.frames.count}.0f;"


def _dense(network: Network) -> Iterator[str]:
    size = next(one.size for one in buffers(network) if one.name == "dense") // len(network.dense)
    x = "c->read"
    for k, one in enumerate(network.dense):
        out = f"c->dense + {k * size}"
        rows, columns = whole(one.weights.rows, BLOCK), one.weights.columns
        yield f"    /* dense, {columns} numbers to {one.weights.rows} */"
        if _is_float(network, one.weights):
            yield f"    ek_float_rows({out}, ek_d{k}_bias, ek_d{k}_w, {x}, {columns}, {rows});"
        else:
            wide = whole(columns, EIGHT)
            yield f"    ek_int_dense({out}, ek_d{k}_bias, {_matrix(f'ek_d{k}_w')}, {x}, c->codes, {columns}, {wide}, {rows});"
        if one.relu:
            yield f"    for (t = 0; t < {rows}; t += EK_F)"
            yield f"        ek_store({out} + t, ek_max(ek_load({out} + t), ek_set(0.0f)));"
        x = out
    yield f"    memcpy(logits, {x}, {network.classes} * sizeof *logits);"
