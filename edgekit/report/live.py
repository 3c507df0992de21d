"""A stream as it is read, and what it came to."""

from __future__ import annotations

from edgekit.data.remarks import counted
from edgekit.live import Event
from edgekit.live.clock import MODEL_RATE, SLOWEST_RATE
from edgekit.results.live import WHOLE, Cost, LiveResult


def event_text(event: Event) -> str:
    """One event as a line of a log."""
    label = "" if event.label is None else f" {event.label}"
    sure = "" if event.probability is None or event.kind != "letter" else f" {event.probability:.2f}"
    return f"{event.time_s:8.2f} s  {event.kind}{label}{sure}"


def now_text(now: tuple[str, float] | None, hand: bool, text: str, width: int) -> str:
    """The letter now and the end of the text so far, in at most `width` characters."""
    shown = "no hand " if not hand else "        " if now is None else f"{now[0][:3]:<3} {now[1]:.2f}"
    room = max(width - len(shown) - 4, 1)
    return f"{shown} | {text[-room:]}"[:width]


def live_text(result: LiveResult) -> str:
    """The text, what was seen, and which part takes how long."""
    lines = [f"text: {result.text}" if result.text else "text: none"]
    lines.append(
        f"{result.source}: {counted(result.frames, 'frame')} in {result.stream_s:.1f} s,"
        f" {result.with_hand:,} with a hand, {counted(result.letters, 'letter')}"
    )
    costs = [_cost_text(name, cost) for name, cost in (("tracker", result.tracker), (_way(result), result.classifier))]
    lines += [cost for cost in costs if cost]
    if result.frames_per_second and result.possible_per_second:
        lines.append(
            f"{result.frames_per_second:.1f} frames a second were read, waiting included;"
            f" with a hand at most {result.possible_per_second:.0f}{_slower(result)}"
        )
    return "\n".join(lines)


def live_notes(result: LiveResult) -> list[str]:
    """What a reader of the result should know."""
    notes, rate = [], result.source_rate
    if result.with_hand and not result.letters:
        notes.append("a hand is there, and no letter was sure enough")
    if result.announced is not None and result.frames < WHOLE * result.announced and not result.interrupted:
        notes.append(
            f"{result.source}: ended after {result.frames:,} of the {result.announced:,} frames that it announces"
        )
    if rate is not None and rate < SLOWEST_RATE:
        unit = " (time_s counts seconds)" if rate < 0.5 and result.tracker is None else ""
        notes.append(
            f"{rate:.{1 if rate >= 1 else 2}f} frames a second{unit}: each was read as a held hand; letters that move"
            f" need {SLOWEST_RATE:.1f} or more"
        )
    elif rate is not None and rate > 1.2 * MODEL_RATE:
        notes.append(f"{rate:.0f} frames a second: {MODEL_RATE:.0f} of them were read, as many as models know")
    return notes


def _way(result: LiveResult) -> str:
    return "classifier, by steps" if result.steps else "classifier, by a window"


def _cost_text(name: str, cost: Cost | None) -> str:
    return "" if cost is None else f"{name}: {cost.median_ms:.2f} ms a frame (95 % below {cost.p95_ms:.2f})"


def _slower(result: LiveResult) -> str:
    if result.tracker is None or result.classifier is None:
        return ""
    tracker = result.tracker.mean_ms >= result.classifier.mean_ms
    return f", and the {'tracker' if tracker else 'classifier'} takes most of it"
