"""Short results as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.evaluate import NO_SIGN, Prediction
from edgekit.profiles import Profile
from edgekit.report.chain import SYNTHETIC, findings_lines, length_lines, mix_text
from edgekit.report.tables import count, pairs, percent, table
from edgekit.results import PruningFigures, StageResult, TrainingFigures

#: Classes named after training, at most.
WEAKEST = 5


def stage_text(verb: str, made: StageResult[TrainingFigures]) -> str:
    """What a stage that trains made."""
    figures, data = made.figures, made.figures.data
    weights = next(path for path in made.record.outputs if path.endswith(".safetensors"))
    lines = [
        f"{verb}: {weights} ({count(figures.parameters)} parameters), weights of epoch {figures.best_epoch} of"
        f" {figures.epochs}",
        *(_pruned_lines(figures) if isinstance(figures, PruningFigures) else []),
        f"validation accuracy {percent(figures.val_accuracy)} on {data.validation} takes (optimistic:"
        " recorded back to back with training takes)",
        *_weakest_lines(figures),
        *(f"sequences: {text}" for text in length_lines(data)),
        *(text for text in [mix_text(data)] if text),
        *findings_lines(figures.diagnosis),
    ]
    return "\n".join([*lines, f"note: {SYNTHETIC}"] if data.synthetic else lines)


def _weakest_lines(figures: TrainingFigures) -> list[str]:
    """The classes below the whole's validation accuracy, the least first."""
    by_class = figures.val_per_class.items()
    below = sorted((accuracy, name) for name, accuracy in by_class if accuracy < figures.val_accuracy)
    shown = ", ".join(f"{name} {percent(accuracy)}" for accuracy, name in below[:WEAKEST])
    more = f" and {len(below) - WEAKEST} more" if len(below) > WEAKEST else ""
    return [f"weakest classes in validation: {shown}{more}"] if below else []


def _pruned_lines(figures: PruningFigures) -> list[str]:
    return _zeros_lines(figures) if figures.method == "unstructured" else _removed_lines(figures)


def _removed_lines(figures: PruningFigures) -> list[str]:
    return [
        f"{count(figures.parameters_before)} to {count(figures.parameters_after)} parameters"
        f" ({percent(figures.sparsity)} removed); hidden {list(figures.hidden_sizes)}, dense {figures.dense}"
    ]


def _zeros_lines(figures: PruningFigures) -> list[str]:
    layers = ", ".join(f"{name} {percent(ratio)}" for name, ratio in figures.layer_zeros_ratio.items())
    return [
        f"{count(figures.zeros)} of {count(figures.parameters_after)} parameters are zero"
        f" ({percent(figures.sparsity)}, scope {figures.scope}): {layers}",
        "zeros leave the file's size and the speed as they are, only the compressed file gets smaller; for a smaller"
        " and faster model give --method structured",
    ]


def predictions_text(predictions: Sequence[Prediction]) -> str:
    """`source take label probability` a line, and whether takes were cut or have no hand."""
    rows = [
        [each.source, str(each.index), NO_SIGN if each.label is None else each.label, f"{each.probability:.3f}"]
        for each in predictions
    ]
    cut, empty = sum(each.frames_cut > 0 for each in predictions), sum(each.empty for each in predictions)
    of = f"of {count(len(rows))}"
    lines = [table(["recordings", "take", "label", "probability"], rows)]
    if cut:
        lines.append(f"note: takes longer than the model reads: {count(cut)} {of}; their ends were not read")
    if empty:
        lines.append(f"note: takes without any hand: {count(empty)} {of}")
    return "\n".join(lines)


def pairs_text(values: Mapping[str, Any]) -> str:
    """One `name value` a line."""
    return pairs((name, "unknown" if value is None else str(value)) for name, value in values.items())


def profiles_text(profiles: Sequence[Profile]) -> str:
    """One row a profile."""
    rows = [
        [
            profile.name,
            limit(profile.max_model_mb, "MB"),
            f"{limit(profile.max_latency_ms, 'ms')} (p{profile.latency_percentile:g})",
            limit(profile.max_ram_mb, "MB"),
            ", ".join(board.name for board in profile.boards),
        ]
        for profile in profiles
    ]
    return table(["profile", "model", "latency", "memory", "boards"], rows, left=5)


def limit(value: float | None, unit: str) -> str:
    """`< 10 MB`, or a dash for no limit."""
    return "-" if value is None else f"< {value:g} {unit}"


def profile_text(profile: Profile) -> str:
    """Every fact with its source; what was not looked up is marked."""
    parts = [profiles_text([profile])]
    for board in profile.boards:
        facts = [(name, getattr(board, name)) for name in type(board).model_fields if name != "name"]
        rows = [
            [name, _value(fact.value), fact.source + ("" if fact.verified else "  [UNVERIFIED]")]
            for name, fact in facts
        ]
        parts.append(table([board.name, "value", "source"], rows, left=3))
    return "\n\n".join(parts)


def _value(value: float | str) -> str:
    """`4`, `1.5`, `Cortex-A53`."""
    return value if isinstance(value, str) else f"{value:.12g}"
