"""The variants as a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.report.tables import count, known, milliseconds, size, table

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


def variants_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """One row a shape; `specified` is the specification's figure for what stands before it."""
    notes = [
        "directions: of the first layer",
        "for 63 numbers and 26 classes; specified: the specification's round figure, for a CPU that it does not name",
        "p95 here: fp32, ONNX Runtime, one thread, on this host, which is not a Raspberry Pi",
    ]
    return "\n".join([table(HEADERS, map(_cells, rows), left=3), *notes])


def _cells(row: Mapping[str, Any]) -> list[str]:
    said = row["nominal"] or {"parameters": None, "size_bytes": None, "cpu_s": None}
    return [
        row["name"] if row["default"] else "",
        row["layers"] if row["default"] else "",
        "both" if row["bidirectional"] else "one",
        count(row["parameters"]),
        known(said["parameters"], lambda number: f"~{count(number)}"),
        size(row["fp32_bytes"]),
        known(said["size_bytes"], lambda number: f"~{size(number)}"),
        size(row["int8_bytes"]),
        known(row["latency_p95_s"], milliseconds),
        known(said["cpu_s"], lambda seconds: f"{milliseconds(seconds)}"),
    ]
