"""Packages of Debian and Ubuntu, fetched from the system's own sources and unpacked without root.

apt works here in a folder of its own: nothing of the system is changed, and what it asks for need not be installable.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.artifacts import sha256_file
from edgekit.device.emulator.programs import last_words, run_program
from edgekit.errors import InputError

SOURCES = (Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d"))
#: Status of what is installed, of which the host's architecture needs less.
INSTALLED = Path("/var/lib/dpkg/status")
TOOLS = ("apt-get", "apt-cache", "dpkg-deb")


@dataclass(frozen=True)
class Package:
    """One file of a distribution, as its signed lists describe it."""

    name: str
    version: str
    size_bytes: int
    sha256: str


class Apt:
    """apt for one architecture, in a folder of its own. installed: whether what the system has counts as there."""

    def __init__(self, folder: Path, architecture: str, *, installed: bool) -> None:
        self.folder, self.architecture = folder, architecture
        for part in ("lists/partial", "cache/archives/partial", "sources"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        status = INSTALLED
        if not installed:
            status = folder / "status"
            status.touch()
        settings = {
            "APT::Architecture": architecture,
            "APT::Architectures": architecture,
            "Dir::State::lists": folder / "lists",
            "Dir::Cache": folder / "cache",
            "Dir::State::status": status,
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": folder / "sources",
            "APT::Sandbox::User": "root",  # else apt complains of a folder that its own user can't enter
        }
        self.options = [f"-o{name}={value}" for name, value in settings.items()]

    def update(self) -> None:
        """Fetch the lists of packages. A source that has nothing for the architecture is passed over. Raises InputError
        where no source could be read."""
        _copy_sources(self.folder / "sources", self.architecture)
        done = run_program(["apt-get", *self.options, "update"])
        if not any("_Packages" in path.name for path in (self.folder / "lists").iterdir()):
            why = next((line for line in done.stderr.splitlines() if line.startswith("E:")), last_words(done))
            raise InputError(f"the lists of packages for {self.architecture} could not be fetched ({why[:300]})")

    def needed(self, wanted: Sequence[str], names: str = ".*") -> list[Package]:
        """What `wanted` needs, itself included: packages whose whole name fits the pattern `names`. Raises InputError
        where the sources don't have it."""
        options = [*self.options, "--print-uris", "-y", "--no-install-recommends", "install"]
        done = run_program(["apt-get", *options, *wanted])
        files = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("'")]
        found = [name for name in (file.partition("_")[0] for file in files) if re.fullmatch(names, name)]
        if done.returncode or not found:
            raise InputError(
                f"this system's package sources have no {wanted[0]} for {self.architecture} ({last_words(done)});"
                " add a source that has to apt's (for arm64 on Ubuntu: its archive of ports, with [arch=arm64]), and"
                " run this again"
            )
        return self._described(found)

    def _described(self, names: Sequence[str]) -> list[Package]:
        done = run_program(["apt-cache", *self.options, "show", "--no-all-versions", *names])
        found = {package.name: package for package in map(_package, done.stdout.strip().split("\n\n")) if package}
        return [found[name] for name in names if name in found]

    def fetch(self, packages: Sequence[Package], folder: Path) -> list[Path]:
        """Their files in `folder`, checked; those that are there already are not fetched again. Raises InputError."""
        folder.mkdir(parents=True, exist_ok=True)
        missing = [f"{each.name}={each.version}" for each in packages if _right(each, folder) is None]
        done = run_program(["apt-get", *self.options, "download", *missing], folder=folder) if missing else None
        files = []
        for package in packages:
            file = _right(package, folder)
            if file is None:
                why = last_words(done) if done and done.returncode else "it has not the SHA-256 of the lists"
                raise InputError(
                    f"{package.name} could not be fetched ({why}); run this again with a network, and it goes on"
                )
            files.append(file)
        return files


def _right(package: Package, folder: Path) -> Path | None:
    """The package's file with the SHA-256 of the lists. Another one is removed."""
    for path in folder.glob(f"{package.name}_*.deb"):
        if path.stat().st_size == package.size_bytes and sha256_file(path) == package.sha256:
            return path
        path.unlink()
    return None


def _package(paragraph: str) -> Package | None:
    fields = dict(re.findall(r"^(Package|Version|Size|SHA256): (\S+)$", paragraph, re.MULTILINE))
    if len(fields) < 4:
        return None
    return Package(fields["Package"], fields["Version"], int(fields["Size"]), fields["SHA256"])


def _copy_sources(target: Path, architecture: str) -> None:
    """The system's sources. What they say of architectures is meant for the system's own."""
    for place in SOURCES:
        for path in sorted(place.iterdir()) if place.is_dir() else [place]:
            if path.suffix in (".list", ".sources") and path.is_file():
                text = path.read_text(encoding="utf-8", errors="replace")
                text = re.sub(r"\barch=[^\s\]]+", f"arch={architecture}", text)
                text = re.sub(r"^Architectures:.*$", f"Architectures: {architecture}", text, flags=re.MULTILINE)
                (target / path.name).write_text(text, encoding="utf-8")


def missing_tools() -> list[str]:
    """Of the programs that fetch and unpack packages, those that are not here."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


def unpack(files: Iterable[Path], folder: Path) -> None:
    """What packages hold, in `folder`. Raises InputError for a file that is none."""
    for path in files:
        done = run_program(["dpkg-deb", "-x", path, folder])
        if done.returncode:
            raise InputError(f"{path.name} can't be unpacked ({last_words(done)}); run this again")
