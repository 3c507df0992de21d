"""Ways through the generated C, on this machine and under emulation."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_AVX2 = ("-mavx2", "-mfma")
_AVX512 = (*_AVX2, "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512vnni")

#: Compiler's options of each, and what /proc/cpuinfo has to name.
HERE: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "plain": (("-DEK_PORTABLE",), ()),
    "sse2": (("-msse2",), ("sse2",)),
    "avx2": (_AVX2, ("avx2", "fma")),
    "avxvnni": ((*_AVX2, "-mavxvnni"), ("avx_vnni",)),
    "avx512vnni": (_AVX512, ("avx512_vnni", "avx512dq", "avx512vl", "avx512bw")),
}


@dataclass(frozen=True)
class Cross:
    """compiler and emulator: programs from Debian. flags, cpu: their options."""

    compiler: str
    flags: tuple[str, ...]
    emulator: str
    cpu: tuple[str, ...] = ()


ARM64, ARM32 = "aarch64-linux-gnu-gcc", "arm-linux-gnueabihf-gcc"
CROSS: Mapping[str, Cross] = {
    "aarch64": Cross(ARM64, (), "qemu-aarch64", ("-cpu", "cortex-a53")),
    "aarch64-heavy": Cross(ARM64, ("-DEK_HEAVY",), "qemu-aarch64", ("-cpu", "cortex-a53")),
    "aarch64-dotprod": Cross(ARM64, ("-march=armv8.2-a+dotprod",), "qemu-aarch64", ("-cpu", "cortex-a76")),
    "armv7": Cross(ARM32, ("-march=armv7-a", "-mfpu=vfpv3-d16"), "qemu-arm", ("-cpu", "cortex-a7")),
    "armv7-neon": Cross(ARM32, ("-march=armv7-a", "-mfpu=neon"), "qemu-arm", ("-cpu", "cortex-a7")),
}


def available(way: str) -> tuple[str, ...]:
    """The options of a way. Skips the test, and says why, where this CPU has it not."""
    flags, names = HERE[way]
    missing = set(names) - cpu_flags()
    if missing:
        pytest.skip(f"this CPU has no {', '.join(sorted(missing))}")
    return flags


def cpu_flags() -> set[str]:
    """Of this machine's first CPU."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    lines = [line.partition(":")[2] for line in text.splitlines() if line.startswith(("flags", "Features"))]
    return set(lines[0].split()) if lines else set()


def run(command: Sequence[str | Path], cwd: Path, **more: Any) -> str:
    """What a command says on both streams; fails the test with it where the command fails."""
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout + done.stderr
