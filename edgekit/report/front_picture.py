"""The front of a search as a picture. matplotlib, of the extra `train`, is imported when one is drawn."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgekit.artifacts import write_bytes
from edgekit.reading import StrPath
from edgekit.report.chain import SYNTHETIC
from edgekit.report.tables import percent
from edgekit.results.searching import SearchedModel, SearchResult

#: One colour for what is on the front, one for what is not, one for the row that is taken.
FRONT, OTHERS, TAKEN = "#1f5fa8", "#b8bec6", "#d1495b"
#: Where costs differ by more than this factor, their axis is logarithmic.
WIDE = 8.0
MARKERS = ("o", "s", "^", "D", "v")


def draw_front(result: SearchResult, path: StrPath) -> Path:
    """Write accuracy over file size and over latency, every file a mark and the front numbered, to `path`, .png
    or .svg; returns that."""
    import matplotlib

    path = Path(path)
    with matplotlib.rc_context({"font.family": "DejaVu Sans", "font.size": 9, "svg.fonttype": "none"}):
        content = io.BytesIO()
        _figure(result).savefig(content, format=path.suffix[1:], dpi=110)
    return write_bytes(path, content.getvalue())


def _figure(result: SearchResult) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, sharey=True)
    _panel(left, result, lambda model: model.size_bytes / 1e3, "file, KB")
    _panel(right, result, lambda model: 1e3 * result.latencies_s[model.name], "p50 on this host, ms, all in turns")
    left.set_ylabel("accuracy on validation takes, %")
    left.legend(loc="lower right", frameon=False, fontsize=8)
    figure.suptitle(_title(result), x=0.01, ha="left", fontsize=9)
    return figure


def _panel(axes: Any, result: SearchResult, cost: Callable[[SearchedModel], float], name: str) -> None:
    rows = {row.model.name: row.number for row in result.front}
    shown = [model for model in result.models if model.name in result.latencies_s]
    for marker, scheme in zip(MARKERS, sorted({model.recipe.scheme for model in shown}), strict=False):
        own = [model for model in shown if model.recipe.scheme == scheme]
        colours = [_colour(rows.get(model.name), result.chosen) for model in own]
        points = [(cost(model), 100 * model.accuracy) for model in own]
        axes.scatter(*zip(*points, strict=True), c=colours, marker=marker, s=36, zorder=3, label=scheme)
    _number(axes, [model for model in shown if model.name in rows], rows, cost)
    if result.min_accuracy is not None:
        axes.axhline(100 * result.min_accuracy, color="#555555", linewidth=0.9, linestyle="--", zorder=2)
    axes.set_xlabel(name)
    costs = [cost(model) for model in shown]
    if max(costs) > WIDE * min(costs):
        _widen(axes)
    axes.grid(True, color="#e6e8eb", linewidth=0.6, zorder=0)
    axes.spines[["top", "right"]].set_visible(False)


def _widen(axes: Any) -> None:
    """A logarithmic axis with numbers as people write them."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0, 7.0), numticks=12))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(LogLocator(subs=(), numticks=1))


def _colour(number: int | None, chosen: int | None) -> str:
    if number is None:
        return OTHERS
    return TAKEN if number == chosen else FRONT


def _number(
    axes: Any, models: Sequence[SearchedModel], rows: dict[str, int], cost: Callable[[SearchedModel], float]
) -> None:
    for model in models:
        place = (cost(model), 100 * model.accuracy)
        axes.annotate(str(rows[model.name]), place, xytext=(5, 4), textcoords="offset points", fontsize=8, zorder=4)


def _title(result: SearchResult) -> str:
    lines = [
        f"{Path(result.data.source).name}: {len(result.models)} files, {len(result.front)} on the front (numbered)"
    ]
    if result.chosen is not None:
        row = result.front[result.chosen - 1]
        lines.append(f"taken (red): row {row.number}, {row.model.describe()}, {percent(row.model.accuracy)}")
    return "\n".join([*lines, SYNTHETIC] if result.data.synthetic else lines)
