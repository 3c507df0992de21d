"""Files that are whole or absent, the work directory's manifest, and its lock."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgekit.errors import StateError
from edgekit.reading import FileKind, parsing, read_text

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
MANIFEST_KIND = FileKind("a manifest", StateError, 100 * 10**6, "it is damaged; move it away to start anew")


def write_bytes(path: Path, content: bytes) -> Path:
    """Write beside `path` and rename: readers see the old file or the new one, never a part. Makes folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path


def write_json(path: Path, content: Any) -> Path:
    """`content` as indented JSON, atomically. Refuses NaN, which is no JSON."""
    return write_bytes(path, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())


def sha256_bytes(content: bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex digest of a file, or of a folder: of the names and digests of all files below it."""
    if path.is_dir():
        lines = [f"{p.relative_to(path)} {sha256_file(p)}" for p in sorted(path.rglob("*")) if p.is_file()]
        return sha256_bytes("\n".join(lines).encode())
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def fingerprint(content: Any) -> str:
    """Hex digest of JSON-ready content, independent of key order."""
    return sha256_bytes(json.dumps(content, sort_keys=True, default=str).encode())


def read_manifest(workdir: Path) -> dict[str, Any]:
    """The work directory's manifest, or an empty one. Raises StateError when it is damaged or from a newer edgekit."""
    path = workdir / MANIFEST
    empty = {"schema_version": SCHEMA_VERSION, "options": {}, "stages": {}}
    if not path.exists():
        return empty
    text = read_text(path, MANIFEST_KIND)
    with parsing(path, MANIFEST_KIND):
        manifest = json.loads(text)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("stages"), dict):
        raise StateError(f"{path}: not a manifest of edgekit; use another --workdir")
    version = manifest.get("schema_version")
    if version != SCHEMA_VERSION:
        raise StateError(
            f"{path}: schema_version {version}, this edgekit reads {SCHEMA_VERSION}; use another --workdir"
        )
    return {**empty, **manifest}


def write_manifest(workdir: Path, manifest: Mapping[str, Any]) -> None:
    """Replace the manifest atomically."""
    write_json(workdir / MANIFEST, manifest)


@contextlib.contextmanager
def lock(workdir: Path) -> Iterator[None]:
    """Hold the work directory for one process. Raises StateError at once when another holds it.

    The lock is the kernel's (flock): it goes with the process, so a crash leaves none behind. Where the system has no
    flock (Windows) nothing is locked.
    """
    try:
        import fcntl
    except ImportError:
        workdir.mkdir(parents=True, exist_ok=True)
        yield
        return
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        file = (workdir / ".lock").open("a+")
    except OSError as error:
        raise StateError(f"{workdir}: can't be used as a work directory: {error.strerror}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise StateError(f"{workdir}: in use by process {holder}; wait for it or use another --workdir") from None
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield
