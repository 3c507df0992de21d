"""`python -m edgekit.hands setup [--wheel FILE.whl]` makes the networks, `status` says whether they are there."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edgekit.errors import EdgekitError
from edgekit.hands.networks import NETWORKS, VERSION, make_networks, networks_folder, state_of


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0 where both networks are ready, 2 where they are not."""
    parser = argparse.ArgumentParser("python -m edgekit.hands", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    setup = commands.add_parser("setup", help="make the networks in the cache")
    setup.add_argument("--wheel", type=Path, help=f"the wheel of mediapipe {VERSION}, instead of pip's download")
    commands.add_parser("status", help="where they are, and whether they are what they should be")
    given = parser.parse_args(arguments)
    try:
        made = make_networks(given.wheel) if given.command == "setup" else []
    except (EdgekitError, OSError) as error:
        print(f"edgekit: error: {error}", file=sys.stderr)
        return 2
    return _told(made)


def _told(made: list[str]) -> int:
    states = {network: state_of(network) for network in NETWORKS}
    for network, state in states.items():
        print(f"{network.name}: {'made' if network.name in made else state}")
        print(f"  file    {networks_folder() / network.name}.onnx\n  SHA-256 {network.made_sha256}")
        print(f"  from    {network.member} of mediapipe {VERSION}\n  SHA-256 {network.sha256}")
    return 0 if all(state == "ready" for state in states.values()) else 2


if __name__ == "__main__":
    sys.exit(main())
