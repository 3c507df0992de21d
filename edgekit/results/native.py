"""A model file compiled to C."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class CompileResult:
    """What `edgekit compile` wrote. files: names in `folder`. machine: native or wasm32. library: of the machine that
    compiled, with its variants, the fastest first, None and none where there was no C compiler; for wasm32 the module.
    compiler: its version; node: of the Node that ran a module's test, None where there was none. build_s: seconds for
    the library and the test, which ran. scheme: of the file; arithmetic: int8 or fp32, of the program. stream_bytes: of
    the struct of a stream; 0 where the model has none, because it reads takes backwards, too, and for wasm32.

    max_abs_difference: of logits from ONNX Runtime's, on made-up takes; tolerance: what was allowed. labels_changed:
    takes of these with another label.
    """

    source: Path
    folder: Path
    machine: str
    files: tuple[str, ...]
    library: Path | None
    library_bytes: int
    variants: tuple[str, ...]
    compiler: str | None
    node: str | None
    build_s: float
    layers: str
    scheme: str
    arithmetic: str
    weight_bytes: int
    context_bytes: int
    stream_bytes: int
    takes: int
    max_abs_difference: float
    tolerance: float
    labels_changed: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        library = None if self.library is None else str(self.library)
        found = {**vars(self), "source": str(self.source), "folder": str(self.folder), "library": library}
        return {"schema_version": 1, **found, "files": list(self.files), "variants": list(self.variants)}
