"""Learning curves: loss and accuracy of every epoch, on training and validation takes, and whose weights were kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgekit.report.page.axes import linear, whole
from edgekit.report.page.document import Section
from edgekit.report.page.drawing import Panel, dot, line, path, words
from edgekit.report.page.markup import Content, Html, tag
from edgekit.report.page.parts import as_table, figure, grid, notes, table
from edgekit.report.tables import percent
from edgekit.results import LearningCurve

_STAGES = {"distill": "Student, distilled", "prune": "Pruned student, recovering"}
#: Epochs up to which each has a dot of its own.
DOTTED = 40


def learning_section(curves: Sequence[LearningCurve], lines: Iterable[str], without: Sequence[str]) -> Section | None:
    """lines: what is wrong with the runs. without: stages that have no log; None where no stage has one."""
    if not curves:
        return None
    missing = f" No whole log is left of {', '.join(without)}." if without else ""
    return Section(
        "learning",
        "Learning curves",
        [[_stage(curve) for curve in curves], notes(lines)],
        lead="Training takes as each run saw them, augmented, so training can look harder than validation."
        f" The dotted line is the epoch whose weights were kept.{missing}",
    )


def _stage(curve: LearningCurve) -> Content:
    name = _STAGES.get(curve.stage) or f"Teacher, {curve.stage.removeprefix('train ')}"
    kept = f"weights of epoch {curve.best_epoch} of {curve.epochs}"
    loss = _panel(curve, (curve.loss, curve.val_loss), "loss, nats", f"{name}: loss by epoch")
    accuracy = _panel(
        curve,
        tuple(tuple(100 * v for v in c) for c in (curve.accuracy, curve.val_accuracy)),
        "accuracy, %",
        f"{name}: accuracy by epoch",
    )
    best = percent(curve.val_accuracy[curve.best_epoch - 1])
    return [
        tag("h3", name),
        tag(
            "p",
            f"{kept[:1].upper()}{kept[1:]}, validation accuracy {best} (optimistic).",
            class_="under",
        ),
        grid(figure(loss, None), figure(accuracy, None)),
        as_table("Epochs as a table", _table(curve, name)),
    ]


def _panel(curve: LearningCurve, columns: Sequence[Sequence[float]], unit: str, label: str) -> Html:
    training, validation = columns
    highest = 100.0 if unit.startswith("accuracy") else max(*training, *validation)
    panel = Panel(whole(1, curve.epochs, "epoch"), linear(0, highest, unit, 5), height=230, top=28)
    ends = f"training {training[0]:.3g} to {training[-1]:.3g}, validation {validation[0]:.3g} to {validation[-1]:.3g}"
    kept = panel.across(curve.best_epoch)
    return panel.draw(
        f"{label} over {curve.epochs} epochs: {ends}. Weights of epoch {curve.best_epoch} were kept.",
        line((kept, panel.top), (kept, panel.up(0)), "kept-line"),
        _curve(panel, training, "training"),
        _curve(panel, validation, "validation"),
        _legend(panel),
    )


def _curve(panel: Panel, values: Sequence[float], kind: str) -> Iterable[Html]:
    points = [panel.at(epoch, value) for epoch, value in enumerate(values, 1)]
    yield path(points, f"curve {kind}")
    if len(points) <= DOTTED:
        yield from (
            dot(x, y, 2.4, f"point {kind}", f"epoch {k}: {value:.4g}")
            for k, ((x, y), value) in enumerate(zip(points, values, strict=True), 1)
        )


def _legend(panel: Panel) -> Iterable[Html]:
    for x, kind in ((panel.left, "training"), (panel.left + 92, "validation")):
        yield line((x, 12), (x + 22, 12), f"curve {kind}")
        yield words(kind, x + 28, 16, "mark-label")


def _table(curve: LearningCurve, name: str) -> Html:
    columns = (curve.loss, curve.val_loss, curve.accuracy, curve.val_accuracy)
    rows = [
        [
            f"{epoch}{' (kept)' if epoch == curve.best_epoch else ''}",
            f"{loss:.4g}",
            f"{val_loss:.4g}",
            percent(accuracy),
            percent(val),
        ]
        for epoch, (loss, val_loss, accuracy, val) in enumerate(zip(*columns, strict=True), 1)
    ]
    headers = ("epoch", "training loss", "validation loss", "training accuracy", "validation accuracy")
    return table(headers, rows, f"{name}: every epoch")
