from __future__ import annotations

import numpy as np
import pytest

from edgekit.data import (
    HAND_SIZE_FLOOR,
    Normalisation,
    Recordings,
    apply_normalisation,
    choose_kind,
    fit_length,
    fit_normalisation,
    hands_seen,
    normalise_hands,
    split_recordings,
)
from edgekit.errors import DataError

EXACT = 1e-5  # float32 arithmetic on numbers of order 1


def takes(
    n: int = 6, time: int = 5, hands: int = 1, lost: float = 0.0
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    rng = np.random.default_rng(1)
    x = rng.uniform(0.2, 0.8, (n, time, hands, 63)).astype(np.float32)
    x[rng.random((n, time, hands)) < lost] = 0
    return x.reshape(n, time, hands * 63)


@pytest.mark.parametrize("hands", [1, 2])
def test_the_formula_of_the_docstring(hands: int) -> None:
    x = takes(hands=hands, lost=0.3)
    for displacement in (True, False):
        got = normalise_hands(x, displacement).reshape(*x.shape[:2], hands, 21, 3)
        points = x.reshape(*x.shape[:2], hands, 21, 3).astype(np.float64)
        for n, t, h in np.ndindex(*x.shape[:2], hands):
            p = points[n, t, h]
            if not p.any():
                assert not got[n, t, h].any()
                continue
            first = next(points[n, k, h] for k in range(t + 1) if points[n, k, h].any())
            size = max(np.linalg.norm(p[9] - p[0]), HAND_SIZE_FLOOR)
            expected = (p - p[0]) / size
            if displacement:
                expected[0] = (p[0] - first[0]) / size
            assert np.abs(got[n, t, h] - expected).max() < EXACT * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize("displacement", [True, False])
def test_place_and_distance_do_not_matter(displacement: bool) -> None:
    x = takes(lost=0.2)
    seen = hands_seen(x)
    moved = np.where(seen, x * np.float32(1.7) + np.float32(0.1), 0).astype(np.float32)
    difference = np.abs(normalise_hands(x, displacement) - normalise_hands(moved, displacement))
    assert difference.max() < 1e-3 * np.abs(normalise_hands(x, displacement)).max()


def test_displacement_is_the_wrists_path_in_hand_sizes() -> None:
    x = np.tile(takes(1, 1), (1, 4, 1)).reshape(1, 4, 21, 3)
    size = np.linalg.norm(x[0, 0, 9] - x[0, 0, 0])
    x[0, :, :, 0] += np.array([0.0, 0.1, 0.2, 0.3], np.float32)[:, None]
    x[0, 0] = 0  # the tracker finds the hand from the second frame on
    wrist = normalise_hands(x.reshape(1, 4, 63), True).reshape(4, 21, 3)[:, 0]
    assert np.allclose(wrist[:, 0], np.array([0.0, 0.0, 0.1, 0.2]) / size, atol=EXACT)


def test_a_hand_of_no_size_stays_finite() -> None:
    x = np.full((1, 2, 63), 0.5, np.float32)
    assert np.isfinite(normalise_hands(x, True)).all()


def test_input_is_untouched() -> None:
    x = takes()
    before = x.copy()
    normalise_hands(x, True)
    assert np.array_equal(x, before)


@pytest.mark.parametrize("kind", ["hand", "standard"])
@pytest.mark.parametrize("hands", [1, 2])
def test_training_frames_with_a_hand_have_mean_0_and_deviation_1(kind: str, hands: int) -> None:
    x = takes(50, 10, hands, lost=0.2)
    normalisation = fit_normalisation(x, kind, True)  # type: ignore[arg-type]
    got = apply_normalisation(x, normalisation)
    if kind == "hand":
        seen = np.repeat(hands_seen(x), 63, axis=2)
    else:
        seen = np.broadcast_to((x != 0).any(axis=2, keepdims=True), x.shape)
    for feature in range(x.shape[2]):
        column = got[..., feature][seen[..., feature]].astype(np.float64)
        assert abs(column.mean()) < 1e-4, feature
        constant = normalisation.std[feature] == 1.0 and column.std() < 1e-4
        assert constant or abs(column.std() - 1) < 1e-4, feature


def test_frames_without_a_hand_are_zeros_before_the_statistics() -> None:
    x = takes(20, 5, lost=0.3)
    normalisation = fit_normalisation(x, "hand", True)
    got = apply_normalisation(x, normalisation)[~hands_seen(x)[..., 0]]
    assert len(got)
    assert np.allclose(got, -normalisation.mean / normalisation.std, atol=EXACT)


def test_the_sigma_of_a_constant_is_1() -> None:
    normalisation = fit_normalisation(takes(20), "hand", displacement=False)
    assert normalisation.std[:3].tolist() == [1.0, 1.0, 1.0], "the wrist is the origin of every frame"
    x = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)
    x[..., 1] = 7.0
    assert fit_normalisation(x, "standard", displacement=False).std[1] == 1.0


