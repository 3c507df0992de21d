"""Where the emulator's parts lie, and which versions of them are meant."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edgekit.artifacts.fetching import cache_folder

SETUP = "edgekit emulator setup"

#: What a device with today's edgekit installs.
ONNXRUNTIME = "1.32.0"
#: The newest that these versions of Python have. ONNX Runtime before 1.19 was built for numpy 1.
NUMPY, NUMPY_OF_310, NUMPY_1 = "2.4.6", "2.2.6", "1.26.4"


def numpy_version(python: str, onnxruntime: str) -> str:
    """The version of numpy that goes with them. python: such as 3.11."""
    if _numbers(onnxruntime) < (1, 19):
        return NUMPY_1
    return NUMPY if _numbers(python) >= (3, 11) else NUMPY_OF_310


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


@dataclass(frozen=True)
class Places:
    """folder: that holds everything."""

    folder: Path = field(default_factory=lambda: cache_folder("emulator"))

    @property
    def state(self) -> Path:
        """What was set up, as JSON."""
        return self.folder / "emulator.json"

    @property
    def downloads(self) -> Path:
        """Packages that are here but not yet unpacked: empty once setup is through."""
        return self.folder / "downloads"

    @property
    def emulator(self) -> Path:
        """QEMU's packages, unpacked, where the system has none that takes plugins."""
        return self.folder / "qemu"

    @property
    def root(self) -> Path:
        """Python for 64-bit Arm and the libraries under it."""
        return self.folder / "root"

    @property
    def plugin(self) -> Path:
        """The plugin, compiled."""
        return self.folder / "plugin.so"

    def site(self, onnxruntime: str) -> Path:
        """Numpy and that version of ONNX Runtime."""
        return self.folder / f"onnxruntime-{onnxruntime}"

    def core_root(self, cpu: str) -> Path:
        """The root as a machine with that core sees it."""
        return self.folder / "cores" / cpu
