"""edgekit hands"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgekit.cli import options as o
from edgekit.cli.common import emit
from edgekit.cli.declaring import command


@click.group()
def hands() -> None:
    """Make the networks of the hand tracker, or see whether they are there."""


@command(o.WHEEL, o.JSON, o.QUIET)
def setup(wheel: Path | None, as_json: bool, quiet: bool) -> int:
    """Make the hand tracker's two networks, once.

    They are MediaPipe's, by Google (Apache-2.0). pip downloads the wheel of mediapipe 0.10.14, 36 MB, from wherever it
    is set up to; two files of it become ONNX files in $EDGEKIT_CACHE/hands, by default ~/.cache/edgekit/hands, 8 MB,
    with their licence and a card beside them. The wheel is checked, unzipped and never imported, so any Python and any
    processor will do. What is there is not made again.

    \b
    Example:
      edgekit hands setup
      edgekit hands setup --wheel FILE.whl
    """
    from edgekit.cli.following import Following
    from edgekit.hands import make_networks

    with Following(quiet=quiet) as following:

        def watch(done: int, whole: int) -> None:
            following.at(f"  mediapipe: {done / 1e6:.0f} of {whole / 1e6:.0f} MB", done / whole)

        made = make_networks(wheel, watch=watch)
    return _told(made, as_json)


@command(o.JSON)
def status(as_json: bool) -> int:
    """Say where the hand tracker's networks are, and whether they are what they should be.

    Exit code 2 if one is missing or another file.

    \b
    Example:
      edgekit hands status
    """
    return _told([], as_json)


for one in (setup, status):
    hands.add_command(one)


def _told(made: list[str], as_json: bool) -> int:
    from edgekit.hands import tracker_state

    state: dict[str, Any] = tracker_state()
    emit(as_json, {**state, "made": made}, lambda: "\n".join(_lines(state, made)))
    return 0 if state["ready"] else 2


def _lines(state: dict[str, Any], made: list[str]) -> list[str]:
    lines = []
    for network in state["networks"]:
        lines.append(f"{network['name']}: {'made' if network['name'] in made else network['state']}")
        lines.append(f"  file    {network['path']}\n  SHA-256 {network['sha256']}")
        lines.append(f"  from    {network['member']} of mediapipe {state['version']}, Apache-2.0")
    lines.append(f"licence and card: {' and '.join(state['papers'].values()) if state['papers'] else 'missing'}")
    lines += [] if state["ready"] and state["papers"] else [f"run `{state['setup']}`"]
    return lines
