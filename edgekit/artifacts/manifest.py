"""The work directory's memory: `manifest.json`."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.artifacts.strict_json import parse_json
from edgekit.artifacts.writing import write_json
from edgekit.errors import StateError
from edgekit.reading import FileKind, StrPath, parsing, read_text

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
#: Of a work directory in which nothing was done.
EMPTY: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "options": {}, "stages": {}}
#: Keys that an older edgekit wrote, to those of today, and where they stand.
RENAMED: Mapping[str, str] = {"device": "accelerator", "devices": "accelerators"}
RENAMED_IN = (
    ("options",),
    ("hardware", "*", "asked"),
    ("hardware", "*", "chosen"),
    ("stages", "*", "metrics", "hardware"),
)
#: That of a whole job has some 100 KB.
KIND = FileKind("a manifest of edgekit", StateError, 64_000_000, "it is damaged: move it away to start over")


def read_manifest(workdir: StrPath) -> dict[str, Any]:
    """The work directory's manifest, or an empty one. Raises StateError when it is damaged or from a newer edgekit."""
    workdir = Path(workdir)
    path = workdir / MANIFEST
    if not path.exists() and not path.is_symlink():
        return copy.deepcopy(EMPTY)
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
    return {**copy.deepcopy(EMPTY), **_in_todays_words(manifest)}


def _in_todays_words(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest in which an older edgekit may have called an accelerator a device."""
    changed = dict(manifest)
    for path in RENAMED_IN:
        _rename(changed, path)
    return changed


def _rename(tree: Any, path: tuple[str, ...]) -> None:
    """Gives the keys of the tree at `path`, in which * stands for every key, their names of today, in place."""
    if not isinstance(tree, dict):
        return
    if not path:
        for old, new in RENAMED.items():
            if old in tree:
                tree.setdefault(new, tree.pop(old))
        return
    for key in list(tree) if path[0] == "*" else [path[0]]:
        _rename(tree.get(key), path[1:])


def write_manifest(workdir: StrPath, manifest: Mapping[str, Any]) -> None:
    """Replace the manifest atomically."""
    workdir = Path(workdir)
    write_json(workdir / MANIFEST, manifest)
