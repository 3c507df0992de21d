"""Landmarks as recorded to what the first layer reads; the same arithmetic travels inside the model file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.data.hand import F32, MIDDLE_BASE, WRIST, as_hands, count_hands, frames_seen, hands_seen
from edgekit.errors import DataError

Kind = Literal["hand", "standard"]

#: Least hand size to divide by, in the recordings' units: below a pixel of a 1000-pixel image it is noise.
HAND_SIZE_FLOOR = 1e-3

#: A feature whose deviation is below this part of the largest one is constant (float32 rounding), its sigma
#: is 1.
CONSTANT_RATIO = 1e-5


@dataclass(frozen=True, eq=False)
class Normalisation:
    """How landmarks become a model's input: `(x' - mean) / std`.

    kind: "hand": x' = normalise_hands(x, displacement); "standard": x' = x.
    mean, std: float32 (features,), statistics of x' over the training part's frames with a hand; std > 0.
    Raises DataError when the parts don't fit together.
    """

    kind: Kind
    displacement: bool
    mean: F32
    std: F32

    def __post_init__(self) -> None:
        if self.mean.ndim != 1 or self.mean.shape != self.std.shape:
            raise DataError(f"mean and std must both be (features,), got shapes {self.mean.shape} and {self.std.shape}")
        if not np.isfinite(self.mean).all() or not np.isfinite(self.std).all() or not (self.std > 0).all():
            raise DataError("mean and std must be finite, and std above 0")
        if self.kind == "hand" and not count_hands(len(self.mean)):
            raise DataError(f"{len(self.mean)} features are not landmarks; use preprocessing=standard")

    @property
    def features(self) -> int:
        """Numbers per frame."""
        return len(self.mean)


def choose_kind(preprocessing: Literal["auto", "hand", "standard"], features: int) -> Kind:
    """What `auto` means for recordings with so many features: "hand" for 63 and 126, else "standard"."""
    if preprocessing != "auto":
        return preprocessing
    return "hand" if count_hands(features) else "standard"


def normalise_hands(x: F32, displacement: bool) -> F32:
    """Hand shapes free of place and distance. x (takes, time, 63 or 126), raw landmarks; returns the same
    shape.

    Each hand of each frame t on its own, with landmarks p_t[0..20] (3 numbers each):

        size_t   = max(|p_t[9] - p_t[0]|, HAND_SIZE_FLOOR)          Euclidean over x, y and z
        out_t[k] = (p_t[k] - p_t[0]) / size_t                       k = 1..20
        out_t[0] = (p_t[0] - p_f[0]) / size_t  if displacement else 0

    f is the take's first frame with that hand. A hand whose 63 numbers are all zero was not found: its output
    is zero. Raises DataError for other feature counts.
    """
    points = as_hands(x)
    seen = hands_seen(x)
    wrist = points[:, :, :, WRIST]
    relative = points - wrist[..., None, :]
    size = np.linalg.norm(relative[..., MIDDLE_BASE, :], axis=-1)
    size = np.maximum(size, np.float32(HAND_SIZE_FLOOR)).astype(np.float32, copy=False)
    if displacement:
        relative[..., WRIST, :] = wrist - first_wrist(x)
    relative /= size[..., None, None]
    relative *= seen[..., None, None]
    normalised: F32 = relative.reshape(x.shape)
    return normalised


def first_wrist(x: F32) -> F32:
    """Wrist of every hand in the take's first frame with that hand, float32 (takes, 1, hands, 3); zeros for
    none."""
    first = hands_seen(x).argmax(axis=1)[:, None, :, None]
    return np.take_along_axis(as_hands(x)[:, :, :, WRIST], first, axis=1)


def fit_normalisation(x: F32, kind: Kind, displacement: bool) -> Normalisation:
    """Statistics of the training part. x (takes, time, features), raw landmarks of one length.

    Only frames with a hand count (of two hands, each with its own frames). The sigma of a constant feature is
    1. Raises DataError when no frame has a hand, or `kind` is "hand" and the features are not landmarks.
    """
    if kind == "hand":
        values, seen = normalise_hands(x, displacement), hands_seen(x)
    else:
        values, seen = x, frames_seen(x)[..., None]
    groups = np.split(values, seen.shape[2], axis=2)
    moments = [_moments(group[seen[..., k]]) for k, group in enumerate(groups)]
    mean = np.concatenate([m for m, _ in moments])
    std = np.concatenate([s for _, s in moments])
    if not seen.any():
        raise DataError("no frame of the training part has a hand (all numbers are zero); check the recordings")
    std[std <= CONSTANT_RATIO * std.max()] = 1.0
    return Normalisation(kind, displacement, mean.astype(np.float32), std.astype(np.float32))


def _moments(frames: F32) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation, float64 (features,), of frames (n, features); zeros for no frames."""
    if not len(frames):
        return np.zeros(frames.shape[1]), np.zeros(frames.shape[1])
    return frames.mean(axis=0, dtype=np.float64), frames.std(axis=0, dtype=np.float64)


def apply_normalisation(x: F32, normalisation: Normalisation) -> F32:
    """x (takes, time, features), raw landmarks, to the first layer's input, float32, same shape.

    Frames without a hand are zeros before the statistics are applied. Raises DataError for another feature
    count.
    """
    if x.shape[2] != normalisation.features:
        raise DataError(f"the preprocessing is for {normalisation.features} features, the recordings have {x.shape[2]}")
    values = normalise_hands(x, normalisation.displacement) if normalisation.kind == "hand" else x
    standardised: F32 = ((values - normalisation.mean) / normalisation.std).astype(np.float32, copy=False)
    return standardised
