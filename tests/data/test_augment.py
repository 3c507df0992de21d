from __future__ import annotations

import time

import numpy as np
import pytest

from edgekit.data import AugmentConfig, SynthConfig, augment, fit_length, hands_seen, normalise_hands, synthesise_hands
from edgekit.data.augment import warped_time

OFF = {
    name: 0.0
    for name in AugmentConfig.model_fields
    if "probabilit" not in name and not name.startswith("aspect") and name != "milestones"
}
Array = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def hands(people: int = 1) -> Array:
    made = synthesise_hands(SynthConfig(people=people, takes_per_letter=4))
    return fit_length(made.sequences, made.lengths, 30)


def vary(x: Array, seed: int = 0, **ranges: float) -> Array:
    return augment(x, AugmentConfig(**{"probability": 1.0, **OFF, **ranges}), np.random.default_rng(seed))


def points(x: Array) -> Array:
    return x.reshape(*x.shape[:2], 21, 3)


def bones(x: Array) -> Array:
    """Distances of all landmarks from the wrist, (takes, time, 21)."""
    return np.linalg.norm(points(x) - points(x)[:, :, :1], axis=-1)


@pytest.mark.parametrize("config", [AugmentConfig(probability=0.0), AugmentConfig(probability=1.0, **OFF)])
def test_nothing_on_means_nothing_changes(config: AugmentConfig) -> None:
    x = hands()
    assert np.array_equal(augment(x, config, np.random.default_rng(0)), x)


@pytest.mark.parametrize("features", [63, 126, 5])
def test_frames_without_a_hand_stay_exactly_zero(features: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0.1, 0.9, (40, 12, features)).astype(np.float32)
    x[rng.random((40, 12)) < 0.3] = 0
    x[7] = 0
    for seed in range(5):
        varied = vary(x, seed, **{**AugmentConfig().model_dump(), "probability": 1.0, "time_warp_ratio": 0.0})
        assert np.array_equal(hands_seen(varied), hands_seen(x))
        assert np.isfinite(varied).all()
    assert not vary(x, **{**AugmentConfig().model_dump(), "probability": 1.0})[7].any()


def test_two_hands_move_as_one() -> None:
    """Turned, scaled and moved together: the wrists' distance in the image changes as the hands' sizes do."""
    x = np.random.default_rng(0).uniform(0.1, 0.9, (40, 6, 126)).astype(np.float32)
    x.reshape(40, 6, 2, 21, 3)[..., 0, 2] = 0
    off = {"stretch_ratio": 0.0, "depth_ratio": 0.0, "tilt_deg": 0.0, "noise": 0.0, "time_warp_ratio": 0.0}
    varied = vary(x, **{**AugmentConfig().model_dump(), **off, "probability": 1.0})
    (a, size_a), (b, size_b) = (_wrists_and_sizes(taken) for taken in (x, varied))
    assert np.abs(size_b / size_a - 1).max() > 0.05
    np.testing.assert_allclose(b / a, size_b / size_a, rtol=1e-3)


def _wrists_and_sizes(x: Array) -> tuple[Array, Array]:
    """Distance of the two wrists, and of the first hand's wrist and fingertip, both in the image (takes, time)."""
    hands_of = x.reshape(*x.shape[:2], 2, 21, 3)[..., :2]
    wrists = np.linalg.norm(hands_of[:, :, 0, 0] - hands_of[:, :, 1, 0], axis=-1)
    return wrists, np.linalg.norm(hands_of[:, :, 0, 12] - hands_of[:, :, 0, 0], axis=-1)


def test_the_same_generator_state_gives_the_same_takes_and_input_is_untouched() -> None:
    x = hands()
    before = x.copy()
    config = AugmentConfig()
    first = augment(x, config, np.random.default_rng(3))
    assert np.array_equal(first, augment(x, config, np.random.default_rng(3)))
    assert not np.array_equal(first, augment(x, config, np.random.default_rng(4)))
    assert np.array_equal(x, before)
    assert first.dtype == np.float32
    assert first.shape == x.shape


