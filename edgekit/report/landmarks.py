"""Landmarks of pictures as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekit.data.remarks import counted
from edgekit.report.tables import count
from edgekit.results import LandmarksResult

#: Names of a list that text shows.
SHOWN = 5
#: What models read; see `edgekit.hands.MODEL_RATE`.
MODEL_RATE = 30


def landmarks_text(result: LandmarksResult) -> str:
    """What `edgekit landmarks` wrote, and what it left out."""
    takes = sum(result.takes.values())
    people = f", {counted(result.signers, 'person', 'people')}" if result.signers else ""
    lines = [
        f"{result.path}: {counted(takes, 'take')} of {counted(len(result.takes), 'class', 'classes')}"
        f" ({_each(result.takes)}){people}",
        f"{_hands(result)}; {count(result.lost)} of {count(result.frames)} frames show no hand",
        f"width / height of the pictures: {_each(result.shapes, 'take')}; tracker: {result.tracker}",
        *_rates(result),
        *_left_out(result),
    ]
    if result.continued:
        lines.append(f"{counted(result.continued, 'take')} had been read by an earlier run that was interrupted")
    if result.pictures and result.seconds > 0:
        lines.append(f"{counted(result.pictures, 'picture')} read in {result.seconds:.0f} s here")
    return "\n".join(lines)


def _hands(result: LandmarksResult) -> str:
    if result.num_hands == 2:
        return "two hands a frame, L first (126 numbers)"
    return f"hands: {_each(result.hands, 'take')}, as MediaPipe names them (a right hand that a camera sees is L)"


def _rates(result: LandmarksResult) -> list[str]:
    lines = []
    if result.stills:
        lines.append(f"{counted(result.stills, 'take')} of one picture: a still, which shows no motion")
    fast = sum(n for rate, n in result.sources.items() if result.most_rate and rate > 1.1 * result.most_rate)
    if fast and result.most_rate:
        lines.append(f"{counted(fast, 'video')} faster than {result.most_rate:g} frames a second: thinned to that")
    slow = {rate: n for rate, n in result.rates.items() if 0 < rate < 0.9 * MODEL_RATE}
    for rate, number in sorted(slow.items()):
        faster = f"{MODEL_RATE / rate:.1f}".rstrip("0").rstrip(".")
        lines.append(
            f"warning: {counted(number, 'take')} of {counted(rate, 'frame')} a second, kept as they are: models read"
            f" {MODEL_RATE}, and see a motion {faster} times as fast"
            + ("; too few frames for letters that move" if rate < 10 else "")
        )
    return lines


def _left_out(result: LandmarksResult) -> list[str]:
    told = [
        ("left out, no hand in any frame", result.without_hand),
        ("left out, can't be read", result.unreadable),
        ("ended before the end that they announce, and kept", result.cut),
        ("passed over, neither video nor picture", result.others),
    ]
    return [f"{what}: {len(names)} ({_some(names)})" for what, names in told if names]


def _some(names: Sequence[str]) -> str:
    rest = f"; and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return "; ".join(names[:SHOWN]) + rest


def _each(numbers: Mapping[str, int], unit: str = "") -> str:
    first = list(numbers.items())[:30]
    shown = [f"{name} ({counted(number, unit)})" if unit else f"{name} {number}" for name, number in first]
    return ", ".join(shown) + (", ..." if len(numbers) > 30 else "")
