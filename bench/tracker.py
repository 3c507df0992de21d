"""The hand tracker beside MediaPipe's own (0.10.14, solutions, video mode, full model), on the same PNG frames.

    python bench/tracker.py FRAMES --mediapipe-python PYTHON -o bench/results/tracker.json

    python bench/tracker.py FRAMES --smaller -o bench/results/tracker-int8.json

FRAMES: a folder of numbered PNG files of one hand. PYTHON: one where mediapipe 0.10.14 and Pillow are installed. Both
trackers run in processes of their own, one after the other, on frames already in memory; each frame is timed.
With --smaller nothing is timed and MediaPipe is not asked: edgekit quantises both networks to INT8 weights, and the
tracker's landmarks with them are compared with those without.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Read = Callable[[Any], tuple[Any, str]]


def ours() -> Read:
    from edgekit.hands import HandTracker

    tracker = HandTracker()

    def read(frame: Any) -> tuple[Any, str]:
        hands = tracker.track(frame)
        return (hands[0].landmarks, hands[0].label) if hands else (np.full((21, 3), np.nan), "")

    return read


def mediapipe() -> Read:
    import mediapipe as mp  # type: ignore[import-not-found]

    tracker = mp.solutions.hands.Hands(static_image_mode=False, max_num_hands=1, model_complexity=1)

    def read(frame: Any) -> tuple[Any, str]:
        found = tracker.process(frame)
        if not found.multi_hand_landmarks:
            return np.full((21, 3), np.nan), ""
        points = [[p.x, p.y, p.z] for p in found.multi_hand_landmarks[0].landmark]
        return np.array(points), found.multi_handedness[0].classification[0].label[0]

    return read


def run(tracker: str, folder: Path, out: Path) -> None:
    """Landmarks, labels and seconds of every frame into `out`."""
    from PIL import Image

    frames = [np.array(Image.open(path).convert("RGB")) for path in sorted(folder.glob("*.png"))]
    read = {"ours": ours, "mediapipe": mediapipe}[tracker]()
    points, labels, seconds = [], [], []
    for frame in frames:
        start = time.perf_counter()
        found, label = read(frame)
        seconds.append(time.perf_counter() - start)
        points.append(found)
        labels.append(label)
    np.savez(out, points=np.array(points), labels=np.array(labels), seconds=seconds, size=frames[0].shape[1::-1])


def compared(own: Any, other: Any) -> dict[str, Any]:
    """Distances of a frame are its worst landmark's, in pixels; frames a second from the median frame."""
    apart = np.linalg.norm((own["points"] - other["points"])[:, :, :2] * own["size"], axis=2).max(axis=1)
    both = apart[~np.isnan(apart)]
    missed = [int(np.isnan(side["points"]).any(axis=(1, 2)).sum()) for side in (own, other)]
    return {
        "frames": len(apart),
        "frames_without_a_hand": dict(zip(("edgekit", "mediapipe"), missed, strict=True)),
        "same_label": int((own["labels"] == other["labels"]).sum()),
        "worst_landmark_px": {
            "median": float(np.median(both)),
            "p95": float(np.percentile(both, 95)),
            "worst": float(both.max()),
            "worst_but_first_frame": float(np.nanmax(apart[1:])),
        },
        "depth_px_median": float(
            np.nanmedian(np.abs(own["points"] - other["points"])[:, :, 2].max(axis=1)) * own["size"][0]
        ),
        "median_frame_ms": {
            name: float(1e3 * np.median(s["seconds"])) for name, s in (("edgekit", own), ("mediapipe", other))
        },
        "frames_a_second": {
            name: float(1 / np.median(s["seconds"])) for name, s in (("edgekit", own), ("mediapipe", other))
        },
    }


def tracked(frames: list[Any], files: dict[str, Path]) -> dict[str, Any]:
    """Landmarks and labels of all frames with these files for the networks, by name."""
    import edgekit.hands.tracker as tracker

    tracker.find_network = lambda network, folder=None: files[network.name]  # whatever its SHA-256
    read = ours()
    found = [read(frame) for frame in frames]
    points, labels = np.array([one for one, _ in found]), np.array([label for _, label in found])
    return {"points": points, "labels": labels, "size": frames[0].shape[1::-1], "seconds": np.ones(len(frames))}


def smaller(folder: Path) -> dict[str, Any]:
    """How far INT8 weights move landmarks, of either network alone and of both, and how many bytes they are."""
    from PIL import Image

    from edgekit.hands import NETWORKS, find_network
    from edgekit.quantize import quantize_onnx

    frames = [np.array(Image.open(path).convert("RGB")) for path in sorted(folder.glob("*.png"))]
    whole = {network.name: find_network(network) for network in NETWORKS}
    result: dict[str, Any] = {"bytes": {name: path.stat().st_size for name, path in whole.items()}}
    with tempfile.TemporaryDirectory() as place:
        small = {name: Path(place) / path.name for name, path in whole.items()}
        for name, path in whole.items():
            quantize_onnx(path, small[name])
        result["int8_bytes"] = {name: path.stat().st_size for name, path in small.items()}
        apart = tracked(frames, whole)
        for name, files in {"both": small, **{one: {**whole, one: small[one]} for one in whole}}.items():
            told = compared(tracked(frames, files), apart)
            result[f"int8 {name}"] = {key: told[key] for key in KEPT}
    return result


KEPT = ("frames", "frames_without_a_hand", "same_label", "worst_landmark_px", "depth_px_median")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frames", type=Path)
    parser.add_argument("--mediapipe-python", default=sys.executable)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--smaller", action="store_true", help="INT8 weights beside the networks as they are")
    parser.add_argument("--only", nargs=2, metavar=("TRACKER", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        return run(given.only[0], given.frames, Path(given.only[1]))
    if given.smaller:
        return tell(smaller(given.frames), given.output)
    with tempfile.TemporaryDirectory() as folder:
        sides = []
        for tracker, python in (("ours", sys.executable), ("mediapipe", given.mediapipe_python)):
            out = Path(folder) / f"{tracker}.npz"
            subprocess.run([python, __file__, str(given.frames), "--only", tracker, str(out)], check=True)
            sides.append(dict(np.load(out)))
    result = compared(*sides) | {"machine": platform.machine(), "python": platform.python_version()}
    from edgekit.hands import NETWORKS, find_network

    result["network_bytes"] = {network.name: find_network(network).stat().st_size for network in NETWORKS}
    return tell(result, given.output)


def tell(result: dict[str, Any], output: Path | None) -> None:
    text = json.dumps(result, indent=2) + "\n"
    print(text, end="")
    if output:
        output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
