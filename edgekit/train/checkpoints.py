"""How Lightning writes and reads resume files: sealed, see `edgekit.train.resume`."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import CheckpointIO

from edgekit.artifacts import write_bytes
from edgekit.train.resume import seal, unseal


class SealedFiles(CheckpointIO):
    """Lightning's place for resume files."""

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
