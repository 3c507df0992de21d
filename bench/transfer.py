"""How far the transfer model is off networks that it was not fitted on: each published one left out in turn.

    python bench/transfer.py

Prints, for each board, the error of the estimate (median and largest) and how many of the left-out networks the band of
the others holds. Instructions and latencies are those of `edgekit/device/calibration.json`: others measured the latter,
on boards; nothing is measured here, and it takes a second.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.device.transfer import MARGIN_RATIO, Published, likely_rate, published

ROOT = Path(__file__).resolve().parents[1]


def left_out(networks: Sequence[Published]) -> dict[str, Any]:
    """Of one board: errors of the estimate as ratios, by network, and how many latencies lie in the others' band."""
    errors, inside, inside_plain = {}, 0, 0
    for one in networks:
        others = [each for each in networks if each is not one]
        guess_s = one.instructions / (likely_rate(others) * one.clock_hz)
        errors[one.network] = guess_s / one.latency_s - 1
        found = [each.ipc for each in others]
        inside += min(found) * MARGIN_RATIO <= one.ipc <= max(found) / MARGIN_RATIO
        inside_plain += min(found) <= one.ipc <= max(found)
    sizes = [abs(error) for error in errors.values()]
    return {
        "networks": len(networks),
        "likely_ipc": round(likely_rate(networks), 3),
        "median_error_ratio": round(statistics.median(sizes), 4),
        "largest_error_ratio": round(max(sizes), 4),
        "in_band": inside,
        "in_band_without_margin": inside_plain,
        "errors": {name: round(error, 4) for name, error in errors.items()},
    }


def all_boards() -> dict[str, dict[str, Any]]:
    """Board to its errors."""
    names = dict.fromkeys(each.board for each in published())
    return {name: left_out([each for each in published() if each.board == name]) for name in names}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path, help="a JSON file to write")
    given = parser.parse_args()
    found = all_boards()
    for board, one in found.items():
        median, largest = (100 * one[f"{name}_error_ratio"] for name in ("median", "largest"))
        inside = f"{one['in_band']} of {one['networks']} in the band"
        print(f"{board:24} median {median:.1f} %, largest {largest:.0f} %, {inside}")
    if given.results:
        given.results.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
