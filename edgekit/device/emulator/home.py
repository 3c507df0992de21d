"""What was set up, read from its place: the emulator, ready to be started as one core or another."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.artifacts import parse_json, sha256_bytes, sha256_file, write_json, write_text
from edgekit.device.emulator.cores import CORES, Core
from edgekit.device.emulator.places import SETUP, Places
from edgekit.errors import InputError
from edgekit.reading import FileKind, parsing, read_text

SCHEMA_VERSION = 1
STATE = FileKind("what `edgekit emulator setup` wrote", InputError, 10**6, f"run `{SETUP}`", f"run `{SETUP}`")

#: Where the guest's memory is kept, so that it can be told from the emulator's own: an address, and how much.
GUEST_BASE, GUEST_BYTES = 0x200000000000, 0x4000000000
CPUS = 4


@dataclass(frozen=True)
class Home:
    """What was set up.

    emulator: QEMU's command; variables: that it needs. version: what it says of itself. interface: of its plugins.
    python: version in the root, such as 3.11. packages: of the root and the emulator, name to version. digests: of each
    part in its place, by name. sites: versions of ONNX Runtime with their wheels' SHA-256 by file name.
    """

    places: Places
    emulator: tuple[str, ...]
    variables: Mapping[str, str]
    version: str
    interface: int
    python: str
    packages: Mapping[str, str]
    digests: Mapping[str, str]
    sites: Mapping[str, Mapping[str, str]]

    def save(self) -> None:
        """Write it to its place."""
        kept = {name: value for name, value in vars(self).items() if name != "places"}
        content: dict[str, Any] = {"schema_version": SCHEMA_VERSION, **kept, "emulator": list(self.emulator)}
        write_json(self.places.state, content)

    def command(self, core: Core, onnxruntime: str, counts: Path) -> list[str]:
        """Starts Python as on that core; what the plugin counts goes to the file `counts`."""
        return [
            *self.emulator,
            *("-L", str(self.places.core_root(core.cpu))),
            *self.machine(core, counts),
            *(word for name, value in self._guest(onnxruntime).items() for word in ("-E", f"{name}={value}")),
            str(self.places.root / "usr" / "bin" / f"python{self.python}"),
        ]

    def machine(self, core: Core, counts: Path) -> list[str]:
        """Of the emulator's command: which core, where its memory lies, and what is counted."""
        return [
            *("-cpu", core.cpu, "-seed", "1", "-R", f"0x{GUEST_BYTES:x}", "-B", f"0x{GUEST_BASE:x}"),
            *(word for name in self.environment for word in ("-U", name)),
            *("-plugin", self.plugin_arguments(core, counts)),
        ]

    @property
    def environment(self) -> Mapping[str, str]:
        """All that the emulator is told, and the guest is not: what lies on a guest's stack moves what it executes."""
        return emulator_environment(self.variables)

    def plugin_arguments(self, core: Core, counts: Path) -> str:
        """The plugin's file and what it is told."""
        guest = f"guest={GUEST_BASE:x}:{GUEST_BASE + GUEST_BYTES:x}"
        cache = f"cache={core.cache_kb}:{core.cache_ways}"
        return f"{self.places.plugin},out={counts},{cache},{guest}"

    def _guest(self, onnxruntime: str) -> Mapping[str, str]:
        """Of the guest's environment: nothing that differs from run to run, and no threads of libraries."""
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        fixed = {"PYTHONHASHSEED": "0", "PYTHONNOUSERSITE": "1", "ORT_DISABLE_TELEMETRY": "1"}
        return {"PYTHONPATH": str(self.places.site(onnxruntime)), **fixed, **threads}


def emulator_environment(variables: Mapping[str, str]) -> Mapping[str, str]:
    """What an emulator finds in its environment: where programs are, and `variables`."""
    return {"PATH": os.environ.get("PATH", os.defpath), **variables}


def find_home(places: Places | None = None) -> Home:
    """What was set up. Raises InputError where nothing was, or it is not what it should be."""
    places = places or Places()
    if not places.state.exists():
        raise InputError(f"the emulator is not set up; run `{SETUP}` once")
    text = read_text(places.state, STATE)
    with parsing(places.state, STATE):
        content = parse_json(text)
        if content.pop("schema_version") != SCHEMA_VERSION:
            raise ValueError("another version")
        return Home(places=places, **{**content, "emulator": tuple(content["emulator"])})


def tree_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of all files in a folder, but for what Python compiles there; empty where it
    is missing."""
    if not folder.is_dir():
        return ""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    lines = [f"{path.relative_to(folder)} {sha256_file(path)}\n" for path in files if not path.is_symlink()]
    return sha256_bytes("".join(lines).encode())


def make_core_roots(places: Places) -> None:
    """The root as each core sees it: links to its folders, and what the kernel of such a board tells of its cores. ONNX
    Runtime reads these, and crashes where they are missing."""
    for core in CORES:
        root = places.core_root(core.cpu)
        root.mkdir(parents=True, exist_ok=True)
        for name in ("lib", "usr", "etc"):
            link = root / name
            if not link.is_symlink():
                link.symlink_to(Path("../../root") / name)
        told = {"kernel_max": f"{CPUS - 1}", **dict.fromkeys(("possible", "present", "online"), f"0-{CPUS - 1}")}
        for name, text in told.items():
            write_text(root / "sys/devices/system/cpu" / name, f"{text}\n")
        write_text(root / "proc/cpuinfo", "".join(core.cpuinfo(number) for number in range(CPUS)))
