"""What the tracker makes of a hand's joints: the learned differences."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest

from edgekit.data.hand import F32
from edgekit.data.synthetic import letters
from edgekit.data.synthetic.camera import rotations
from edgekit.data.synthetic.reader import draw_causes, features, misread, unexplained, upright
from edgekit.data.synthetic.skeleton import hand_landmarks, usual_bones

CHART = letters.first_variants()
ANGLES = letters.FLEXION[CHART], letters.SPREAD[CHART], letters.THUMBS[CHART]


def seen_with(turns: F32) -> tuple[F32, F32]:
    """Rotations and joints of the 26 letters so turned, without perspective."""
    flexion, spread, thumb = ANGLES
    rotation = rotations(turns)
    return rotation, hand_landmarks(spread, flexion, thumb, usual_bones()) @ np.swapaxes(rotation, 1, 2)


def test_hands_are_rolled_upright() -> None:
    _, seen = seen_with(letters.TURNS[CHART])
    roll = upright(seen)
    above = (roll @ seen[:, 9, :2, None])[..., 0]
    assert np.abs(above[:, 0]).max() < 1e-5
    assert (above[:, 1] < 0).all(), "y runs down"


@pytest.mark.parametrize("angle", [0.4, -1.5, 3.0])
def test_a_hand_rolled_in_the_image_is_misread_as_before(angle: float) -> None:
    """The tracker looks at an upright crop, so what it gets wrong rolls along."""
    rotation, seen = seen_with(letters.TURNS[CHART])
    c, s = np.cos(angle), np.sin(angle)
    by = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=np.float32)
    before = misread(*ANGLES, rotation, seen, 8.0)
    after = misread(*ANGLES, by @ rotation, seen @ by.T, 8.0)
    assert np.abs(after - before @ by.T).max() < 1e-3


def test_joints_are_misread_by_less_than_a_fingers_length_and_not_all_alike() -> None:
    rotation, seen = seen_with(letters.TURNS[CHART])
    size = np.linalg.norm(misread(*ANGLES, rotation, seen, 8.0)[..., :2], axis=-1)
    assert 0.02 < size.mean() < 0.15
    assert size.max() < 0.5
    fists, flat = (size[[letters.CLASS_NAMES.index(name) for name in names]].mean() for names in ("MNST", "BL"))
    assert fists > flat, "folded fingers hide their joints"


def test_depth_is_read_too_shallow() -> None:
    """The known weakness of hand trackers."""
    rotation, seen = seen_with(letters.TURNS[CHART])
    read = seen + misread(*ANGLES, rotation, seen, 8.0)
    slope = (read[..., 2] * seen[..., 2]).sum() / np.square(seen[..., 2]).sum()
    assert 0.5 < slope < 1.0


def test_what_is_unexplained_has_the_stored_covariance() -> None:
    _, seen = seen_with(np.zeros((26, 3), np.float32))
    causes = draw_causes(20_000, np.random.default_rng(0))
    drawn = unexplained(causes, np.repeat(seen[:1], 20_000, axis=0)).reshape(20_000, -1)
    with files("edgekit.data.synthetic").joinpath("reading.npz").open("rb") as file, np.load(file) as arrays:
        noise = arrays["noise"].astype(np.float64)
    assert np.abs(np.cov(drawn.T) - noise.T @ noise).max() < 0.03 * np.square(noise).sum(axis=0).max()
    assert not drawn.reshape(-1, 21, 3)[:, 0, 2].any(), "all depth is relative to the wrist's"


def test_features_hold_angles_view_and_distance() -> None:
    rotation, seen = seen_with(np.zeros((26, 3), np.float32))
    flexion, spread, thumb = ANGLES
    x = features(flexion, spread, thumb, rotation, upright(seen), np.float32(8.0))
    assert x.shape == (26, 32)
    assert np.allclose(x[:, -1], 0.5)
    assert np.allclose(x[:, :4], spread)
