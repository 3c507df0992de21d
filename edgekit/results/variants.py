"""What each variant of a model is, beside what the specification says of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Nominal:
    """What the specification says of a model: about so many parameters, bytes, and seconds a prediction on a CPU."""

    parameters: int
    size_bytes: int
    cpu_s: float


@dataclass(frozen=True)
class VariantFigures:
    """One variant in one or both directions, for 63 numbers and 26 classes.

    macs: of one prediction at batch 1. fp32_bytes, int8_bytes: of the ONNX files. latency_p95_s: of the fp32 file on
    this host, through ONNX Runtime, one thread; None: not measured. nominal: the specification's figures, for the
    variants that it has. default: whether the variant has these directions unless told otherwise.
    """

    name: str
    layers: str
    bidirectional: bool
    default: bool
    parameters: int
    macs: int
    fp32_bytes: int
    int8_bytes: int
    latency_p95_s: float | None
    nominal: Nominal | None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)
