"""model.c and model.h: the kernels as they lie in the folder `c`, the weights, and one function that calls them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from importlib.resources import files

from edgekit.native.buffers import buffers, context_bytes
from edgekit.native.calls import is_float, prediction
from edgekit.native.gates import FINE, QUICK, Rational
from edgekit.native.network import Arithmetic, Network
from edgekit.native.signing import header_values, rule_values, signing_values
from edgekit.native.stepping import step, stream_buffers, stream_bytes
from edgekit.native.tables import Table, c_float, numbers, tables

#: Of the C interface; a binding refuses a library of another.
ABI = 2
#: Numbers beyond it are refused, so that squares of their differences stay finite in float32.
LARGEST = "1e15f"


_AVX2 = ("-mavx2", "-mfma")
_AVX512 = (*_AVX2, "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq")
Ways = Mapping[Arithmetic, Mapping[str, tuple[str, ...]]]
#: Kind of machine, as compilers call it, to the options of each way through the program that a shared library has there
#: beside the baseline, the fastest first.
VARIANTS: Mapping[str, Ways] = {
    "x86_64": {
        "int8": {"avx512vnni": (*_AVX512, "-mavx512vnni"), "avxvnni": (*_AVX2, "-mavxvnni"), "avx2": _AVX2},
        "fp32": {"avx512": _AVX512, "avx2": _AVX2},
    },
    "aarch64": {"int8": {"dotprod": ("-march=armv8.2-a+dotprod",)}, "fp32": {}},
}


#: Files of integer arithmetic.
_INTEGERS = [
    "dots.c", "dots_arm.c", "dots_dotprod.c", "dots_neon.c", "rows_int8.c", "dense_int8.c", "layers_int8.c",
]  # fmt: skip
_NO_STREAM = """/* No streaming: a layer reads takes backwards, too, so that every answer needs the whole of one. */
#define @NAME@_STREAMS 0"""
_MEAN = """; of more than
   @NAME@_FRAMES, the mean is over the last layer's states of the last @NAME@_FRAMES"""


def kernel(name: str) -> str:
    """A file of the folder `c`."""
    return files("edgekit.native").joinpath("c", name).read_text(encoding="utf-8")


def weight_bytes(network: Network) -> int:
    """Constant data of the program."""
    return sum(table.values.nbytes for table in tables(network))


def header(network: Network, name: str) -> str:
    """model.h"""
    values = {
        "streaming": kernel("stream.h") if network.streams else _NO_STREAM,
        "stream_fields": "\n".join(one.declared for one in stream_buffers(network)),
        "stream": str(stream_bytes(network)),
        "beyond": _MEAN if network.readout == "mean" else "",
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
        "context": str(context_bytes(network)),
        "largest": LARGEST,
        "fields": "\n".join(one.declared for one in buffers(network)),
        **header_values(network),
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
    float_dense = any(is_float(network, one.weights) for one in network.dense)
    parts = ["floats.c", "gates.c"]
    parts += [f"{cell.lower()}.c" for cell in sorted(cells)]
    parts += ["rows_float.c"] if not exact or float_dense else []
    parts += _INTEGERS if exact else ["layers_float.c"]
    parts += ["frames.c"] + (["hand.c"] if network.frames.hands else [])
    if network.streams and network.readout == "mean":
        parts += ["recent_int8.c" if exact else "recent.c"]
    made = tables(network)
    values = {
        "name": name,
        "NAME": name.upper(),
        "sha256": network.sha256,
        "largest": LARGEST,
        "limit": LARGEST.rstrip("f"),
    }
    return "\n".join(
        [
            filled(kernel("begin.c"), values),
            *_settings(network, cells),
            kernel("machine.c"),
            *(kernel(part) for part in parts),
            *_weights(made, name),
            *_names(network, name),
            filled(kernel("entry.c"), {"signing": _signing(network), **values, "body": "\n".join(prediction(network))}),
            *([filled(kernel("stream.c"), {**values, "step": "\n".join(step(network))})] if network.streams else []),
            filled(kernel("library.c"), {**values, "variants": _variants(network), "no_sign": _no_sign(network)}),
        ]
    )


def _settings(network: Network, cells: Collection[str]) -> Iterator[str]:
    exact = network.arithmetic == "int8"
    rational: Rational = QUICK if exact else FINE
    yield "/* ---- What this model needs " + "-" * 88 + " */\n"
    yield f"#define EK_EXACT {int(exact)}"
    yield f"#define EK_COLUMNS {max(_columns(network))}"
    yield f"#define EK_HAS_LSTM {int('LSTM' in cells)}"
    yield f"#define EK_HAS_GRU {int('GRU' in cells)}"
    yield f"#define EK_TANH_LIMIT {rational.limit}f"
    yield f"#define EK_TANH_ORDER {rational.order}"
    yield f"/* EK_TANH_ERROR is {rational.error:g} */"
    top, low = rational.halved
    named = {"TANH_TOP": rational.top, "TANH_LOW": rational.low, "SIGMOID_TOP": top, "SIGMOID_LOW": low}
    for key, coefficients in named.items():
        four = (*coefficients, *[0.0] * (4 - len(coefficients)))  # vectors read four at once
        listed = ", ".join(c_float(value) for value in four)
        yield f"#define EK_{key} {{{listed}}}"
    yield ""


def _columns(network: Network) -> Iterator[int]:
    """Of every matrix."""
    for layer in network.layers:
        yield from (layer.inputs, layer.units)
    yield from (one.weights.columns for one in network.dense)


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
            yield f"#if {table.only}"
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


def _signing(network: Network) -> str:
    """Whether anybody signs, as C with @name@ still in it."""
    rule = "" if network.no_sign is None else filled(kernel("rule.c"), rule_values(network.no_sign)).rstrip()
    return filled(kernel("signing.c"), signing_values(network, rule)).rstrip()


def _no_sign(network: Network) -> str:
    """The rule as in the file's metadata, a C string; an empty one where there is none."""
    return _quoted("" if network.no_sign is None else network.no_sign.to_json())


def _quoted(text: str) -> str:
    """A C string of UTF-8; what is no plain ASCII as octal."""
    safe = (chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in text.encode())
    return f'"{"".join(safe)}"'


def _variants(network: Network) -> str:
    """Rows of the table of variants, machine by machine, the fastest first."""
    rows = []
    for machine, ways in VARIANTS.items():
        rows.append(f"#if defined(__{machine}__)")
        rows += [f"#if !defined(EK_WITHOUT_{each})\nEK_ROW({each})\n#endif" for each in ways[network.arithmetic]]
        rows.append("#endif")
    return "\n".join(rows)
