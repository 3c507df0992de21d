"""Takes are checked, epochs are permutations, and their random numbers depend on seed and epoch alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgekit.data import AugmentConfig
from edgekit.errors import ShapeError
from edgekit.train import Takes, augmented, epoch_generator
from edgekit.train.batches import Batches, plain_parts


def zeros(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("shape", "labels"), [((4, 6), (4,)), ((4, 6, 63), (3,)), ((4, 6, 63), (4, 1)), ((0, 6, 63), (0,))]
)
def test_takes_that_do_not_fit_are_refused(shape: tuple[int, ...], labels: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"expected x \(takes, time, features\) and labels \(takes,\)"):
        Takes(zeros(*shape), np.zeros(labels, np.int64))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_takes_that_are_not_finite_are_refused(bad: float) -> None:
    x = zeros(2, 3, 4)
    x[1, 2, 3] = bad
    with pytest.raises(ShapeError, match="NaN or infinite"):
        Takes(x, np.zeros(2, np.int64))


@pytest.mark.parametrize(("takes", "batch_size", "sizes"), [(7, 3, [3, 3, 1]), (6, 3, [3, 3]), (2, 8, [2])])
def test_one_epoch_shows_every_take_once(takes: int, batch_size: int, sizes: list[int]) -> None:
    x, labels = torch.arange(takes), torch.arange(takes) * 10
    batches = Batches((x, labels), plain_parts(np.random.default_rng(0).permutation(takes), batch_size))
    parts = list(batches)
    assert [len(part[0]) for part in parts] == sizes
    assert len(batches) == len(sizes)
    seen = torch.cat([part[0] for part in parts])
    assert sorted(seen.tolist()) == list(range(takes))
    assert torch.equal(torch.cat([part[1] for part in parts]), seen * 10)


def test_the_random_numbers_of_an_epoch_depend_on_seed_and_epoch_alone() -> None:
    draws = {(seed, epoch): epoch_generator(seed, epoch).random() for seed in range(4) for epoch in range(4)}
    assert draws == {key: epoch_generator(*key).random() for key in reversed(list(draws))}
    assert len(set(draws.values())) == len(draws)


def test_without_augmentation_an_epoch_is_the_takes() -> None:
    takes = Takes(np.random.default_rng(0).random((3, 4, 63), np.float32), np.zeros(3, np.int64))
    np.testing.assert_array_equal(augmented(takes, None, epoch_generator(0, 0)), takes.x)


def test_augmentation_leaves_the_takes_untouched() -> None:
    takes = Takes(np.random.default_rng(0).random((3, 4, 63), np.float32), np.zeros(3, np.int64))
    before = takes.x.copy()
    varied = augmented(takes, AugmentConfig(probability=1.0), epoch_generator(0, 0))
    np.testing.assert_array_equal(takes.x, before)
    assert not np.array_equal(varied, before)
