"""onnxruntime-web, which runs networks in the browser: where its files lie, what they should be, how they get there.

Three files of its npm package, at the version and with the SHA-512 that `package-lock.json` beside this file says. The
user's own npm fetches the package; nothing of it is run here.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from edgekit.artifacts import parse_json, scratch_folder, sha256_bytes, sha256_file, write_bytes
from edgekit.errors import InputError, ModelFileError
from edgekit.hands import networks_folder
from edgekit.reading import FileKind, StrPath, read_file, read_text, reason

PACKAGE = "onnxruntime-web"
LOCK = Path(__file__).with_name("package-lock.json")
SETUP = "edgekit studio setup"
ARCHIVE = FileKind(f"the npm package {PACKAGE}", InputError, 10**9)
TEXT = FileKind("a file that edgekit comes with", ModelFileError, 10**6)
#: Names of the files, and the SHA-256 of version 1.30.0's.
FILES = {
    "ort.wasm.min.mjs": "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    "ort-wasm-simd-threaded.mjs": "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
#: What lies beside them: the package holds no licence, the Python package of the same sources does.
PAPERS = ("LICENSE", "ThirdPartyNotices.txt")


def locked() -> tuple[str, str]:
    """The package's version, and its integrity as npm writes it: `sha512-` and base 64."""
    entry = parse_json(read_text(LOCK, TEXT))["packages"][f"node_modules/{PACKAGE}"]
    return str(entry["version"]), str(entry["integrity"])


def assets_folder() -> Path:
    """Beside the hand tracker's networks: $EDGEKIT_CACHE/studio, by default ~/.cache/edgekit/studio."""
    return networks_folder().parent / "studio"


def find_asset(name: str, folder: StrPath | None = None) -> Path:
    """The path of one of `FILES`. Raises ModelFileError with what to do where it is missing or another file."""
    path = _folder(folder) / name
    state = _state(path)
    if state != "ready":
        raise ModelFileError(f"{path}: {state}; run `{SETUP}` once")
    return path


def find_paper(name: str, folder: StrPath | None = None) -> Path:
    """The path of one of `PAPERS`. Raises ModelFileError."""
    path = _folder(folder) / name
    if not path.is_file():
        raise ModelFileError(f"{path}: missing; run `{SETUP}` once")
    return path


def assets_state(folder: StrPath | None = None) -> dict[str, Any]:
    """What is there and what is missing, JSON-ready."""
    version, _ = locked()
    listed = [
        {"name": name, "state": _state(_folder(folder) / name), "path": str(_folder(folder) / name), "sha256": sha256}
        for name, sha256 in FILES.items()
    ]
    papers = all((_folder(folder) / name).is_file() for name in PAPERS)
    ready = papers and all(one["state"] == "ready" for one in listed)
    return {"ready": ready, "package": PACKAGE, "version": version, "files": listed, "setup": SETUP}


def make_assets(package: StrPath | None = None, folder: StrPath | None = None) -> bool:
    """Put onnxruntime-web in place where it is not; whether anything was to be done.

    package: its .tgz, or None to let npm fetch it. Raises InputError where it can't be had or is another one; then
    nothing is written.
    """
    if assets_state(folder)["ready"]:
        return False
    papers = {name: _paper(name) for name in PAPERS}
    if package is not None:
        _unpack(Path(package), papers, _folder(folder))
        return True
    with scratch_folder("studio") as scratch:
        _unpack(_fetch(scratch), papers, _folder(folder))
    return True


def _folder(folder: StrPath | None) -> Path:
    return assets_folder() if folder is None else Path(folder)


def _state(path: Path) -> str:
    if not path.is_file():
        return "missing"
    return "ready" if sha256_file(path) == FILES[path.name] else "not the file that setup puts there"


def _paper(name: str) -> bytes:
    """A licence of ONNX Runtime, from its Python package."""
    try:
        found = distribution("onnxruntime").locate_file(f"onnxruntime/{name}")
        return Path(str(found)).read_bytes()
    except (PackageNotFoundError, OSError) as error:
        raise InputError(f"the Python package onnxruntime has no {name} to put beside {PACKAGE}: {error}") from None


def _fetch(scratch: Path) -> Path:
    """The package, fetched by npm."""
    version, _ = locked()
    request = ["pack", f"{PACKAGE}@{version}", "--ignore-scripts", "--silent"]
    elsewhere = (
        f"on a machine with npm, `npm {' '.join(request[:2])}` makes a .tgz file; bring it here and run"
        f" `{SETUP} --package FILE.tgz`"
    )
    npm = shutil.which("npm")
    if npm is None:
        raise InputError(f"npm is not here to fetch {PACKAGE} {version} with; install Node.js, or, {elsewhere}")
    command = [npm, *request, "--pack-destination", str(scratch)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=scratch)
    found = sorted(scratch.glob("*.tgz"))
    if done.returncode or not found:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["npm said nothing"]
        raise InputError(f"npm could not fetch {PACKAGE} {version} ({said[0][:200]}); try again, or, {elsewhere}")
    return found[0]


def _unpack(package: Path, papers: dict[str, bytes], folder: Path) -> None:
    """Its files and the papers into the folder, when all of them are what they should be."""
    version, integrity = locked()
    content = read_file(package, ARCHIVE)
    digest = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
    if digest != integrity:
        raise InputError(f"{package}: is not {PACKAGE} {version}: its SHA-512 is another one than the lock file has")
    with _opened(package) as archive:
        files = {name: _member(archive, package, f"package/dist/{name}") for name in FILES}
    for name, found in {**papers, **files}.items():
        if name in FILES and sha256_bytes(found) != FILES[name]:
            raise InputError(f"{package}: {name} in it is another file")
    for name, found in {**papers, **files}.items():
        write_bytes(folder / name, found)


@contextlib.contextmanager
def _opened(package: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(package) as archive:
            yield archive
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InputError(f"{package}: can't be unpacked: {reason(error)}") from None


def _member(archive: tarfile.TarFile, package: Path, name: str) -> bytes:
    try:
        file = archive.extractfile(name)
    except KeyError:
        file = None
    if file is None:
        raise InputError(f"{package}: has no {os.path.basename(name)}")  # noqa: PTH119
    return file.read()
