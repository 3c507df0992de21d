"""What labelled takes said about a file, as lines for a bench's report."""

from __future__ import annotations

from edgekit.bench import Accuracy, Parent
from edgekit.evaluate import points_interval_text, points_text
from edgekit.report.tables import count, percent

#: What keeps an accuracy on validation takes from being the file's accuracy.
VALIDATION = "note: weights were chosen on validation takes, so their accuracy is optimistic; test takes tell"


def takes_text(accuracy: Accuracy) -> str:
    """`275 validation takes of signs.npz`: which ones, as a file has an accuracy on each part."""
    part = "takes" if accuracy.part == "all" else f"{accuracy.part} takes"
    return f"{count(accuracy.takes)} {part} of {accuracy.source}"


def accuracy_lines(accuracy: Accuracy | None) -> list[str]:
    """Accuracy on which takes; then the parent's, the flips between the two, and how far their logits are apart."""
    if accuracy is None:
        return []
    low, high = accuracy.interval
    lines = [
        f"accuracy on {takes_text(accuracy)}: {percent(accuracy.accuracy)}"
        f" (95 % interval {100 * low:.1f} to {100 * high:.1f})"
    ]
    if accuracy.part == "validation":
        lines.append(VALIDATION)
    if accuracy.synthetic:
        lines.append("note: these takes are SYNTHETIC: the accuracies say nothing about real hands")
    if accuracy.takes_cut:
        lines.append(f"note: takes longer than the file reads: {count(accuracy.takes_cut)}; their ends were not read")
    if accuracy.excluded:
        lines.append(f"{accuracy.excluded} takes left out: not known to all are {', '.join(accuracy.excluded_classes)}")
    lines += [f"note: {note}" for note in accuracy.notes]
    return lines if accuracy.parent is None else [*lines, *_parent_lines(accuracy.parent)]


def _parent_lines(parent: Parent) -> list[str]:
    flips = parent.flips
    low, high = flips.interval()
    return [
        f"parent {parent.path} on the same takes: {percent(parent.accuracy)}; {flips.lost} takes lost, {flips.gained}"
        f" gained: {points_text(flips.drop)} (95 % interval {points_interval_text(low, high)})",
        f"parity with it: logits differ by {parent.max_abs_difference:.2g} at most, {parent.mean_abs_difference:.2g} on"
        f" average; {parent.labels_changed} labels changed",
    ]
