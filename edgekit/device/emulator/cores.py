"""The cores of the boards, as the emulator is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Core:
    """name: as a board's facts have it. cpu: the emulator's word. part: of its identification. features: as Linux names
    them. cache_kb, cache_ways: of the last cache before memory."""

    name: str
    cpu: str
    part: int
    features: str
    cache_kb: int
    cache_ways: int

    def cpuinfo(self, number: int) -> str:
        """What /proc/cpuinfo says of the core of that number. ONNX Runtime chooses its kernels by it."""
        facts = {
            "processor": str(number),
            "BogoMIPS": "108.00",
            "Features": self.features,
            "CPU implementer": "0x41",
            "CPU architecture": "8",
            "CPU variant": "0x0",
            "CPU part": f"0x{self.part:x}",
            "CPU revision": "3",
        }
        return "".join(f"{name}\t: {value}\n" for name, value in facts.items()) + "\n"


#: Armv8.0-A: no dot products, no half-precision arithmetic; the boards' makers left the cryptography out.
_V8_0 = "fp asimd evtstrm crc32 cpuid"
_V8_2 = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"  # of a Pi 5
)

#: Caches: 512 KB that four A53 share and 1 MB that four A72 share, as their access times show (ThomasKaiser/sbc-bench,
#: results 3E85, 1iI5, 3OBF); 2 MB that four A76 of a Pi 5 share (Raspberry Pi's documentation of its BCM2712). Ways are
#: those of Arm's manuals, from memory.
CORES = (
    Core("Cortex-A53", "cortex-a53", 0xD03, _V8_0, 512, 16),
    Core("Cortex-A72", "cortex-a72", 0xD08, _V8_0, 1024, 16),
    Core("Cortex-A76", "cortex-a76", 0xD0B, _V8_2, 2048, 16),
)
BY_NAME: Mapping[str, Core] = {core.name: core for core in CORES}
