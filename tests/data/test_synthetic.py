from __future__ import annotations

import numpy as np
import pytest

from edgekit.data import LANDMARKS, Recordings, SynthConfig, check_recordings, fit_length, frames_seen, normalise_hands
from edgekit.data import synthesise_hands as synthesise
from edgekit.data.synthetic import letters
from edgekit.data.synthetic.camera import rotations
from edgekit.data.synthetic.skeleton import BASES, HAND_SIZE_MM, PHALANGES_MM, THUMB_MM, Bones, hand_landmarks

BONES = Bones(BASES, PHALANGES_MM / np.float32(HAND_SIZE_MM), THUMB_MM / np.float32(HAND_SIZE_MM))


@pytest.fixture(scope="module")
def made() -> Recordings:
    return synthesise(SynthConfig(people=6, takes_per_letter=6))


def test_shape_order_and_labels(made: Recordings) -> None:
    assert made.sequences.shape == (6 * 26 * 6, 40, 63)
    assert made.synthetic
    assert "synthetic" in made.source
    assert made.class_names == tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert (np.bincount(made.labels) == 36).all()
    assert made.signer is not None
    assert made.session is not None
    assert all(s.startswith("synthetic-") for s in made.signer)
    assert all(session[11:] == signer for session, signer in zip(made.session, made.signer, strict=True))
    assert (made.lengths.min(), made.lengths.max()) == (20, 40)


def test_one_seed_one_result() -> None:
    config = SynthConfig(people=2, takes_per_letter=2)
    assert np.array_equal(synthesise(config).sequences, synthesise(config).sequences)
    other = synthesise(SynthConfig(people=2, takes_per_letter=2, seed=1))
    assert not np.array_equal(synthesise(config).sequences, other.sequences)


def test_a_person_does_not_depend_on_how_many_there_are() -> None:
    few, many = (synthesise(SynthConfig(people=n, takes_per_letter=2)) for n in (1, 3))
    assert np.array_equal(few.sequences, many.sequences[: few.takes])


def test_coordinates_are_those_of_a_tracker(made: Recordings) -> None:
    seen = frames_seen(made.sequences)
    hands = made.sequences[seen].reshape(-1, LANDMARKS, 3)
    assert (hands[:, 0, 2] == 0).all(), "depth is relative to the wrist"
    size = np.linalg.norm(hands[:, 9] - hands[:, 0], axis=1)
    assert 0.1 < np.median(size) < 0.4
    assert ((hands[..., :2] > -0.5) & (hands[..., :2] < 1.5)).mean() > 0.999
    b = hands[np.repeat(made.labels, 40).reshape(-1, 40)[seen] == made.class_names.index("B")]
    assert (b[:, 12, 1] < b[:, 9, 1]).mean() > 0.95, "y points down: raised fingers are above their base"
    assert (b[:, 5, 0] > b[:, 17, 0]).mean() > 0.95, "a right hand's palm: the index finger is to the right"


def test_some_frames_are_lost_and_padding_is_zero(made: Recordings) -> None:
    report = check_recordings(made)
    assert 0.002 < report.frames_without_hand / report.frames < 0.02
    assert report.empty_takes == ()
    behind = np.arange(40) >= made.lengths[:, None]
    assert not made.sequences[behind].any()


def test_j_and_z_move_and_the_others_hold(made: Recordings) -> None:
    wrist = normalise_hands(fit_length(made.sequences, made.lengths), True)[..., :2]
    path = np.linalg.norm(np.ptp(wrist, axis=1), axis=1)
    median = np.array([np.median(path[made.labels == k]) for k in range(26)])
    moving = [made.class_names[k] for k in np.argsort(median)[::-1][:2]]
    assert moving == ["Z", "J"]
    assert median[25] > 0.5
    assert np.delete(median, [9, 25]).max() < median[9]


