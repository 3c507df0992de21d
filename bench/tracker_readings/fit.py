"""Fit the small network in reading.npz to what `collect.py` stored, and the covariance of what it leaves unexplained.

    python bench/tracker_readings/fit.py READINGS.npz [MORE.npz ...] edgekit/data/synthetic/reading.npz

Hands are rolled upright in the image. What was read is scaled and shifted onto the palm's joints first: where a tracker
puts the wrist is its own convention, and a hand's size is not its business. Every tenth block of people is held back;
what is printed is measured on it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgekit.data.synthetic import letters
from edgekit.data.synthetic.reader import features, upright

Array = NDArray[Any]

PALM = [0, 1, 5, 9, 13, 17]
WIDTH, EPOCHS, BATCH, RATE, DECAY = 96, 60, 256, 4e-3, 0.02
#: Readings without a hand, or torn off it, are lost frames, not misread ones.
LEAST_PRESENCE, MOST_MISREAD = 0.7, 1.2
SCALES = (0.6, 1.35)
#: Hands in a block of people; features that hardly vary are not blown up; directions of noise kept.
BLOCK, LEAST_SPREAD, NOISE = 600, 0.05, 24


def differences(arrays: dict[str, Array]) -> tuple[Array, Array, Array]:
    """Features (n, 32), landmarks read less the joints (n, 63), both of upright hands, and labels (n,)."""
    joints, read = arrays["joints"].astype(np.float32), arrays["read"].astype(np.float32)
    turn = upright(joints)
    x = features(
        arrays["flexion"].astype(np.float32),
        arrays["spread"].astype(np.float32),
        arrays["thumb"].astype(np.float32),
        arrays["rotation"].astype(np.float32),
        turn,
        arrays["distance"].astype(np.float32),
    )
    for hands in (joints, read):
        hands[..., :2] = hands[..., :2] @ np.swapaxes(turn, 1, 2)
    ours, theirs = joints[:, PALM, :2], read[:, PALM, :2]
    centre, at = ours.mean(axis=1, keepdims=True), theirs.mean(axis=1, keepdims=True)
    scale = ((theirs - at) * (ours - centre)).sum(axis=(1, 2)) / np.square(theirs - at).sum(axis=(1, 2))
    read[..., :2] = (read[..., :2] - at) * scale[:, None, None] + centre
    read[..., 2] *= scale[:, None]
    y = (read - joints).reshape(len(x), -1)
    kept = (arrays["presence"] > LEAST_PRESENCE) & (scale > SCALES[0]) & (scale < SCALES[1])
    kept &= np.abs(y).max(axis=1) < MOST_MISREAD
    print(f"{kept.sum()} of {len(x)} hands")
    return x[kept], y[kept], arrays["label"][kept]


def fit(x: Array, y: Array) -> tuple[dict[str, Array], Array]:
    """Weights, as `reader` wants them, and what they say of x."""
    torch.manual_seed(0)
    mean, spread, usual = x.mean(axis=0), np.maximum(x.std(axis=0), LEAST_SPREAD), y.mean(axis=0)
    given, wanted = torch.from_numpy((x - mean) / spread), torch.from_numpy(y - usual)
    layers = [torch.nn.Linear(x.shape[1], WIDTH), torch.nn.Linear(WIDTH, WIDTH), torch.nn.Linear(WIDTH, y.shape[1])]
    network = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])
    optimiser = torch.optim.AdamW(network.parameters(), RATE / 2, weight_decay=DECAY)
    steps = EPOCHS * (len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, steps)
    for _ in range(EPOCHS):
        order = torch.randperm(len(x))
        for k in range(len(x) // BATCH):
            part = order[k * BATCH : (k + 1) * BATCH]
            loss = torch.nn.functional.smooth_l1_loss(network(given[part]), wanted[part], beta=0.1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    weights = {f"w{k + 1}": layer.weight.detach().numpy().T for k, layer in enumerate(layers)}
    weights |= {f"b{k + 1}": layer.bias.detach().numpy() for k, layer in enumerate(layers)}
    weights["w1"] = weights["w1"] / spread[:, None]
    weights["b1"] = weights["b1"] - mean @ weights["w1"]
    weights["b3"] = weights["b3"] + usual
    return weights, _said(weights, x)


def _said(weights: dict[str, Array], x: Array) -> Array:
    x = np.maximum(x @ weights["w1"] + weights["b1"], 0)
    return np.maximum(x @ weights["w2"] + weights["b2"], 0) @ weights["w3"] + weights["b3"]


def rms(errors: Array) -> str:
    """Of x, y and depth, in hand sizes."""
    return " ".join(f"{value:.3f}" for value in np.sqrt(np.square(errors.reshape(-1, 3)).mean(axis=0)))


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readings", type=Path, nargs="+")
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    files = [np.load(path) for path in options.readings]
    x, y, label = differences({name: np.concatenate([file[name] for file in files]) for name in files[0].files})
    held = np.arange(len(x)) // BLOCK % 10 == 0
    weights, _ = fit(x[~held], y[~held])
    left = y[held] - _said(weights, x[held])
    print(f"held back: misread by {rms(y[held])}, left unexplained {rms(left)} (x, y, depth in hand sizes)")
    for k, name in enumerate(letters.CLASS_NAMES):
        chosen = label[held] == k
        print(f"  {name}: {rms(y[held][chosen])} -> {rms(left[chosen])}")
    size, directions = np.linalg.eigh(np.cov(left.T))
    weights["noise"] = (directions * np.sqrt(np.maximum(size, 0)))[:, ::-1][:, :NOISE].T
    np.savez_compressed(options.output, **{name: part.astype(np.float16) for name, part in weights.items()})
    print(f"{options.output}: {options.output.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
