"""How fast this machine can be at best on a network: derived, and measured by bench/limit.c in the same run.

Derived: products an instruction times two instructions a cycle, which is what AVX2 cores since Zen 2 and Haswell do, and
not counting that integer products need a second instruction to add them. Measured: the same products from the same
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
    """names: `limit fp32, FP32` and so on, of what this CPU has. flags: gcc's options of each."""

    libraries: Mapping[str, Any]
    shape: Any
    weights: int
    flags: Mapping[str, tuple[str, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """Rows."""
        return tuple(self.libraries)

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
    return Limit(libraries, (ctypes.c_int * len(numbers))(*numbers), sum(_weights(network)), flags)


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


def derived(work: Mapping[str, int], kind: str, ghz: float) -> float:
    """Microseconds of the products alone. kind: "fp32", "int8" or "vnni"; ghz: the core's clock."""
    a_cycle = {"fp32": 16, "int8": 32, "vnni": 64}[kind]
    return work["products"] / a_cycle / ghz / 1e3


def _cpu_has() -> set[str]:
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8") if info.exists() else ""
    return set(text.partition("flags")[2].partition("\n")[0].split())
