"""What `edgekit data check` finds in the takes, by take, in words for the page."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from edgekit.data import Recordings, check_recordings
from edgekit.studio.takes import keys_of


def findings_of(recordings: Recordings | None) -> dict[str, Any]:
    """takes: by key, what is wrong with each. warnings, notes: of all, as `data check` has them."""
    if recordings is None:
        return {"takes": {}, "warnings": [], "notes": []}
    report, keys = check_recordings(recordings), keys_of(recordings)
    found: defaultdict[str, list[str]] = defaultdict(list)
    for takes, words in (
        (report.empty_takes, "no hand in any frame"),
        (report.sparse_takes, "no hand in more than half of the frames"),
        (report.ends_without_hand, "the last frame has no hand"),
        (report.frozen_takes, "the hand does not move: the same numbers in most frames"),
    ):
        for take in takes:
            found[keys[take]].append(words)
    for group in report.duplicates:
        for take in group:
            found[keys[take]].append("the same numbers as another take")
    for wrong in report.mislabels:
        found[keys[wrong.take]].append(f"looks like {wrong.looks_like}")
    return {"takes": dict(found), "warnings": [*report.refusals, *report.warnings], "notes": list(report.notes)}
