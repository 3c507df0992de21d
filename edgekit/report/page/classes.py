"""Accuracy by class, and which class was taken for which."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgekit.evaluate import Metrics
from edgekit.report.evaluation import confused_text
from edgekit.report.page.document import Section
from edgekit.report.page.drawing import bar
from edgekit.report.page.markup import Content, Html, tag
from edgekit.report.page.parts import capital, notes, scrolling, table
from edgekit.report.tables import count, percent

#: Classes of which every pair has its cell; a larger matrix is nothing that anybody reads.
MOST_CELLS = 40
#: Steps of the matrix's shade, by the part of a row.
SHADES = 5


def classes_section(metrics: Metrics, where: str, lines: Iterable[Content]) -> Section:
    """where: which takes they are, as `1,350 test takes of signs.npz`. lines: what keeps the accuracy from being taken
    at its word."""
    low, high = metrics.interval
    lead = (
        f"{percent(metrics.accuracy)} of {where} were read right (95 % interval {100 * low:.1f} to {100 * high:.1f})."
        f" {capital(confused_text(metrics.class_names, metrics.confusion.tolist()))}."
    )
    unknown = ", ".join(metrics.excluded_classes)
    left_out = f"{count(metrics.excluded)} takes of classes that the model does not know were left out: {unknown}."
    said = [*lines, *([left_out] if metrics.excluded else [])]
    return Section(
        "classes", "Accuracy by class", [notes(said), _by_class(metrics, where), _matrix(metrics, where)], lead
    )


def _by_class(metrics: Metrics, where: str) -> Html:
    """The weakest first: that is where there is something to do."""
    ordered = sorted(metrics.per_class.items(), key=lambda item: (item[1].support == 0, item[1].recall))
    rows: list[Sequence[Content]] = [
        [
            name,
            bar(row.recall, f"{percent(row.recall)} read right"),
            _known(row.support, row.recall),
            percent(row.precision),
            _known(row.support, row.f1),
            count(row.support),
        ]
        for name, row in ordered
    ]
    mean = metrics.macro
    rows.append(
        ["mean of classes", "", percent(mean.recall), percent(mean.precision), percent(mean.f1), count(mean.support)]
    )
    headers = ("class", "read right", "recall", "precision", "F1", "takes")
    return table(headers, rows, f"Each class on {where}, the weakest first", also=(1,), class_="classes")


def _known(takes: int, ratio: float) -> str:
    return percent(ratio) if takes else "-"


def _matrix(metrics: Metrics, where: str) -> Content:
    names, confusion = metrics.class_names, metrics.confusion.tolist()
    if len(names) > MOST_CELLS:
        return tag(
            "p",
            f"A confusion matrix of {len(names)} classes is too large to be read here; edgekit evaluate --json has it.",
        )
    caption = f"Confusion matrix of {where}: a row is the true class, a column what it was read as"
    head = [
        tag("th", "true \\ read as", scope="col", class_="corner"),
        *(tag("th", tag("span", name), scope="col") for name in names),
    ]
    rows = (
        tag("tr", tag("th", name, scope="row"), _cells(row, k))
        for k, (name, row) in enumerate(zip(names, confusion, strict=True))
    )
    long = any(len(name) > 2 for name in names)
    shown = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", head)),
        tag("tbody", rows),
        class_=f"matrix{' long' if long else ''}",
    )
    return [tag("h3", "Confusion matrix"), scrolling(shown, caption)]


def _cells(row: Sequence[int], true: int) -> Iterable[Html]:
    """Counts of takes, shaded by the part of the row that they are; empty for none."""
    whole = sum(row)
    for predicted, takes in enumerate(row):
        if not takes:
            yield tag("td")
        else:
            shade = max(1, round(SHADES * takes / whole))
            yield tag("td", str(takes), class_=f"{'hit' if predicted == true else 'miss'}{shade}")
