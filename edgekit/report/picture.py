"""The confusion matrix as a picture. matplotlib, of the extra `train`, is imported when one is drawn."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.artifacts import write_bytes
from edgekit.errors import ConfigError, missing_extra
from edgekit.evaluate import Evaluation
from edgekit.reading import StrPath
from edgekit.report.chain import SYNTHETIC
from edgekit.report.tables import count, percent

FORMATS = ("png", "svg", "pdf")
#: Counts are written into the cells of matrices up to so many classes.
MOST_COUNTS = 40


def can_draw() -> bool:
    """Whether matplotlib is here."""
    return importlib.util.find_spec("matplotlib") is not None


def check_picture(path: StrPath) -> None:
    """Raises ConfigError for a suffix that is none of FORMATS, MissingExtraError without matplotlib."""
    path = Path(path)
    if path.suffix[1:].lower() not in FORMATS:
        raise ConfigError(f"--picture {path}: expected a name that ends in .{', .'.join(FORMATS)}")
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError:
        raise missing_extra("--picture", "matplotlib", "train") from None


def draw_confusion(evaluation: Evaluation, path: StrPath) -> Path:
    """Write the confusion matrix of an evaluation to `path`; returns that.

    Rows are true classes, columns predicted ones. Colours are parts of a row, so that rare classes show as well; the
    numbers are takes. Raises as `check_picture` does.
    """
    path = Path(path)
    check_picture(path)
    import matplotlib

    with matplotlib.rc_context({"font.family": "DejaVu Sans", "svg.fonttype": "none"}):
        figure = _figure(evaluation)
        content = io.BytesIO()
        figure.savefig(content, format=path.suffix[1:].lower(), dpi=110)
    return write_bytes(path, content.getvalue())


def _figure(evaluation: Evaluation) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names, takes = evaluation.metrics.class_names, evaluation.metrics.confusion
    side = min(max(4.5, 0.32 * len(names) + 1.6), 26.0)
    figure = Figure(figsize=(side + 1.3, side + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    share = takes / np.maximum(takes.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(share, cmap="Blues", vmin=0.0, vmax=1.0)
    _name_axes(axes, names)
    if len(names) <= MOST_COUNTS:
        _write_counts(axes, takes, share)
    figure.colorbar(image, ax=axes, label="part of the true class's takes", shrink=0.8)
    axes.set_title(_title(evaluation), fontsize=9, loc="left")
    return figure


def _name_axes(axes: Any, names: Sequence[str]) -> None:
    long = max(map(len, names)) > 2
    axes.set_xticks(range(len(names)), names, fontsize=8, rotation=90 if long else 0)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.tick_params(length=0)


def _write_counts(axes: Any, takes: np.ndarray[Any, Any], share: np.ndarray[Any, Any]) -> None:
    for row, column in zip(*np.nonzero(takes), strict=True):
        colour = "white" if share[row, column] > 0.5 else "black"
        axes.text(column, row, str(takes[row, column]), ha="center", va="center", fontsize=6.5, color=colour)


def _title(evaluation: Evaluation) -> str:
    metrics = evaluation.metrics
    lines = [
        f"{Path(evaluation.model).name} on {Path(evaluation.data).name}, part {evaluation.part}:"
        f" accuracy {percent(metrics.accuracy)} on {count(metrics.takes)} takes"
    ]
    return "\n".join([*lines, SYNTHETIC] if evaluation.synthetic else lines)
