"""Stratified batches: every take once, every class its share; and epochs made ahead change nothing but the time."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from edgekit.data import AugmentConfig
from edgekit.errors import InterruptedRunError
from edgekit.model import RecurrentClassifier
from edgekit.train import Epoch, RunSetup, Takes, TrainingConfig, train_model
from edgekit.train.batches import compose, epoch_batches, read_ahead, stratified_parts, worth_prefetching

TinyModel = Callable[..., RecurrentClassifier]
Learnable = tuple[Takes, Takes]

#: takes a class, batch size: even, uneven, with a class of one, one class, fewer takes than a batch, batches of one.
MADE = [((32, 32, 32), 8), ((50, 30, 7, 1), 16), ((9,), 4), ((2, 3), 32), ((3, 2), 1), ((53,) * 26, 32)]


def labels_of(counts: tuple[int, ...]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    labels = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(3).permutation(labels).astype(np.int64)


@pytest.mark.parametrize(("counts", "batch_size"), MADE)
def test_stratified_batches_hold_each_take_once_and_each_class_its_share(
    counts: tuple[int, ...], batch_size: int
) -> None:
    labels = labels_of(counts)
    for seed in range(5):
        parts = stratified_parts(labels, batch_size, np.random.default_rng(seed))
        assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
        assert len(parts) == -(-len(labels) // batch_size)
        assert max(len(part) for part in parts) <= batch_size
        assert max(len(part) for part in parts) - min(len(part) for part in parts) <= 1
        found = np.array([np.bincount(labels[part], minlength=len(counts)) for part in parts])
        assert (np.abs(found - np.array(counts) / len(parts)) < 1).all()


def test_shuffled_batches_keep_no_shares() -> None:
    labels = labels_of((32, 32, 32))
    found = [np.bincount(labels[part]) for part in compose("shuffled", labels, 8, np.random.default_rng(0))]
    assert max(np.abs(counts - 8 / 3).max() for counts in found) > 1


@pytest.mark.parametrize("composition", ["stratified", "shuffled"])
def test_each_epoch_has_an_order_of_its_own_that_seed_and_epoch_decide(composition: str) -> None:
    labels = torch.from_numpy(labels_of((20, 20, 20)))
    tensors = (torch.arange(60), labels)

    def order(seed: int, epoch: int) -> list[int]:
        batches = epoch_batches(tensors, composition, 8, seed, epoch)  # type: ignore[arg-type]
        return [take for batch in batches for take in batch[0].tolist()]

    orders = {(seed, epoch): order(seed, epoch) for seed in range(2) for epoch in range(3)}
    assert orders == {key: order(*key) for key in reversed(list(orders))}
    assert len({tuple(found) for found in orders.values()}) == len(orders)


def test_classes_meet_in_other_batches_each_epoch() -> None:
    """The takes that share a batch with take 0 are not the same ones again."""
    labels = labels_of((20, 20, 20))
    met = set()
    for epoch in range(40):
        parts = stratified_parts(labels, 6, np.random.default_rng(epoch))
        met |= set(next(part for part in parts if 0 in part).tolist())
    assert len(met) > 50


def test_training_uses_the_composition_that_is_said(tiny_model: TinyModel, learnable: Learnable) -> None:
    seen: dict[str, set[tuple[int, ...]]] = {}
    for composition in ("stratified", "shuffled"):
        model, (train, validation) = tiny_model(), learnable
        config = TrainingConfig(epochs=2, batch_size=6, batches=composition, early_stopping=None)
        asked: list[Tensor] = []
        model.register_forward_pre_hook(lambda module, x, asked=asked: asked.append(x[0]) if module.training else None)
        train_model(model, train, validation, config)
        label = {take.tobytes(): int(kind) for take, kind in zip(train.x, train.labels, strict=True)}
        batches = [[label[take.numpy().tobytes()] for take in x] for x in asked]
        seen[composition] = {tuple(np.bincount(batch, minlength=3).tolist()) for batch in batches}
    assert seen["stratified"] == {(2, 2, 2)}
    assert seen["shuffled"] != {(2, 2, 2)}


# Epochs made ahead.


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "prefetch" in thread.name]


def test_epochs_made_ahead_are_the_same_each_made_once_and_none_beyond_the_last() -> None:
    asked: list[tuple[int, bool]] = []

    def source(epoch: int) -> tuple[Tensor, ...]:
        asked.append((epoch, threading.current_thread() is threading.main_thread()))
        return (torch.tensor(epoch),)

    with read_ahead(source, 5) as ahead:
        assert [int(ahead(epoch)[0]) for epoch in range(2, 5)] == [2, 3, 4]
    assert asked == [(2, True), (3, False), (4, False)]
    assert not threads()


def test_training_with_and_without_prefetch_gives_the_same_numbers(tiny_model: TinyModel, learnable: Learnable) -> None:
    found = []
    for on in (False, True):
        model = tiny_model()
        config = TrainingConfig(epochs=4, prefetch=on, early_stopping=None)
        train_model(model, *learnable, config, augmentation=AugmentConfig(), seed=2)
        found.append(model.state_dict())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_auto_asks_for_a_core_that_training_leaves_free() -> None:
    used = torch.get_num_threads()
    assert [worth_prefetching("auto", cores=cores) for cores in (used, used + 1)] == [False, True]
    assert [worth_prefetching(said, cores=used) for said in (False, True)] == [False, True]


def test_an_error_while_an_epoch_is_made_ahead_comes_through_as_it_is() -> None:
    def source(epoch: int) -> tuple[Tensor, ...]:
        if epoch:
            raise ZeroDivisionError("mine")
        return (torch.zeros(1),)

    with read_ahead(source, 3) as ahead:
        ahead(0)
        with pytest.raises(ZeroDivisionError, match="mine"):
            ahead(1)
    assert not threads()


def test_an_interruption_leaves_no_thread(tiny_model: TinyModel, learnable: Learnable) -> None:
    running: list[list[str]] = []

    def listener(epoch: Epoch) -> None:
        running.append(threads())
        raise KeyboardInterrupt

    with pytest.raises(InterruptedRunError):
        train_model(
            tiny_model(),
            *learnable,
            TrainingConfig(epochs=4, prefetch=True),
            augmentation=AugmentConfig(),
            setup=RunSetup(listener=listener),
        )
    assert running == [["edgekit-prefetch_0"]]
    assert not threads()
