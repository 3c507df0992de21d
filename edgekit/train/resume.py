"""Resume files that carry a checksum: what was damaged, cut or changed is noticed before a run goes on from it.

A file is a Lightning checkpoint, which is plain data, and behind it 80 bytes: MARK and the checkpoint's SHA-256.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

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
