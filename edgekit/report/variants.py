"""The variants as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.report.tables import count, known, milliseconds, size, table
from edgekit.results import VariantFigures

HEADERS = (
    "variant",
    "layers",
    "directions",
    "parameters",
    "specified",
    "fp32",
    "specified",
    "INT8",
    "p95 here",
    "specified",
)


def variants_text(rows: Sequence[VariantFigures]) -> str:
    """One row a shape; `specified` is the specification's figure for what stands before it."""
    notes = [
        "directions: of the first layer",
        "for 63 numbers and 26 classes; specified: the specification's round figure, for a CPU that it does not name",
        "p95 here: fp32, ONNX Runtime, one thread, on this host, which is not a Raspberry Pi",
    ]
    return "\n".join([table(HEADERS, map(_cells, rows), left=3), *notes])


def _cells(row: VariantFigures) -> list[str]:
    said = row.nominal
    return [
        row.name if row.default else "",
        row.layers if row.default else "",
        "both" if row.bidirectional else "one",
        count(row.parameters),
        "-" if said is None else f"~{count(said.parameters)}",
        size(row.fp32_bytes),
        "-" if said is None else f"~{size(said.size_bytes)}",
        size(row.int8_bytes),
        known(row.latency_p95_s, milliseconds),
        "-" if said is None else milliseconds(said.cpu_s),
    ]