def test_bones_keep_their_length_in_every_pose() -> None:
    rng = np.random.default_rng(0)
    n = 100
    points = hand_landmarks(
        rng.uniform(-0.5, 0.5, (n, 4)).astype(np.float32),
        rng.uniform(0, 2, (n, 4, 3)).astype(np.float32),
        rng.uniform(-1, 1, (n, 3, 2)).astype(np.float32),
        BONES,
    )
    assert not points[:, 0].any()
    chains = points[:, 5:].reshape(n, 4, 4, 3)
    lengths = np.linalg.norm(np.diff(chains, axis=2), axis=-1)
    assert np.abs(lengths - BONES.phalanges).max() < 1e-6
    thumb = np.linalg.norm(np.diff(points[:, 1:5], axis=1), axis=-1)
    assert np.abs(thumb - BONES.thumb).max() < 1e-6


def test_a_straight_finger_points_along_the_palm_and_a_bent_one_out_of_it() -> None:
    still = np.zeros((1, 4), np.float32), np.zeros((1, 3, 2), np.float32)
    straight = hand_landmarks(still[0], np.zeros((1, 4, 3), np.float32), still[1], BONES)[0]
    assert np.allclose(straight[8] - straight[5], [0, BONES.phalanges[0].sum(), 0], atol=1e-6)
    bend = np.zeros((1, 4, 3), np.float32)
    bend[..., 0] = np.pi / 2
    bent = hand_landmarks(still[0], bend, still[1], BONES)[0]
    assert np.allclose(bent[8] - bent[5], [0, 0, BONES.phalanges[0].sum()], atol=1e-6)


def test_rotations_are_rotations_and_zero_faces_the_camera() -> None:
    turn = np.random.default_rng(0).uniform(-3, 3, (50, 3)).astype(np.float32)
    matrix = rotations(turn)
    assert np.abs(matrix @ np.swapaxes(matrix, -1, -2) - np.eye(3)).max() < 1e-5
    assert np.allclose(np.linalg.det(matrix), 1, atol=1e-5)
    assert np.allclose(rotations(np.zeros(3, np.float32)), np.diag([1, -1, -1]))


def test_every_letter_has_a_pose_of_its_own() -> None:
    points = hand_landmarks(letters.SPREAD, letters.FLEXION, letters.THUMBS, BONES)
    image = np.matmul(points, np.swapaxes(rotations(letters.TURNS), -1, -2)).reshape(26, -1)
    distance = np.linalg.norm(image[:, None] - image[None], axis=-1) + 9 * np.eye(26)
    i, j = np.unravel_index(distance.argmin(), distance.shape)
    pairs = {frozenset("IJ"), frozenset("DZ")}  # the same hand; one of the two moves
    close = {frozenset((letters.CLASS_NAMES[a], letters.CLASS_NAMES[b])) for a, b in np.argwhere(distance < 0.25)}
    assert close <= pairs, (letters.CLASS_NAMES[i], letters.CLASS_NAMES[j])


def test_people_differ_but_their_letters_can_be_told(made: Recordings) -> None:
    """1-nearest-neighbour on people never seen: far above chance (0.04), and no trivial task."""
    x = fit_length(made.sequences, made.lengths)
    seen = frames_seen(x)
    mean = normalise_hands(x, False).sum(axis=1) / seen.sum(axis=1)[:, None]
    assert made.signer is not None
    test = np.isin(made.signer, ["synthetic-04", "synthetic-05"])
    distance = ((mean[test][:, None] - mean[~test][None]) ** 2).sum(axis=2)
    accuracy = (made.labels[~test][distance.argmin(axis=1)] == made.labels[test]).mean()
    assert 0.5 < accuracy < 0.98


@pytest.mark.parametrize(
    "changes", [{"people": 0}, {"takes_per_letter": 1}, {"min_frames": 1}, {"min_frames": 30, "max_frames": 20}]
)
def test_impossible_settings_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"people|takes_per_letter|min_frames"):
        SynthConfig(**changes)


def test_takes_of_one_length_are_possible() -> None:
    made = synthesise(SynthConfig(people=1, takes_per_letter=2, min_frames=7, max_frames=7))
    assert made.sequences.shape[1] == 7
    assert (made.lengths == 7).all()
