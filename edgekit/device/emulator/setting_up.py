"""Sets the emulator up, part by part: what is there and right is left alone, so that a second call goes on."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.artifacts import lock, replaced_folder, sha256_file
from edgekit.artifacts.fetching import Watch
from edgekit.device.emulator.cores import CORES
from edgekit.device.emulator.home import Home, emulator_environment, find_home, make_core_roots, tree_digest
from edgekit.device.emulator.packages import Apt, Package, missing_tools, unpack
from edgekit.device.emulator.places import ONNXRUNTIME, Places, numpy_version
from edgekit.device.emulator.plugin import build_plugin
from edgekit.device.emulator.programs import last_words, run_program
from edgekit.device.emulator.wheels import WHEELS_BYTES, make_site
from edgekit.errors import InputError

EMULATOR_VARIABLE = "EDGEKIT_QEMU"
PROGRAM = "qemu-aarch64"
#: What the root needs, and which packages of all that these ask for: the rest is for installing, not for running.
WANTED = ("python3-minimal", "libpython3-stdlib", "libstdc++6", "zlib1g")
KEPT = (
    r"(lib)?python3\.\d+-(minimal|stdlib)|libc6|libgcc-s1|libstdc\+\+6|zlib1g|libexpat1\w*|libssl3\w*|libffi\d+\w*"
    r"|libbz2-1\.0|liblzma5|libuuid1\w*|libcrypt1"
)

#: What the worker imports.
IMPORTED = "import array, ctypes, gc, glob, json, platform, random, re, resource, signal, numpy, onnxruntime"

#: Told what is done next, in words.
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Progress:
    """tell: what is done next. watch: how many bytes of how many pip has fetched."""

    tell: Tell = lambda text: None
    watch: Watch | None = None


def set_up(onnxruntime: str = ONNXRUNTIME, places: Places | None = None, progress: Progress = Progress()) -> Home:
    """Fetch and make what is missing; what is there then.

    Raises InputError where it can't work: on other systems, without a C compiler, an emulator that takes plugins, a
    network, or that version of ONNX Runtime. What was fetched by then is kept.
    """
    places = places or Places()
    refuse_other_systems()
    check_version(onnxruntime)
    with lock(places.folder):
        home = _prepared(places, progress)
        if tree_digest(places.site(onnxruntime)) != home.digests.get(f"onnxruntime-{onnxruntime}", "none"):
            home = _with_site(home, onnxruntime, progress)
        shutil.rmtree(places.downloads, ignore_errors=True)
    return home


def refuse_other_systems() -> None:
    """Raises InputError anywhere but on Linux with an x86-64 processor."""
    machine = os.uname().machine if hasattr(os, "uname") else "?"
    if not sys.platform.startswith("linux") or machine != "x86_64":
        raise InputError(
            f"the emulator runs on Linux with an x86-64 processor, and this is {sys.platform} on {machine}; on a 64-bit"
            " Raspberry Pi bench itself measures"
        )


def check_version(onnxruntime: str) -> None:
    """Raises InputError for a text that is no version of three numbers."""
    if not re.fullmatch(r"\d{1,4}\.\d{1,4}\.\d{1,4}", onnxruntime):
        raise InputError(f"--onnxruntime {onnxruntime}: expected a version of three numbers, such as {ONNXRUNTIME}")


def _prepared(places: Places, progress: Progress) -> Home:
    """Emulator, root and plugin, made if they are missing or others than they were."""
    home = None
    if places.state.exists():
        with contextlib.suppress(InputError):  # damaged, or of another edgekit: made anew
            home = find_home(places)
    if home is not None and part_states(home)["root"] == part_states(home)["plugin"] == "ready" and _starts(home):
        return home
    root = _make_root(places, progress)
    emulator, variables, more = _find_emulator(places, progress)
    interface = build_plugin(emulator, places.plugin, emulator_environment(variables))
    make_core_roots(places)
    said = run_program([*emulator, "--version"], environment=emulator_environment(variables)).stdout.partition("\n")[0]
    (python,) = [path.name.removeprefix("python") for path in (places.root / "usr/bin").glob("python3.[0-9]*")][:1]
    home = Home(
        places=places,
        emulator=tuple(emulator),
        variables=variables,
        version=said.removeprefix("qemu-aarch64 version "),
        interface=interface,
        python=python,
        packages={package.name: package.version for package in (*root, *more)},
        digests={"root": tree_digest(places.root), "plugin": sha256_file(places.plugin)},
        sites={},
    )
    home.save()
    return home


def _starts(home: Home) -> bool:
    return shutil.which(home.emulator[0]) is not None


def _make_root(places: Places, progress: Progress) -> list[Package]:
    """Python for 64-bit Arm in its place; the packages that it was made of."""
    missing = missing_tools()
    if missing:
        raise InputError(f"not on the PATH: {', '.join(missing)}; the emulator is made of packages of Debian or Ubuntu")
    progress.tell("fetching lists of packages for arm64, about 10 MB")
    apt = Apt(places.downloads / "apt-arm64", "arm64", installed=False)
    apt.update()
    packages = apt.needed(WANTED, KEPT)
    progress.tell(f"fetching {_told(packages)}: Python for 64-bit Arm")
    files = apt.fetch(packages, places.downloads)
    with replaced_folder(places.root) as made:
        unpack(files, made)
        if not (made / "lib").exists():  # where all lies under /usr
            (made / "lib").symlink_to("usr/lib")
    return packages


def _told(packages: Sequence[Package]) -> str:
    return f"{len(packages)} packages, {sum(package.size_bytes for package in packages) / 1e6:.1f} MB"


def _find_emulator(places: Places, progress: Progress) -> tuple[list[str], dict[str, str], list[Package]]:
    """(command, variables, packages): the environment's, the system's, or the distribution's package in our place."""
    said = os.environ.get(EMULATOR_VARIABLE) or shutil.which(PROGRAM)
    if said:
        return [said], {}, []
    progress.tell("fetching lists of packages for the emulator, about 10 MB")
    apt = Apt(places.downloads / "apt-amd64", "amd64", installed=True)
    apt.update()
    packages = apt.needed(("qemu-user",))
    progress.tell(f"fetching {_told(packages)}: the emulator")
    with replaced_folder(places.emulator) as made:
        unpack(apt.fetch(packages, places.downloads), made)
    libraries = ":".join(str(places.emulator / name) for name in ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"))
    return [str(places.emulator / "usr/bin" / PROGRAM)], {"LD_LIBRARY_PATH": libraries}, packages


def _with_site(home: Home, onnxruntime: str, progress: Progress) -> Home:
    """With that version of ONNX Runtime, which has been imported once: Python keeps what it compiled."""
    places = home.places
    what = f"ONNX Runtime {onnxruntime} and numpy {numpy_version(home.python, onnxruntime)} for 64-bit Arm"
    progress.tell(f"fetching {what}, about {WHEELS_BYTES / 1e6:.0f} MB")
    wheels = make_site(places.site(onnxruntime), home.python, onnxruntime, progress.watch)
    digests = {**home.digests, f"onnxruntime-{onnxruntime}": tree_digest(places.site(onnxruntime))}
    home = replace(home, digests=digests, sites={**home.sites, onnxruntime: wheels})
    progress.tell("importing them once")
    _import_once(home, onnxruntime)
    home.save()
    return home


def _import_once(home: Home, onnxruntime: str) -> None:
    """On the core that knows most instructions; whether others start is for others to say."""
    counts = home.places.folder / "counts"
    command = home.command(CORES[-1], onnxruntime, counts)
    done = run_program([*command, "-c", IMPORTED], environment=home.environment)
    counts.unlink(missing_ok=True)
    if done.returncode:
        raise InputError(f"ONNX Runtime {onnxruntime} for 64-bit Arm can't be imported here: {last_words(done)}")


def part_states(home: Home) -> dict[str, str]:
    """Each part to `ready`, `missing` or `changed`."""
    found = {"root": tree_digest(home.places.root), "plugin": ""}
    if home.places.plugin.is_file():
        found["plugin"] = sha256_file(home.places.plugin)
    found |= {f"onnxruntime-{version}": tree_digest(home.places.site(version)) for version in home.sites}
    wanted = home.digests
    return {
        name: "ready" if digest == wanted.get(name) else "changed" if digest else "missing"
        for name, digest in found.items()
    }


def folder_bytes(folder: Path) -> int:
    """What all files of a folder take."""
    return sum(path.lstat().st_size for path in _files(folder))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def remove(places: Places | None = None) -> int:
    """Everything that setup made; how many bytes that was."""
    places = places or Places()
    if not places.folder.is_dir():
        return 0
    size = folder_bytes(places.folder)
    shutil.rmtree(places.folder)
    return size
