"""Short results as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from edgekit.profiles import Profile
from edgekit.report.chain import SYNTHETIC
from edgekit.report.tables import count, pairs, percent, table


def stage_text(verb: str, record: Mapping[str, Any]) -> str:
    """What a training stage made."""
    metrics = record["metrics"]
    made = next(path for path in record["outputs"] if path.endswith(".safetensors"))
    lines = [
        f"{verb}: {made} ({count(metrics['parameters'])} parameters), best epoch {metrics['best_epoch']} of"
        f" {metrics['epochs']}",
        f"validation accuracy {percent(metrics['val_accuracy'])} on {metrics['data']['validation']} takes (optimistic:"
        " recorded back to back with training takes)",
    ]
    if "sparsity" in metrics:
        lines.insert(
            1,
            f"{count(metrics['parameters_before'])} to {count(metrics['parameters_after'])} parameters"
            f" ({percent(metrics['sparsity'])} removed); hidden {metrics['hidden_sizes']}, dense {metrics['dense']}",
        )
    return "\n".join([*lines, f"note: {SYNTHETIC}"] if metrics["data"]["synthetic"] else lines)


def evaluation_text(evaluation: Mapping[str, Any]) -> str:
    """Accuracy, then one row a class."""
    rows = [
        [name, percent(row["precision"]), percent(row["recall"]), percent(row["f1"]), str(row["support"])]
        for name, row in evaluation["per_class"].items()
    ]
    lines = [
        f"{evaluation['model']} on {evaluation['data']}, part {evaluation['part']}",
        f"accuracy {percent(evaluation['accuracy'])} on {count(evaluation['takes'])} takes",
    ]
    if evaluation["synthetic"]:
        lines.append(f"note: {SYNTHETIC}")
    if evaluation["excluded"]:
        names = ", ".join(evaluation["excluded_classes"])
        lines.append(f"{evaluation['excluded']} takes left out: the model does not know {names}")
    return "\n".join([*lines, table(["class", "precision", "recall", "F1", "takes"], rows)])


def predictions_text(predictions: Sequence[Mapping[str, Any]]) -> str:
    """`source take label probability` a line."""
    rows = [[p["source"], str(p["take"]), p["label"], f"{p['probability']:.3f}"] for p in predictions]
    return table(["recordings", "take", "label", "probability"], rows)


def pairs_text(values: Mapping[str, Any]) -> str:
    """One `name value` a line."""
    return pairs((name, "unknown" if value is None else str(value)) for name, value in values.items())


def settings_text(tree: Mapping[str, Any]) -> str:
    """YAML; what is no section stands in a comment, so that --config accepts it."""
    sections = {name: value for name, value in tree.items() if isinstance(value, Mapping)}
    said = ", ".join(f"{name} {value}" for name, value in tree.items() if name not in sections)
    return f"# {said}\n" + yaml.safe_dump(sections, sort_keys=False).rstrip()


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
            [name, str(fact.value), fact.source + ("" if fact.verified else "  [UNVERIFIED]")] for name, fact in facts
        ]
        parts.append(table([board.name, "value", "source"], rows, left=3))
    return "\n\n".join(parts)
