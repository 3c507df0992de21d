"""Resume files that carry a checksum: what was damaged, cut or changed is noticed before a run goes on from it.

A file is a Lightning checkpoint, which is plain data, and behind it 80 bytes: MARK and the checkpoint's SHA-256.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import CheckpointIO

from edgekit.artifacts import write_bytes
from edgekit.errors import StateError
from edgekit.reading import StrPath

MARK = b"\nedgekit-sha256:"


def seal(content: bytes) -> bytes:
    """`content` and its checksum."""
    return content + MARK + hashlib.sha256(content).hexdigest().encode()


def unseal(path: StrPath) -> bytes:
    """The content of a sealed file. Raises StateError, with the reason, where it is not what was written."""
    path = Path(path)
    try:
        sealed = path.read_bytes()
    except OSError as error:
        raise StateError(f"{path}: can't be read: {error.strerror or error}") from None
    content, mark, _ = sealed.rpartition(MARK)
    if not mark:
        raise StateError(f"{path}: has no checksum: it is damaged, or an older edgekit wrote it")
    if seal(content) != sealed:
        raise StateError(f"{path}: damaged: it is not what its checksum says")
    return content


class SealedFiles(CheckpointIO):
    """How Lightning writes and reads resume files."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        content = io.BytesIO()
        torch.save(checkpoint, content)
        write_bytes(path, seal(content.getvalue()))

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Plain data only, whatever `weights_only` says; on the CPU first."""
        content = io.BytesIO(unseal(Path(path)))
        loaded: dict[str, Any] = torch.load(content, map_location=map_location or "cpu", weights_only=True)
        return loaded

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)
