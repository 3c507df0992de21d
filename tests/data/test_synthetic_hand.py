"""The synthetic hand: bones, joints, letters, movements, tracker."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit.data.hand import F32
from edgekit.data.synthetic import draw_preview, letters
from edgekit.data.synthetic.camera import mirror, rotations
from edgekit.data.synthetic.motion import RISE, SWAY, Course, draw_j, draw_rise, draw_z, key_frames
from edgekit.data.synthetic.person import Pose, draw_person
from edgekit.data.synthetic.preview import chart_hands, tip_path
from edgekit.data.synthetic.skeleton import FLEXION_LIMITS, SPREAD_LIMITS, draw_bones, hand_landmarks, usual_bones
from edgekit.data.synthetic.tracker import Tracker, hidden_landmarks, lose_frames, tracking_errors
from edgekit.errors import MissingExtraError

BONES = usual_bones()
CHART = dict(zip(letters.CLASS_NAMES, chart_hands(letters.first_variants()), strict=True))
TRACKER = Tracker(depth=0.7, jitter=0.01, memory=0.6)


def variants_of(letter: str) -> F32:
    return chart_hands(np.flatnonzero(np.equal(letters.LETTER, letters.CLASS_NAMES.index(letter))))


def test_bones_keep_their_length_in_every_pose_and_frame() -> None:
    rng = np.random.default_rng(0)
    shape = (50, 3)
    points = hand_landmarks(
        rng.uniform(-0.5, 0.5, (*shape, 4)).astype(np.float32),
        rng.uniform(0, 2, (*shape, 4, 3)).astype(np.float32),
        rng.uniform(-1, 1, (*shape, 3, 2)).astype(np.float32),
        BONES,
    )
    assert not points[..., 0, :].any()
    chains = points[..., 5:, :].reshape(*shape, 4, 4, 3)
    lengths = np.linalg.norm(np.diff(chains, axis=-2), axis=-1)
    assert np.abs(lengths - BONES.phalanges).max() < 1e-5
    thumb = np.linalg.norm(np.diff(points[..., 1:5, :], axis=-2), axis=-1)
    assert np.abs(thumb - BONES.thumb).max() < 1e-5


def test_a_straight_finger_points_along_the_palm_and_a_bent_one_out_of_it() -> None:
    still = np.zeros((1, 4), np.float32), np.zeros((1, 3, 2), np.float32)
    straight = hand_landmarks(still[0], np.zeros((1, 4, 3), np.float32), still[1], BONES)[0]
    assert np.allclose(straight[8] - straight[5], [0, BONES.phalanges[0].sum(), 0], atol=1e-6)
    bend = np.zeros((1, 4, 3), np.float32)
    bend[..., 0] = np.pi / 2
    bent = hand_landmarks(still[0], bend, still[1], BONES)[0]
    assert np.allclose(bent[8] - bent[5], [0, 0, BONES.phalanges[0].sum()], atol=1e-6)


def test_a_persons_bones_vary_together() -> None:
    """Somebody with a long index finger has a long little finger, too: r > 0.4 of 400 people."""
    people = [draw_bones(np.random.default_rng(k)) for k in range(400)]
    index, little = (np.array([bones.phalanges[k].sum() for bones in people]) for k in (0, 3))
    assert np.corrcoef(index, little)[0, 1] > 0.4
    assert 0.03 < index.std() / index.mean() < 0.1


def test_joints_stay_within_their_limits() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        pose = draw_person(rng).on_a_day(rng).varied("take", rng)
        low, high = FLEXION_LIMITS.T
        assert (pose.flexion >= low - 1e-6).all()
        assert (pose.flexion <= high + 1e-6).all()
        assert (pose.spread >= SPREAD_LIMITS[0] - 1e-6).all()
        assert (pose.spread <= SPREAD_LIMITS[1] + 1e-6).all()


def test_fingers_that_touch_keep_their_angle_and_free_ones_do_not() -> None:
    rng = np.random.default_rng(0)
    u, v = (letters.first_variants()[letters.CLASS_NAMES.index(name)] for name in "UV")
    spread = [Pose.of_variants(np.repeat(k, 400)).varied("person", rng).spread for k in (u, v)]
    together, apart = ((index - middle).std() for index, middle in (pair[:, :2].T for pair in spread))
    assert together < 0.3 * apart


def test_joints_of_a_finger_are_coupled() -> None:
    rng = np.random.default_rng(0)
    straight = Pose.of_variants(np.repeat(letters.first_variants()[1], 500)).varied("person", rng).flexion[:, 0]
    fist = Pose.of_variants(np.repeat(letters.first_variants()[0], 500)).varied("person", rng).flexion[:, 0]
    assert np.corrcoef(straight[:, 1], straight[:, 2])[0, 1] > 0.2, "the end joint follows the middle one"
    assert np.corrcoef(fist[:, 0], fist[:, 1])[0, 1] < -0.1, "a fist folds at one joint or at the other"


def test_rotations_are_rotations_and_zero_faces_the_camera() -> None:
    turn = np.random.default_rng(0).uniform(-3, 3, (50, 3)).astype(np.float32)
    matrix = rotations(turn)
    assert np.abs(matrix @ np.swapaxes(matrix, -1, -2) - np.eye(3)).max() < 1e-5
    assert np.allclose(np.linalg.det(matrix), 1, atol=1e-5)
    assert np.allclose(rotations(np.zeros(3, np.float32)), np.diag([1, -1, -1]))


def test_a_mirrored_hand_is_the_mirror_image() -> None:
    image = np.random.default_rng(0).random((2, 3, 21, 3), dtype=np.float32)
    other = image.copy()
    mirror(other)
    assert np.allclose(other[..., 0], 1 - image[..., 0])
    assert np.array_equal(other[..., 1:], image[..., 1:])
    mirror(other)
    assert np.allclose(other, image, atol=1e-6)


def test_every_letter_has_a_pose_of_its_own() -> None:
    image = np.array(list(CHART.values())).reshape(26, -1)
    distance = np.linalg.norm(image[:, None] - image[None], axis=-1) + 9 * np.eye(26)
    pairs = {frozenset("IJ"), frozenset("DZ")}  # the same hand; one of the two moves
    close = {frozenset((letters.CLASS_NAMES[a], letters.CLASS_NAMES[b])) for a, b in np.argwhere(distance < 0.25)}
    assert close <= pairs


def test_r_crosses_u_does_not_and_v_spreads() -> None:
    def tips_apart(hand: F32) -> float:  # of a right hand's palm: the index finger is to the right
        return float(hand[8, 0] - hand[12, 0])

    assert all(tips_apart(hand) < 0.0 for hand in variants_of("R"))
    assert all(0.0 < tips_apart(hand) < 0.35 for hand in variants_of("U") if hand[5, 0] - hand[17, 0] > 0.45)
    assert tips_apart(CHART["V"]) > tips_apart(CHART["U"]) + 0.15


@pytest.mark.parametrize("letter", "GH")
def test_g_and_h_point_sideways(letter: str) -> None:
    for hand in variants_of(letter):
        across, down = np.abs(hand[8, :2] - hand[5, :2])
        assert across > down


@pytest.mark.parametrize("letter", "PQ")
def test_p_and_q_point_down(letter: str) -> None:
    """P's middle finger and Q's index finger end below the wrist's knuckles; those of the letters that stand, above."""
    tip, base = {"P": (12, 9), "Q": (8, 5)}[letter]
    assert all(hand[tip, 1] > hand[base, 1] for hand in variants_of(letter))
    assert CHART["V"][tip, 1] < CHART["V"][base, 1]