def test_rotation_keeps_every_length_and_turns_within_its_range() -> None:
    x = hands()
    varied = vary(x, rotation_deg=20.0)
    seen = hands_seen(x)[..., 0]
    assert np.abs(bones(varied) - bones(x))[seen].max() < 1e-5
    assert np.abs(points(varied)[..., 2] - points(x)[..., 2]).max() < 1e-5
    a, b = (p[:, 0, 9, :2] - p[:, 0, 0, :2] for p in (points(x), points(varied)))
    angle = np.degrees(np.arctan2(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0], (a * b).sum(axis=1)))
    both = seen[:, 0]
    assert np.abs(angle[both]).max() <= 20.001
    assert np.ptp(angle[both]) > 20


def test_tilt_keeps_every_length_and_leaves_depth_relative_to_the_wrist() -> None:
    x = hands()
    varied = vary(x, tilt_deg=25.0)
    assert np.abs(bones(varied) - bones(x))[hands_seen(x)[..., 0]].max() < 1e-5
    assert np.abs(points(varied)[:, :, 0, 2]).max() == 0
    assert np.abs(points(varied)[..., 2] - points(x)[..., 2]).max() > 0.01


@pytest.mark.parametrize("name", ["scale_ratio", "translation"])
def test_scale_and_translation_vanish_in_normalised_hands(name: str) -> None:
    x = hands()
    varied = vary(x, **{name: 0.3})
    assert np.abs(varied - x).max() > 0.05
    assert np.abs(normalise_hands(varied, True) - normalise_hands(x, True)).max() < 1e-3


def test_turning_is_about_the_first_wrist() -> None:
    x = hands()
    varied = vary(x, rotation_deg=30.0, scale_ratio=0.2, stretch_ratio=0.2)
    first = hands_seen(x)[..., 0].argmax(axis=1)
    rows = np.arange(len(x))
    assert np.abs(points(varied)[rows, first, 0] - points(x)[rows, first, 0]).max() < 1e-5


def test_noise_is_in_hand_sizes() -> None:
    x = hands(3)
    moved = points(vary(x, noise=0.05) - x)[..., 1:, :]
    size = np.linalg.norm(points(x)[:, :, 9] - points(x)[:, :, 0], axis=-1)
    seen = hands_seen(x)[..., 0]
    ratio = moved[seen] / size[seen][:, None, None]
    assert abs(ratio.std() / 0.05 - 1) < 0.01
    assert abs(ratio.mean()) < 0.001


def test_probability_is_per_take() -> None:
    x = hands(5)
    changed = (vary(x, translation=0.1, probability=0.3) != x).any(axis=(1, 2))
    # x and y are drawn apart: 1 - 0.7 * 0.7; three sigma of a binomial over 520 takes are 0.066.
    assert abs(changed.mean() - 0.51) < 0.066


@pytest.mark.parametrize("speed", [0.7, 1.0, 1.4])
@pytest.mark.parametrize("bend", [-0.5, 0.0, 0.5])
def test_warped_time_never_runs_backwards(speed: float, bend: float) -> None:
    source = warped_time(30, np.array([speed]), np.array([bend]))[0]
    assert (np.diff(source) >= 0).all()
    assert source[0] == 0
    assert source[-1] <= 29


def test_time_warp_shows_only_moments_between_recorded_ones() -> None:
    ramp = np.broadcast_to(np.arange(1.0, 31)[None, :, None], (200, 30, 63)).astype(np.float32)
    varied = vary(ramp, time_warp_ratio=0.4)
    assert (np.diff(varied, axis=1) >= -1e-4).all()
    assert varied.min() >= 1
    assert varied.max() <= 30
    assert np.abs(varied - ramp).max() > 1


@pytest.mark.parametrize("hand_count", [1, 2])
def test_time_warp_never_blends_a_hand_with_a_lost_frame(hand_count: int) -> None:
    x = np.full((300, 30, hand_count, 63), 5.0, np.float32)
    x[np.random.default_rng(0).random((300, 30, hand_count)) < 0.2] = 0
    assert set(np.unique(vary(x.reshape(300, 30, -1), time_warp_ratio=0.5))) == {0.0, 5.0}


