"""What was recorded, as text."""

from __future__ import annotations

from edgekit.data.remarks import counted
from edgekit.results import RecordResult


def record_text(result: RecordResult) -> str:
    """What `edgekit record` did, and what is missing."""
    who = f"by {result.signer}, " if result.signer else ""
    each = ", ".join(f"{label} {number}" for label, number in result.takes.items())
    lines = [
        f"{result.path}: {counted(result.recorded, 'take')} recorded, {result.thrown} thrown away",
        f"{who}{result.session}: {each}; wanted {result.wanted} of each, {result.missing} missing",
    ]
    if result.missing:
        lines.append("the same command goes on with what is missing")
    return "\n".join(lines)
