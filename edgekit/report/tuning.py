"""What tuning found, best first, and how much of it is noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from edgekit.report.chain import SYNTHETIC, length_text
from edgekit.report.tables import count, percent, table

#: Trials that are shown; JSON has them all.
SHOWN = 15


class Tuned(Protocol):
    """What is shown: `edgekit.jobs.TuneResult`."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""


def duration(seconds: float) -> str:
    """`12 s`, `4 min`, `2.5 h`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def trial_line(trial: Mapping[str, Any], number: int, size: int, best: float | None, left_s: float, folds: int) -> str:
    """One finished trial while the study runs."""
    point = trial["point"]
    values = (
        f"hidden {point['hidden_size']}, layers {point['num_layers']}, dropout {point['dropout']},"
        f" rate {point['learning_rate']:g}"
    )
    ended = {
        "finished": lambda: percent(trial["accuracy"]),
        "pruned": lambda: f"stopped after fold {len(trial['accuracies'])} of {folds} ({percent(trial['accuracy'])})",
        "failed": lambda: f"failed: {trial['error']}",
    }[trial["state"]]()
    so_far = "" if best is None else f"; best {percent(best)}"
    return f"{number}/{size}  {values}: {ended}{so_far}; left {duration(left_s)}"


def tuning_text(result: Tuned) -> str:
    """The table and what to make of it."""
    content = result.to_dict()
    trials = content["trials"]
    lines = [_table(trials[:SHOWN]), *_notes(content)]
    return "\n".join(lines)


def _table(trials: list[dict[str, Any]]) -> str:
    headers = ["hidden", "layers", "dropout", "rate", "accuracy", "over folds", "parameters", "time", "state"]
    return table(headers, [_row(trial) for trial in trials], left=0)


def _row(trial: Mapping[str, Any]) -> list[str]:
    point, folds = trial["point"], trial["accuracies"]
    return [
        str(point["hidden_size"]),
        str(point["num_layers"]),
        str(point["dropout"]),
        f"{point['learning_rate']:g}",
        percent(trial["accuracy"]) if folds else "-",
        f"{100 * min(folds):.1f} to {100 * max(folds):.1f}" if folds else "-",
        count(trial["parameters"]),
        duration(trial["elapsed_s"]),
        "stopped" if trial["state"] == "pruned" else trial["state"],
    ]


def _notes(content: Mapping[str, Any]) -> list[str]:
    states = content["states"]
    tried = sum(states.values())
    lines = [
        f"{tried} of {content['size']} points: {states['finished']} finished, {states['pruned']} stopped"
        f" ({percent(content['saved_folds_ratio'])} of the folds saved), {states['failed']} failed",
        f"accuracy: mean over {content['rule']}; {content['variant']}, {content['epochs']} epochs, the last one scored;"
        " the test takes were not used",
    ]
    if "sequence_length" in content["data"]:
        lines.append(f"sequences: {length_text(content['data'])}")
    if tried > SHOWN:
        lines.append(f"shown: the first {SHOWN}; --json has all")
    lines += _noise(content)
    if content["data"]["synthetic"]:
        lines.append(f"Note: {SYNTHETIC}")
    if content["best_file"]:
        lines.append(f"Best point: {content['train_command']}")
    else:
        lines.append("No trial finished: there is no best point")
    return lines


def _close(others: int) -> str:
    if not others:
        return "no other point is that close to the best"
    return f"{others} other point{'s are' if others > 1 else ' is'} that close to the best: choose the smallest of them"


def _noise(content: Mapping[str, Any]) -> list[str]:
    noise = content["noise"]
    if noise is None:
        return []
    finished = [trial["accuracy"] for trial in content["trials"] if trial["state"] == "finished"]
    close = sum(finished[0] - accuracy <= noise for accuracy in finished) - 1
    return [
        f"noise: a mean has a standard error of {100 * noise:.1f} points over the folds (which share training takes, so"
        f" it is a guide); {_close(close)}"
    ]
