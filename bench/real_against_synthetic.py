"""Synthetic hands beside real ones: bones, joint angles, jitter, the nearest real neighbours, and a picture.

    python bench/real_against_synthetic.py LETTERS.npz --picture hands.png

Only the session that the generator was tuned on is read (`synthetic_to_real.TUNING`).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.data import (
    LANDMARKS,
    Recordings,
    SynthConfig,
    canonical_takes,
    load_recordings,
    normalise_hands,
    synthesise_hands,
)

TUNING = "2022-03-07-451940e"
FRAME = 10
LINES = ((0, 1, 5, 9, 13, 17, 0), (1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 16), (17, 18, 19, 20))
SHOWN = "ABCDEFGHIKLMNOPQRSTUVWXY"

Array = NDArray[Any]


def hands_of(recordings: Recordings, chosen: Array) -> tuple[Array, Array]:
    """Shapes (n, frames, 21, 3) in hand sizes about the wrist, right hands, and letters' labels (n,)."""
    x = normalise_hands(canonical_takes(recordings, 20)[chosen], False)
    hands = x.reshape(len(x), 20, LANDMARKS, 3)
    kept = (hands != 0).any(axis=(2, 3)).all(axis=1)
    return hands[kept], recordings.labels[chosen][kept]


def right_hands(hands: Array) -> Array:
    """Hands whose palm shows a left hand, mirrored; (n, frames, 21, 3)."""
    a, b = hands[:, FRAME, 5, :2], hands[:, FRAME, 17, :2]
    left = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0
    return hands * np.where(left[:, None], [-1.0, 1.0, 1.0], 1.0)[:, None, None]


def bone_ratios(hands: Array) -> Array:
    """Lengths of straight fingers' bones in hand sizes, of B seen from the front: (n, 4 fingers, 3 bones)."""
    fingers = hands[:, FRAME, 5:].reshape(-1, 4, 4, 3)
    ratios: Array = np.linalg.norm(np.diff(fingers, axis=2), axis=-1)
    return ratios


def joint_angles(hands: Array) -> Array:
    """Degrees between bones: (n, 4 fingers, 3 joints)."""
    fingers = hands[:, FRAME, 5:].reshape(-1, 4, 4, 3)
    bones = np.diff(np.concatenate([np.zeros_like(fingers[:, :, :1]), fingers], axis=2), axis=2)
    bones = bones / np.linalg.norm(bones, axis=-1, keepdims=True)
    angles: Array = np.degrees(np.arccos(np.clip((bones[:, :, 1:] * bones[:, :, :-1]).sum(axis=-1), -1, 1)))
    return angles


def spectrum(hands: Array) -> Array:
    """Power of the held hands' landmarks about their mean over 20 frames, in bins of 1/20 of the frame rate, summing
    to 1, of frames 1 on: the first may be stale."""
    held = hands[:, 1:] - hands[:, 1:].mean(axis=1, keepdims=True)
    power = np.square(np.abs(np.fft.rfft(held, axis=1)))[:, 1:]
    typical = np.median(power.mean(axis=(2, 3)), axis=0)
    return typical / typical.sum()


def describe(name: str, values: Array) -> str:
    """10th, 50th and 90th percentile."""
    low, middle, high = np.percentile(values, [10, 50, 90])
    return f"{name} {middle:.2f} ({low:.2f} to {high:.2f})"


def nearest(real: Array, real_labels: Array, made: Array, labels: Array) -> dict[str, float]:
    """Part of each letter's real takes whose nearest synthetic hand is of the same letter, one frame only."""
    a, b = (hands[:, FRAME].reshape(len(hands), -1) for hands in (real, made))
    distance = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2 * a @ b.T
    same = labels[distance.argmin(axis=1)] == real_labels
    return {chr(65 + k): round(float(same[real_labels == k].mean()), 2) for k in np.unique(real_labels)}


def draw(path: Path, real: tuple[Array, Array], made: tuple[Array, Array]) -> None:
    """One real hand (black) and three synthetic ones (blue) of each letter that holds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5.4), layout="constrained")
    rng = np.random.default_rng(0)
    for letter, block in zip(SHOWN, figure.subplots(6, 4).ravel(), strict=True):
        block.set_axis_off()
        block.set_aspect("equal")
        block.set_title(letter, fontsize=9, pad=0)
        for column, ((hands, labels), colour) in enumerate([(real, "black"), *[(made, "tab:blue")] * 3]):
            hand = hands[rng.choice(np.flatnonzero(labels == ord(letter) - 65)), FRAME, :, :2]
            hand = hand - (hand.min(axis=0) + hand.max(axis=0)) / 2 + [2.2 * column, 0.0]
            for line in LINES:
                block.plot(*hand[list(line)].T, color=colour, linewidth=1.0)
        block.set_ylim(1.3, -1.3)
        block.set_xlim(-1.2, 7.8)
    figure.savefig(path, dpi=90)


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("letters", type=Path)
    parser.add_argument("--people", type=int, default=150)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    recorded = load_recordings(options.letters)
    synthetic = synthesise_hands(SynthConfig(people=options.people, takes_per_letter=2, seed=77))
    real, real_labels = hands_of(recorded, recorded.session == TUNING)
    made, labels = hands_of(synthetic, np.ones(synthetic.takes, dtype=bool))
    for kind, hands, of in (("real", real, real_labels), ("synthetic", made, labels)):
        print(f"{kind}: {len(hands)} takes")
        b, a = bone_ratios(hands[of == 1]), joint_angles(hands[of == 0])
        print("  bones of B:", "; ".join(describe(f"finger {k + 1}", b[:, k].sum(axis=1)) for k in range(4)))
        joints = ("knuckle", "middle joint", "end joint")
        print("  joints of A:", "; ".join(describe(name, a[..., k]) for k, name in enumerate(joints)))
        every = joint_angles(hands[~np.isin(of, [9, 25])])
        print("  joints, all letters:", "; ".join(describe(name, every[..., k]) for k, name in enumerate(joints)))
        still = ~np.isin(of, [9, 25])
        jitter = np.median(hands[still][:, 1:].std(axis=1), axis=(0, 1))
        print("  jitter x, y, z in hand sizes:", *(f"{value:.4f}" for value in jitter))
        print("  jitter's spectrum, slow to fast:", *(f"{value:.2f}" for value in spectrum(hands[still])))
    found = nearest(right_hands(real), real_labels, right_hands(made), labels)
    print("real hands whose nearest synthetic hand is of the same letter:", found)
    if options.picture:
        draw(options.picture, (real, real_labels), (made, labels))


if __name__ == "__main__":
    main()
