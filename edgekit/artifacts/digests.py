"""SHA-256 of bytes, files, folders and settings."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from edgekit.reading import StrPath


def sha256_bytes(content: bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: StrPath) -> str:
    """Hex digest of a file, or of a folder: of the names and digests of all files below it."""
    path = Path(path)
    if path.is_dir():
        lines = [f"{p.relative_to(path)} {sha256_file(p)}" for p in sorted(path.rglob("*")) if p.is_file()]
        return sha256_bytes("\n".join(lines).encode(errors="surrogateescape"))
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def fingerprint(content: Any) -> str:
    """Hex digest of JSON-ready content, independent of key order. Raises ValueError for NaN."""
    return sha256_bytes(json.dumps(content, sort_keys=True, default=str, allow_nan=False).encode())