def test_fists_differ_by_the_thumb() -> None:
    """A: beside the index finger. S: in front of the fingers. T: between index and middle; N, M: further in."""
    a, s, t, n, m = (CHART[name] for name in "ASTNM")
    assert a[4, 0] > a[5, 0]
    assert s[4, 2] < s[[5, 9, 13, 17], 2].min(), "nearer to the camera than the knuckles"
    assert t[9, 0] - 0.05 < t[4, 0] < t[5, 0] + 0.05
    assert m[4, 0] < n[4, 0] < t[4, 0]


def test_j_is_a_hook_and_z_has_three_strokes() -> None:
    j, z = tip_path("J"), tip_path("Z")
    assert j is not None
    assert z is not None
    assert tip_path("A") is None
    lowest = int(j[:, 1].argmax())
    assert 0 < lowest < len(j) - 1, "down and up again"
    assert j[-1, 0] > j[0, 0] + 0.3, "a right hand's J ends on the image's right"
    steps = np.sign(np.diff(z[:, 0]))
    strokes = steps[np.flatnonzero(np.diff(steps, prepend=0))]
    assert strokes.tolist() == [-1, 1, -1], "signed from the image's right to its left, back, and again"
    assert z[-1, 1] > z[0, 1] + 0.5


def test_movements_start_from_the_held_sign() -> None:
    course = Course(np.zeros((1, 5), np.float32), np.ones((1, 3), np.float32), np.ones(1, np.float32))
    assert not draw_j(course)[0].any()
    assert not draw_z(course)[0].any()


