"""Lightning, imported without a trace: PyTorch would leave an empty folder, torchinductor_USER, among the temporary
files of everybody whose process imports it, though nothing is ever compiled here."""

from __future__ import annotations

import gc
import importlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_PLACE = "TORCHINDUCTOR_CACHE_DIR"


def import_lightning() -> None:
    """Import it while the folder's place is said to be one that exists; what the user says of that place holds."""
    said = _PLACE in os.environ
    os.environ.setdefault(_PLACE, tempfile.gettempdir())
    try:
        with _no_collection():
            importlib.import_module("lightning.pytorch")
    finally:
        if not said:
            del os.environ[_PLACE]


@contextmanager
def _no_collection() -> Iterator[None]:
    """A tenth of the time of such an import goes to looking for garbage among what is there to stay."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
