"""A step model as text."""

from __future__ import annotations

from edgekit.report.tables import count, size
from edgekit.results import StepResult


def step_text(result: StepResult) -> str:
    """What `edgekit step` wrote."""
    states = ", ".join(f"{one.name} {_shape(one.shape)}" for one in result.states)
    return "\n".join(
        [
            f"{result.path}: {size(result.size_bytes)}, from {result.source} ({size(result.source_bytes)})",
            f"{result.layers}, {result.scheme}; one frame a run",
            f"states: {states}; zeros begin a stream, and each comes out as new_NAME",
            f"proof: logits at most {result.max_abs_difference:.2g} off those of takes, on {count(result.frames)}"
            f" answers, allowed {result.tolerance:.2g}",
        ]
    )


def _shape(shape: tuple[int | str, ...]) -> str:
    return f"({', '.join(map(str, shape))})"
