"""A model learns when nobody signs, and gives the answers that it gave."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgekit.data import Mix, SynthConfig, fit_normalisation, synthesise_hands
from edgekit.data.disturbing import disturb
from edgekit.errors import ShapeError
from edgekit.evaluate import sign_scores, strong_answers
from edgekit.model import ModelConfig, RecurrentClassifier, build_model, predict_logits
from edgekit.train import Takes
from edgekit.train.no_sign import Shift, find_rule, fit_shift, shifted, takes_to_fit_on

RNG = np.random.default_rng


def takes(count: int, seed: int = 0) -> np.ndarray:
    """Some that are no hands, but numbers of a hand's size."""
    return RNG(seed).uniform(0.2, 0.8, (count, 6, 63)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> RecurrentClassifier:
    x = takes(40)
    return build_model(ModelConfig(hidden_size=8, num_layers=1), fit_normalisation(x, "hand", True), 4, 3).eval()


def test_a_shift_changes_no_probability_and_adds_itself_to_the_energy(model: RecurrentClassifier) -> None:
    x = takes(16, 5)
    shift = Shift(RNG(1).normal(0, 0.3, model.output.in_features), 0.7)
    before, after = predict_logits(model, x), predict_logits(shifted(model, shift), x)
    moved = after - before
    np.testing.assert_allclose(moved, np.repeat(moved[:, :1], 4, axis=1), atol=2e-5)  # float32 of logits below 10
    np.testing.assert_allclose(
        torch.softmax(torch.from_numpy(after), 1), torch.softmax(torch.from_numpy(before), 1), atol=1e-6
    )
    np.testing.assert_allclose(sign_scores(after, "energy") - sign_scores(before, "energy"), moved[:, 0], atol=2e-5)
    assert np.abs(moved).max() > 0.1


def test_the_model_itself_stays_as_it_was(model: RecurrentClassifier) -> None:
    weights = model.output.weight.detach().clone()
    shifted(model, Shift(np.ones(model.output.in_features), 1.0))
    assert torch.equal(model.output.weight, weights)


def test_a_fitted_shift_tells_what_the_output_layer_can_tell(model: RecurrentClassifier) -> None:
    """Hands that lean to one side against hands that lean to the other."""
    signs, nothing = takes(200, 1), takes(200, 2)
    signs[..., 27] += 1.0
    nothing[..., 27] -= 1.0
    shift = fit_shift(model, signs, nothing)
    assert shift is not None
    made = shifted(model, shift)
    low, high = (sign_scores(predict_logits(made, x), "energy") for x in (nothing, signs))
    assert np.mean(high[:, None] > low[None]) > 0.95


def test_nothing_to_fit_on_is_an_error(model: RecurrentClassifier) -> None:
    with pytest.raises(ShapeError, match="3 takes that sign, 0 that don't"):
        fit_shift(model, takes(3), takes(0))


@pytest.mark.parametrize("cost", [0.0, 0.02, 0.1])
def test_a_threshold_costs_no_more_than_it_may(model: RecurrentClassifier, cost: float) -> None:
    x = takes(300, 7)
    logits = predict_logits(model, x)
    labels = logits.argmax(axis=1)
    labels[::3] = (labels[::3] + 1) % 4  # a third is read wrongly
    rule = find_rule(model, Takes(x, labels), "takes", cost)
    assert rule is not None
    right = logits.argmax(axis=1) == labels
    lost = right & ~strong_answers(logits, rule)
    assert lost.sum() == pytest.approx(cost * len(x), abs=1)
    assert lost.mean() <= cost + 1 / len(x)
    assert rule.lost == pytest.approx(lost.mean(), abs=1 / len(x))


def test_no_take_that_is_read_rightly_is_no_rule(model: RecurrentClassifier) -> None:
    x = takes(20)
    wrong = (predict_logits(model, x).argmax(axis=1) + 1) % 4
    assert find_rule(model, Takes(x, wrong), "takes") is None


def test_takes_to_fit_on_are_the_same_for_the_same_seed_and_sign_in_one_part_alone() -> None:
    train = synthesise_hands(SynthConfig(people=1, takes_per_letter=2, max_frames=20)).sequences
    first, again, other = (takes_to_fit_on(train, Mix(tuple(range(26))), None, seed) for seed in (0, 0, 1))
    for one, same, another in zip(first, again, other, strict=True):
        assert np.array_equal(one, same)
        assert not np.array_equal(one, another)
    signs, nothing = first
    assert signs.shape == (2 * len(train) + 200, 20, 63)  # 200 at least, and few recordings
    assert nothing.shape == (200, 20, 63)


def test_spoiled_takes_have_the_same_hands_where_they_are_not_lost() -> None:
    x = synthesise_hands(SynthConfig(people=1, takes_per_letter=4, max_frames=20)).sequences
    spoiled = disturb(x, RNG(0))
    seen, left = ((part != 0).any(axis=2) for part in (x, spoiled))
    assert not (left & ~seen).any()
    assert left.any(axis=1).tolist() == seen.any(axis=1).tolist()
    assert 0.01 < (seen & ~left).sum() / seen.sum() < 0.3
    shapes = [
        part.reshape(*part.shape[:2], 21, 3) - part.reshape(*part.shape[:2], 21, 3)[:, :, :1] for part in (x, spoiled)
    ]
    np.testing.assert_allclose(shapes[0][left], shapes[1][left], atol=1e-6)
    assert 0.3 < (np.abs(x - spoiled)[:, 0] > 0).any(axis=1).mean() < 0.9  # of a jump, or lost


def test_hands_that_sign_nothing_are_near_no_letter() -> None:
    from edgekit.data.synthetic import letters
    from edgekit.data.synthetic.idle import draw_idle, near_letters
    from edgekit.data.synthetic.person import Pose, draw_person

    rng = RNG(0)
    start, end = draw_idle(draw_person(rng).on_a_day(rng), 300, rng)
    assert near_letters(start).mean() < 0.02  # a dozen tries, and then the last
    assert near_letters(end).mean() < 0.02
    assert near_letters(Pose.of_variants(np.arange(len(letters.VARIANTS) - 1))).all()
