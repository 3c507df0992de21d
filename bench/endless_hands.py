"""How fast new synthetic people are made for the epochs of a training: takes a second of CPU time on one core.

    OMP_NUM_THREADS=1 python bench/endless_hands.py --frames 30 60 --classes 26 3

frames: read of each take. classes: letters that are signed. Epochs are made one after another in one thread, as the
training's background thread makes them; the median of them counts, one JSON row each.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time

from edgekit.data import Mix


def takes_per_s(mix: Mix, takes: int, frames: int, epochs: int) -> float:
    """Median over epochs, the first of which only warms up."""
    found = []
    for epoch in range(epochs + 1):
        started_s = time.thread_time()
        mix.new_takes(takes, frames, 0, epoch)
        found.append(takes / (time.thread_time() - started_s))
    return statistics.median(found[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[30, 60])
    parser.add_argument("--classes", type=int, nargs="+", default=[26, 3])
    parser.add_argument("--takes", type=int, default=2600, help="of an epoch")
    parser.add_argument("--epochs", type=int, default=5)
    args = parser.parse_args()
    for frames in args.frames:
        for classes in args.classes:
            rate = takes_per_s(Mix(tuple(range(classes))), args.takes, frames, args.epochs)
            row = {"frames": frames, "classes": classes, "takes": args.takes, "takes_per_s": round(rate)}
            print(json.dumps({**row, "machine": platform.machine()}))


if __name__ == "__main__":
    main()
