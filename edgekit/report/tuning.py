"""What tuning found, best first, and how much of it is noise."""

from __future__ import annotations

from edgekit.report.chain import SYNTHETIC, length_lines
from edgekit.report.tables import count, known, percent, table
from edgekit.results import TrialResult, TuneResult

#: Trials that are shown; JSON has them all.
SHOWN = 15


HOUR_S = 3600.0


def duration(seconds: float) -> str:
    """`12 s`, `4 min`, `2.5 h`, `12 days`, `3 years`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 100 * HOUR_S:
        return f"{seconds / 60:.0f} min" if seconds < HOUR_S else f"{seconds / HOUR_S:.1f} h"
    days = seconds / (24 * HOUR_S)
    return f"{days:,.0f} days" if days < 2 * 365 else f"{days / 365:,.0f} years"


def trial_line(trial: TrialResult, number: int, size: int, best: float | None, left_s: float, folds: int) -> str:
    """One finished trial while the study runs."""
    point, accuracy = trial.point, known(trial.accuracy, percent)
    values = (
        f"hidden {point.hidden_size}, layers {point.num_layers}, dropout {point.dropout}, rate {point.learning_rate:g}"
    )
    ended = {
        "finished": accuracy,
        "pruned": f"stopped after fold {len(trial.accuracies)} of {folds} ({accuracy})",
        "failed": f"failed: {trial.error}",
    }[trial.state]
    so_far = "" if best is None else f"; best {percent(best)}"
    return f"{number}/{size}  {values}: {ended}{so_far}; left {duration(left_s)}"


def tuning_text(result: TuneResult) -> str:
    """The table and what to make of it."""
    return "\n".join([_table(result.trials[:SHOWN]), *_notes(result)])


def _table(trials: tuple[TrialResult, ...]) -> str:
    headers = ["hidden", "layers", "dropout", "rate", "accuracy", "over folds", "parameters", "time", "state"]
    return table(headers, [_row(trial) for trial in trials], left=0)


def _row(trial: TrialResult) -> list[str]:
    point, folds = trial.point, trial.accuracies
    return [
        str(point.hidden_size),
        str(point.num_layers),
        str(point.dropout),
        f"{point.learning_rate:g}",
        known(trial.accuracy, percent),
        f"{100 * min(folds):.1f} to {100 * max(folds):.1f}" if folds else "-",
        count(trial.parameters),
        duration(trial.elapsed_s),
        "stopped" if trial.state == "pruned" else trial.state,
    ]


def _notes(result: TuneResult) -> list[str]:
    tried = len(result.trials)
    lines = [
        f"{tried} of {result.size} points: {result.count('finished')} finished, {result.count('pruned')} stopped"
        f" ({percent(result.saved_folds_ratio)} of the folds saved), {result.count('failed')} failed",
        f"accuracy: mean over {result.rule}; {result.variant}, {result.epochs} epochs, the last one scored;"
        " the test takes were not used",
        *(f"sequences: {text}" for text in length_lines(result.data)),
    ]
    if tried > SHOWN:
        lines.append(f"shown: the first {SHOWN}; --json has all")
    lines += _noise(result)
    if result.data.synthetic:
        lines.append(f"Note: {SYNTHETIC}")
    if result.best_file:
        lines.append(f"Best point: {result.train_command}")
    else:
        lines.append("No trial finished: there is no best point")
    return lines


def _close(others: int) -> str:
    if not others:
        return "no other point is that close to the best"
    return f"{others} other point{'s are' if others > 1 else ' is'} that close to the best: choose the smallest of them"


def _noise(result: TuneResult) -> list[str]:
    noise = result.noise
    if noise is None:
        return []
    finished = [trial.accuracy or 0.0 for trial in result.finished]
    close = sum(finished[0] - accuracy <= noise for accuracy in finished) - 1
    return [
        f"noise: a mean has a standard error of {100 * noise:.1f} points over the folds (which share training takes, so"
        f" it is a guide); {_close(close)}"
    ]