def moved(draw: Callable[[Course], tuple[F32, F32]], manner: float) -> tuple[F32, F32]:
    """Path (9, 2) and turn (9, 3) of a movement of usual size."""
    done = np.linspace(0.0, 1.0, 9, dtype=np.float32)[None]
    path, turn = draw(Course(done, np.ones((1, 3), np.float32), np.full(1, manner, np.float32)))
    return path[0], turn[0]


def test_a_j_is_turned_by_the_forearm_or_swung_by_the_arm_or_both() -> None:
    turner, both, swinger = (moved(draw_j, manner)[1] for manner in (0.0, 0.5, 1.0))
    assert turner[-1, 1] > both[-1, 1] > swinger[-1, 1] > 0.0
    assert swinger[-1, 1] < 0.3 * turner[-1, 1]
    assert abs(turner[-1, 0]) < 1e-6
    assert swinger[-1, 0] < both[-1, 0] < np.deg2rad(-60), "the little finger goes out, down and in"
    assert swinger[-1, 0] < np.deg2rad(-120), "and ends below the hand"


def test_a_z_is_drawn_by_the_arm_or_from_the_wrist() -> None:
    (arm, still), (near, turned) = (moved(draw_z, manner) for manner in (0.0, 1.0))
    assert np.ptp(near[:, 1]) < 0.4 * np.ptp(arm[:, 1])
    assert np.ptp(turned[:, 0]) > 2.0 * np.ptp(still[:, 0])
    assert turned[-1, 2] > turned[0, 2] + 0.3, "the finger tips down on the way"


def test_misreading_is_told_by_the_sign_and_not_by_the_hand_at_ease() -> None:
    lengths = np.array([20, 20, 10])
    ease = np.zeros((3, 24), np.float32)
    ease[0, :3], ease[0, 18:] = 0.5, 0.5
    done = np.clip((np.arange(24, dtype=np.float32) - 4) / 6, 0.0, 1.0)
    course = Course(np.tile(done, (3, 1)), np.ones((3, 3), np.float32), np.zeros(3, np.float32))
    key = key_frames(np.array([False, True, False]), lengths, course, ease)
    assert key.tolist() == [[3, 10, 17], [0, 7, 10], [0, 4, 9]]


def test_hands_at_ease_hang_lower_and_those_that_sign_stay() -> None:
    ease = np.zeros((300, 4), np.float32)
    ease[:, 0] = 1.0
    path = draw_rise(ease, np.random.default_rng(0))
    assert not path[:, 1:].any()
    assert 0.0 <= path[:, 0, 1].min() < path[:, 0, 1].max() <= RISE
    assert np.abs(path[:, 0, 0]).max() <= SWAY


def test_jitter_is_correlated_in_time_and_depth_is_worse() -> None:
    errors = tracking_errors(
        60,
        np.zeros((300, 21), bool),
        np.ones((300, 3), np.float32),
        TRACKER,
        np.random.default_rng(0),
    )
    moved = errors[:, 1:, 1:]
    memory = (moved[:, 1:] * moved[:, :-1]).mean() / np.square(moved).mean()
    assert abs(memory - TRACKER.memory) < 0.01
    assert abs(moved[..., 0].std() - TRACKER.jitter) < 0.0002, "the same in the first frame and the last"
    assert moved[..., 2].std() > 1.5 * moved[..., 0].std()
    assert not errors[:, :, 0, 2].any(), "the wrist's depth is what all depth is relative to"


def test_hidden_fingers_are_guessed() -> None:
    points = np.random.default_rng(0).uniform(5, 50, (1, 21, 3)).astype(np.float32)
    points[0, 8] = points[0, 4] + [0.05, 0.0, 0.3]  # the index finger's tip behind the thumb's
    hidden = hidden_landmarks(points)
    assert np.flatnonzero(hidden[0]).tolist() == [8]
    many = np.repeat(hidden, 500, axis=0)
    size = np.ones((500, 3), np.float32)
    spread = tracking_errors(2, many, size, TRACKER, np.random.default_rng(0)).std(axis=(0, 1))
    assert spread[8, 0] > 1.8 * spread[4, 0]


def test_lost_frames_are_zeros_and_the_first_is_never_lost() -> None:
    image = np.ones((400, 30, 21, 3), np.float32)
    lose_frames(image, np.full(400, 25), np.random.default_rng(0))
    assert not image[:, 25:].any()
    assert image[:, 0].all()
    lost = ~image[:, :25].any(axis=(1, 2, 3)) | ~image[:, :25].all(axis=(2, 3)).all(axis=1)
    assert 0.03 < lost.mean() < 0.15


def test_the_preview_is_a_picture(tmp_path: Path) -> None:
    picture = draw_preview()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 20_000


def test_without_matplotlib_the_preview_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"matplotlib.*'\.\[train\]' in a clone"):
        draw_preview()
