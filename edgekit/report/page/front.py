"""The Pareto front of a search: accuracy over size and over latency, every file a mark and the front numbered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from edgekit.report.page.axes import Axis, linear, logarithm
from edgekit.report.page.document import Section
from edgekit.report.page.drawing import WIDTH, Panel, dot, line, path, words
from edgekit.report.page.markup import Content, Html, tag
from edgekit.report.page.parts import figure, grid, table, verdict_mark
from edgekit.report.tables import known, milliseconds, percent, size
from edgekit.results.searching import FrontRow, SearchedModel, SearchResult

#: Costs that differ by more than this factor get a logarithmic axis.
WIDE = 8.0
_HEADERS = (
    "row",
    "student",
    "sparsity",
    "scheme",
    "accuracy",
    "95 % interval",
    "file",
    "p50 here",
    "memory",
    "verdict",
)
Cost = Callable[[SearchedModel], float]


def front_section(result: SearchResult) -> Section | None:
    """None where no file was made."""
    shown = [model for model in result.models if model.name in result.latencies_s]
    if not shown or not result.front:
        return None
    of_size = _panel(result, shown, lambda model: model.size_bytes / 1e3, "file, KB")
    of_time = _panel(result, shown, lambda model: 1e3 * result.latencies_s[model.name], "p50 on this machine, ms")
    size_figure = figure(of_size, None, "the same on every machine", "Accuracy over file size")
    time_figure = figure(of_time, "All files in turns.", "measured on this host", "Accuracy over latency")
    return Section(
        "front",
        "Pareto front",
        [grid(size_figure, time_figure), _legend(result), _table(result)],
        lead=f"{len(shown)} files were made, and no other beats {len(result.front)} of them in accuracy, size and"
        " latency together: the front, numbered from the smallest. Accuracy is that of validation takes; the best of"
        " many on the same takes is flattered.",
    )


def _panel(result: SearchResult, shown: Sequence[SearchedModel], cost: Cost, title: str) -> Html:
    numbers = {row.model.name: row.number for row in result.front}
    costs, accuracies = [cost(model) for model in shown], [100 * model.accuracy for model in shown]
    panel = Panel(_cost_axis(costs, title), _accuracy_axis(accuracies, result.min_accuracy), height=270)
    front = sorted((model for model in shown if model.name in numbers), key=cost)
    told = "; ".join(f"{numbers[m.name]}: {m.describe()}, {percent(m.accuracy)}, {cost(m):.3g} {title}" for m in front)
    marks = [
        _mark(panel, model, cost, numbers.get(model.name), result.chosen)
        for model in sorted(shown, key=lambda one: (one.name in numbers, numbers.get(one.name) == result.chosen))
    ]
    label = f"Accuracy over {title}, {len(shown)} files. The front: {told}."
    return panel.draw(label, _floor(panel, result.min_accuracy), _steps(panel, front, cost), marks)


def _cost_axis(costs: Sequence[float], title: str) -> Axis:
    if max(costs) > WIDE * min(costs) > 0:
        return logarithm(costs, title)
    room = 0.06 * (max(costs) - min(costs))
    return linear(max(min(costs) - room, 0.0), max(costs) + room, title, 6)


def _accuracy_axis(accuracies: Sequence[float], floor: float | None) -> Axis:
    held = [*accuracies, *([] if floor is None else [100 * floor])]
    room = max(0.08 * (max(held) - min(held)), 0.5)
    return linear(max(min(held) - room, 0.0), min(max(held) + room, 100.0), "accuracy on validation takes, %", 6)


def _floor(panel: Panel, floor: float | None) -> Content:
    if floor is None:
        return None
    y = panel.up(100 * floor)
    asked = words(f"asked for: {100 * floor:g} %", WIDTH - panel.right, y + 13, "limit-label", "end")
    return [line((panel.left, y), (WIDTH - panel.right, y), "limit-line"), asked]


def _steps(panel: Panel, front: Sequence[SearchedModel], cost: Cost) -> Content:
    """What the best accuracy is for no more than a cost."""
    best: list[tuple[float, float]] = []
    for model in front:
        if not best or 100 * model.accuracy > best[-1][1]:
            best.append((cost(model), 100 * model.accuracy))
    corners = [corner for (x, y), (after, _) in pairwise(best) for corner in ((x, y), (after, y))]
    points = [panel.at(*corner) for corner in [*corners, *best[-1:]]]
    return path(points, "front-line") if len(points) > 1 else None


def _mark(panel: Panel, model: SearchedModel, cost: Cost, row: int | None, chosen: int | None) -> Iterable[Html]:
    x, y = panel.at(cost(model), 100 * model.accuracy)
    hint = f"{model.describe()}: {percent(model.accuracy)}, {size(model.size_bytes)}"
    if row is None:
        yield dot(x, y, 3.2, "other-file", hint)
        return
    yield dot(x, y, 8.5, "chosen-file" if row == chosen else "front-file", f"row {row}: {hint}")
    yield words(str(row), x, y + 3.6, "file-number", "middle")


def _legend(result: SearchResult) -> Html:
    taken = (
        f" The filled one, row {result.chosen}, is what the search would take: {result.reason}."
        " Limits, latency and memory below are that file's."
    )
    shown = "" if result.chosen is None else taken
    return tag("p", f"Circles with a number are the front, dots the other files.{shown}", class_="under")


def _table(result: SearchResult) -> Html:
    rows = [_cells(row, result.chosen) for row in result.front]
    return table(_HEADERS, rows, "The front, the smallest file first", left=2)


def _cells(row: FrontRow, chosen: int | None) -> list[Content]:
    model, (low, high) = row.model, row.model.interval
    return [
        f"{row.number}{', taken' if row.number == chosen else ''}",
        model.point.describe(),
        f"{model.recipe.sparsity:g}",
        model.recipe.scheme,
        percent(model.accuracy),
        f"{100 * low:.0f} to {100 * high:.0f}",
        size(model.size_bytes),
        milliseconds(row.latency_p50_s),
        known(row.peak_rss_bytes, size),
        verdict_mark(row.verdict),
    ]
