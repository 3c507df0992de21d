"""What labelled takes said about a file, as lines for a bench's report."""

from __future__ import annotations

from edgekit.bench import Accuracy, Parent
from edgekit.report.tables import count, percent


def accuracy_lines(accuracy: Accuracy | None) -> list[str]:
    """Accuracy and on which takes; then the parent's, the flips between the two, and how far their logits are apart."""
    if accuracy is None:
        return []
    where = f"{count(accuracy.takes)} takes, part {accuracy.part} of {accuracy.source}"
    low, high = accuracy.interval
    lines = [f"accuracy: {percent(accuracy.accuracy)} (95 % interval {100 * low:.1f} to {100 * high:.1f}) on {where}"]
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
        f"parent {parent.path}: {percent(parent.accuracy)}; {flips.lost} takes lost, {flips.gained} gained,"
        f" drop {100 * flips.drop:.2f} points (95 % interval {100 * low:.2f} to {100 * high:.2f})",
        f"parity with it: logits differ by {parent.max_abs_difference:.2g} at most, {parent.mean_abs_difference:.2g} on"
        f" average; {parent.labels_changed} labels changed",
    ]