def test_two_hands_turn_together() -> None:
    one = hands()
    both = np.concatenate([one, one + np.float32(0.1) * (one != 0)], axis=2)
    varied = vary(both, rotation_deg=40.0)
    seen = hands_seen(one)[..., 0]
    before = np.linalg.norm((points(both[..., :63]) - points(both[..., 63:]))[..., :2], axis=-1)[seen]
    after = np.linalg.norm((points(varied[..., :63]) - points(varied[..., 63:]))[..., :2], axis=-1)[seen]
    assert np.abs(before - after).max() < 1e-5


def test_other_feature_counts_get_noise_of_their_own_size() -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(500, 10, 2)) * np.array([1.0, 100.0])).astype(np.float32)
    changed = vary(x, noise=0.1, rotation_deg=90.0, time_warp_ratio=1.0) - x
    assert np.allclose(changed.std(axis=(0, 1)), [0.1, 10.0], rtol=0.05)


@pytest.mark.slow
def test_a_real_days_takes_are_varied_within_150_ms() -> None:
    x = np.random.default_rng(0).uniform(0.1, 0.9, (1650, 30, 63)).astype(np.float32)
    rng = np.random.default_rng(0)
    durations = []
    for _ in range(5):
        start = time.perf_counter()
        augment(x, AugmentConfig(), rng)
        durations.append(time.perf_counter() - start)
    assert min(durations) < 0.15


def test_a_mirrored_take_is_the_other_hand_where_it_began() -> None:
    x = hands()
    varied = vary(x, mirror=1.0)
    first = hands_seen(x).argmax(axis=1)[:, 0]
    pivot = points(x)[np.arange(len(x)), first, 0, 0]
    seen = hands_seen(x)
    expected = np.where(seen, 2 * pivot[:, None, None] - points(x)[..., 0], 0.0)
    np.testing.assert_allclose(points(varied)[..., 0], expected, atol=1e-5)
    np.testing.assert_allclose(points(varied)[..., 1:], points(x)[..., 1:], atol=1e-5)


def test_mirroring_is_a_chance_of_its_own() -> None:
    x = hands(4)
    changed = (vary(x, probability=0.0, mirror=0.3) != x).any(axis=(1, 2))
    assert 0.2 < changed.mean() < 0.4


def test_two_mirrored_hands_change_places() -> None:
    x = np.random.default_rng(0).uniform(0.1, 0.9, (20, 6, 126)).astype(np.float32)
    x.reshape(20, 6, 2, 21, 3)[..., 0, 2] = 0
    x[:, :, 63:] = 0  # only the first is seen
    varied = vary(x, mirror=1.0, noise=0.05)
    assert np.array_equal(hands_seen(varied), hands_seen(x)[..., ::-1])
    clean = vary(x, mirror=1.0)
    assert (varied[:, :, 63:] != clean[:, :, 63:]).any(axis=2).all()  # the noise follows the hand


@pytest.mark.parametrize("aspect", [9 / 16, 1.0, 16 / 9])
def test_a_picture_of_another_shape_scales_what_is_in_its_widths(aspect: float) -> None:
    """The same hand, in heights, fills another part of the width: x and z go with 1 / aspect, y stays."""
    x = hands()
    varied = vary(x, aspect_min=aspect, aspect_max=aspect)
    wrists = points(x) - points(x)[:, :, :1]
    factors = np.array([4 / 3 / aspect, 1.0, 4 / 3 / aspect], dtype=np.float32)
    np.testing.assert_allclose(points(varied) - points(varied)[:, :, :1], wrists * factors, atol=2e-5)


def test_shapes_are_drawn_between_the_narrowest_and_the_widest() -> None:
    x = hands(4)
    varied = vary(x, aspect_min=9 / 16, aspect_max=16 / 9)
    middle = points(varied)[:, 0, 9] - points(varied)[:, 0, 0]
    before = points(x)[:, 0, 9] - points(x)[:, 0, 0]
    seen = np.abs(before[:, 0]) > 0.02
    factor = middle[seen, 0] / before[seen, 0]
    assert 0.75 - 1e-2 < factor.min() < 0.8
    assert 2.2 < factor.max() < 4 / 3 * 16 / 9 + 1e-2


def test_aspects_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match=r"aspect_min \(2\) must not exceed aspect_max \(1.5\)"):
        AugmentConfig(aspect_min=2.0, aspect_max=1.5)
