"""The work directory's memory: `manifest.json`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.artifacts.strict_json import parse_json
from edgekit.artifacts.writing import write_json
from edgekit.errors import StateError
from edgekit.reading import FileKind, StrPath, parsing, read_text

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
#: That of a whole job has some 100 KB.
KIND = FileKind("a manifest of edgekit", StateError, 64_000_000, "it is damaged: move it away to start over")


def read_manifest(workdir: StrPath) -> dict[str, Any]:
    """The work directory's manifest, or an empty one. Raises StateError when it is damaged or from a newer edgekit."""
    workdir = Path(workdir)
    path = workdir / MANIFEST
    empty = {"schema_version": SCHEMA_VERSION, "options": {}, "stages": {}}
    if not path.exists() and not path.is_symlink():
        return empty
    text = read_text(path, KIND)
    with parsing(path, KIND):
        manifest = parse_json(text)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("stages"), dict):
        raise StateError(f"{path}: not a manifest of edgekit; use another --workdir")
    version = manifest.get("schema_version")
    if version != SCHEMA_VERSION:
        raise StateError(
            f"{path}: schema_version {version}, this edgekit reads {SCHEMA_VERSION}; use another --workdir"
        )
    return {**empty, **manifest}


def write_manifest(workdir: StrPath, manifest: Mapping[str, Any]) -> None:
    """Replace the manifest atomically."""
    workdir = Path(workdir)
    write_json(workdir / MANIFEST, manifest)
