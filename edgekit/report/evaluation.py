"""An evaluation as text for people. JSON comes from the evaluation's own `to_dict`."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.evaluate import Evaluation, Metrics, Silence
from edgekit.report.chain import SYNTHETIC
from edgekit.report.tables import WIDTH, count, percent, table

#: Pairs of classes that are named as confused.
MOST_CONFUSED = 8


def evaluation_text(evaluation: Evaluation) -> str:
    """Accuracy, one row a class, what was taken for what, and the confusion matrix where it fits the page."""
    metrics = evaluation.metrics
    low, high = metrics.interval
    lines = [
        f"{evaluation.model} on {evaluation.data}, part {evaluation.part}",
        f"accuracy {percent(metrics.accuracy)} on {count(metrics.takes)} takes"
        f" (95 % interval {100 * low:.1f} to {100 * high:.1f})",
        *(f"note: {note}" for note in evaluation.notes if note != evaluation.shipped),  # which stderr has
    ]
    if evaluation.synthetic:
        lines.append(f"note: {SYNTHETIC}")
    if evaluation.takes_cut:
        frames, cut = evaluation.sequence_length, count(evaluation.takes_cut)
        lines.append(f"note: takes longer than the model's {frames} frames: {cut}; their ends were not read")
    if metrics.excluded:
        names = ", ".join(metrics.excluded_classes)
        lines.append(f"{metrics.excluded} takes left out: the model does not know {names}")
    lines += silence_lines(evaluation.silence)
    lines.append(table(CLASS_HEADERS, class_rows(metrics)))
    confusion: list[list[int]] = metrics.confusion.tolist()
    matrix = confusion_matrix(metrics.class_names, confusion)
    drawn = [f"confusion matrix drawn: {evaluation.picture}"] if evaluation.picture else []
    return "\n".join([*lines, confused_text(metrics.class_names, confusion), *([matrix] if matrix else []), *drawn])


def silence_lines(found: Silence) -> list[str]:
    """How often the file says that nobody signs; accuracy counts its nearest class. Nothing where it never does."""
    lines = []
    if found.silent:
        lines.append(
            f"no sign: said of {count(found.silent)} takes, {count(found.lost)} of them with the right class nearest;"
            " the accuracy counts the nearest class"
        )
    if found.others_silent:
        lines.append(f"no sign: said of {count(found.others_silent)} of {count(found.others)} takes left out")
    return lines


CLASS_HEADERS = ("class", "precision", "recall", "F1", "takes")


def class_rows(metrics: Metrics) -> list[list[str]]:
    """One row a class, and their means."""
    named = {**metrics.per_class, "mean of classes": metrics.macro}
    return [
        [name, percent(row.precision), percent(row.recall), percent(row.f1), str(row.support)]
        for name, row in named.items()
    ]


def confused_text(names: Sequence[str], confusion: Sequence[Sequence[int]]) -> str:
    """`most confused: M as N (12), ...`; names[k] is class k, confusion[true][predicted] counts takes."""
    wrong = [
        (takes, names[true], names[predicted])
        for true, row in enumerate(confusion)
        for predicted, takes in enumerate(row)
        if takes and true != predicted
    ]
    if not wrong:
        return "no take was taken for another class"
    worst = sorted(wrong, key=lambda item: -item[0])[:MOST_CONFUSED]
    shown = ", ".join(f"{true} as {predicted} ({takes})" for takes, true, predicted in worst)
    more = len(wrong) - len(worst)
    return f"most confused: {shown}" + (f"; {more} other pairs less often" if more else "")


def confusion_matrix(names: Sequence[str], confusion: Sequence[Sequence[int]]) -> str:
    """Rows are true classes, columns predicted ones, a dot is no take; "" where it is wider than the page.

    Columns are headed by their names where these are short, else by the numbers that stand before the rows' names.
    """
    numbers = [str(k + 1) for k in range(len(names))]
    short = max(map(len, names)) <= 2
    heads = list(names) if short else numbers
    titles = list(names) if short else [f"{number} {name}" for number, name in zip(numbers, names, strict=True)]
    cells = [[str(takes) if takes else "\u00b7" for takes in row] for row in confusion]
    left = max(map(len, titles))
    wide = 1 + max(len(text) for row in (heads, *cells) for text in row)
    if left + wide * len(names) > WIDTH:
        return ""
    lines = ["confusion matrix: row the true class, column the predicted one", ""]
    for title, row in zip(("", *titles), (heads, *cells), strict=True):
        lines.append(f"{title:<{left}}" + "".join(f"{text:>{wide}}" for text in row))
    return "\n".join(lines)