def test_other_feature_counts_are_standardised_only() -> None:
    x = np.random.default_rng(0).normal(size=(5, 4, 7)).astype(np.float32)
    assert apply_normalisation(x, fit_normalisation(x, "standard", displacement=True)).shape == x.shape
    with pytest.raises(DataError, match=r"7 features .* use preprocessing=standard"):
        fit_normalisation(x, "hand", displacement=True)
    with pytest.raises(DataError, match="use preprocessing=standard"):
        Normalisation("hand", True, np.zeros(7, np.float32), np.ones(7, np.float32))


@pytest.mark.parametrize(
    ("said", "features", "kind"),
    [
        ("auto", 63, "hand"),
        ("auto", 126, "hand"),
        ("auto", 5, "standard"),
        ("standard", 63, "standard"),
        ("hand", 5, "hand"),
    ],
)
def test_auto_takes_landmarks_for_hands(said: str, features: int, kind: str) -> None:
    assert choose_kind(said, features) == kind  # type: ignore[arg-type]


def test_two_hands_are_normalised_each_on_its_own() -> None:
    """Whatever happens to one hand, the other's numbers stay."""
    left, right = takes(6, 5, lost=0.2), takes(6, 5, lost=0.2)[::-1]
    both = np.concatenate([left, right], axis=2)
    for displacement in (True, False):
        got = normalise_hands(both, displacement)
        assert np.array_equal(got[..., :63], normalise_hands(left, displacement))
        assert np.array_equal(got[..., 63:], normalise_hands(right, displacement))
    fitted = fit_normalisation(both, "hand", True)
    for part, alone in ((slice(0, 63), left), (slice(63, 126), right)):
        one = fit_normalisation(alone, "hand", True)
        np.testing.assert_allclose(fitted.mean[part], one.mean, atol=EXACT)
        np.testing.assert_allclose(fitted.std[part], one.std, atol=EXACT)


def test_a_hand_that_is_never_there_does_not_spoil_the_other() -> None:
    x = np.concatenate([takes(6, 5), np.zeros((6, 5, 63), np.float32)], axis=2)
    got = apply_normalisation(x, fit_normalisation(x, "hand", True))
    assert np.isfinite(got).all()
    assert not got[..., 63:].any()


def test_what_cannot_be_normalised_is_refused() -> None:
    normalisation = fit_normalisation(takes(), "hand", displacement=True)
    with pytest.raises(DataError, match="63 features, the recordings have 126"):
        apply_normalisation(takes(hands=2), normalisation)
    for kind in ("hand", "standard"):
        with pytest.raises(DataError, match="no frame of the training part has a hand"):
            fit_normalisation(np.zeros((2, 3, 63), np.float32), kind, displacement=True)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="std above 0"):
        Normalisation("standard", False, np.zeros(2, np.float32), np.zeros(2, np.float32))


def test_real_wrist_depth_is_constant_and_moving_letters_move(real: Recordings) -> None:
    part = real.take(split_recordings(real).train)
    x = fit_length(part.sequences, part.lengths, 30)
    normalisation = fit_normalisation(x, "hand", displacement=True)
    assert normalisation.std[2] == 1.0, "a tracker's depth is relative to the wrist"
    wrist = normalise_hands(x, True)[..., :2]
    path = np.linalg.norm(np.ptp(wrist, axis=1), axis=1)
    median = [np.median(path[part.labels == k]) for k in range(26)]
    order = np.argsort(median)[::-1]
    assert {part.class_names[k] for k in order[:2]} == {"J", "Z"}
