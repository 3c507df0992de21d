"""How fast this machine can be at best on a network: derived, and measured by bench/limit.c in the same run.

Derived, in cycles of the core: the larger of what products and what bytes of weights take, and behind it the functions,
because a step's functions wait for its products and the next step waits for them. AVX2 cores since Haswell and Zen 2
start two multiplications of vectors a cycle. One gives 8 products of fp32; 16 of exact integers (vpmaddwd; or 32 in the
two of vpmaddubsw and vpmaddwd), and 32 with VNNI; additions are not counted. Weights that
fit into the first-level cache come at 64 bytes a cycle, others at 32; four frames share what the inputs' weights take.
Eight cells' three sigmoids and two tanhs are some 50 vector instructions. Measured: the same products from the same
bytes and the same functions, and nothing else.
"""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.native import Network

SOURCE = Path(__file__).resolve().with_name("limit.c")
#: Way to its options beyond AVX2's.
WAYS = {"fp32, FP32": (), "int8, INT16": (), "int8, INT8": (), "int8, VNNI": ("-mavx512vnni", "-mavx512vl")}
AVX_VNNI = ("-mavxvnni",)
OPTIONS = ("-O3", "-mavx2", "-mfma", "-shared", "-fPIC")


@dataclass(frozen=True)
class Limit:
    """names: `limit fp32, FP32` and so on, of what this CPU has. flags: gcc's options of each. cycles: what `derived`
    says, by kind."""

    libraries: Mapping[str, Any]
    shape: Any
    weights: int
    flags: Mapping[str, tuple[str, ...]]
    cycles: Mapping[str, Mapping[str, float]]

    @property
    def names(self) -> tuple[str, ...]:
        """Rows."""
        return tuple(self.libraries)

    def clock_ghz(self) -> float:
        """The core's clock, measured; 0 where nothing is measured here."""
        for library in self.libraries.values():
            library.clock_ghz.restype = ctypes.c_double
            return float(library.clock_ghz())
        return 0.0

    def time(self, name: str, warm: int, calls: int) -> list[int]:
        """Nanoseconds of each of so many predictions, after `warm` others."""
        found = (ctypes.c_longlong * (warm + calls))()
        numbers = (ctypes.c_long(self.weights), ctypes.c_long(warm + calls))
        if self.libraries[name].limit(self.shape, *numbers, found):
            raise MemoryError(f"no memory for {self.weights:,} weights")
        return list(found)[warm:]


def build_limit(network: Network, folder: Path) -> Limit:
    """What can be measured here: nothing where this is no x86 CPU with AVX2."""
    has = _cpu_has()
    libraries, flags = {}, {}
    for name, own in WAYS.items():
        if not {"avx2", "fma"} <= has or (own and not {"avx512_vnni", "avx512vl"} <= has and "avx_vnni" not in has):
            continue
        options = AVX_VNNI if own and not {"avx512_vnni", "avx512vl"} <= has else own
        target = folder / f"limit.{name.rpartition(' ')[2]}.so"
        command = ["gcc", *OPTIONS, *options, f"-DWAY={name.rpartition(' ')[2]}", "-o", str(target), str(SOURCE)]
        subprocess.run(command, check=True)
        libraries[f"limit {name}"], flags[f"limit {name}"] = ctypes.CDLL(str(target)), (*OPTIONS, *options)
    numbers = shape(network)
    cycles = {kind: derived(network, kind) for kind in RATES}
    return Limit(libraries, (ctypes.c_int * len(numbers))(*numbers), sum(_weights(network)), flags, cycles)


def shape(network: Network) -> list[int]:
    """What limit.c reads."""
    layers = [[layer.inputs, layer.units, len(layer.directions)] for layer in network.layers]
    return [network.frames.count, len(layers), *(number for layer in layers for number in layer), _weights(network)[1]]


def _weights(network: Network) -> tuple[int, int]:
    """Of recurrent layers and of dense ones, with room for alignment."""
    recurrent = sum(
        len(layer.directions) * (4 * layer.units * (layer.inputs + layer.units) + 128) for layer in network.layers
    )
    return recurrent, sum(one.weights.values.size for one in network.dense)


#: Products a cycle, and bytes of a weight.
RATES = {"fp32": (16, 4), "int8": (32, 1), "vnni": (64, 1)}
FIRST_LEVEL_BYTES, FRAMES_AT_ONCE, CELL_CYCLES = 32 * 1024, 4, 25


def derived(network: Network, kind: str) -> dict[str, float]:
    """Cycles: products, bytes, functions, and at_least. kind: one of RATES."""
    rate, size = RATES[kind]
    frames, found = network.frames.count, {"products": 0.0, "bytes": 0.0, "functions": 0.0}
    for layer in network.layers:
        inner, outer = (4 * layer.units * width for width in (layer.units, layer.inputs))
        a_cycle = 64 if inner * size <= FIRST_LEVEL_BYTES else 32
        read = inner + outer / FRAMES_AT_ONCE
        directions = len(layer.directions)
        found["products"] += directions * frames * (inner + outer) / rate
        found["bytes"] += directions * frames * read * size / a_cycle
        found["functions"] += directions * frames * -(-layer.units // 8) * CELL_CYCLES
    return {**found, "at_least": max(found["products"], found["bytes"]) + found["functions"]}


def _cpu_has() -> set[str]:
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8") if info.exists() else ""
    return set(text.partition("flags")[2].partition("\n")[0].split())
