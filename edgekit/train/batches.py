"""How an epoch is cut into batches, and how the next epoch is made while this one trains."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgekit.train.takes import EpochSource, epoch_generator
from edgekit.train.threads import usable_cores

Composition = Literal["stratified", "shuffled"]
Parts = list[NDArray[np.int64]]


class Batches:
    """Tensors that share their first axis, in batches: parts[k] holds the takes of batch k. One pass is one epoch."""

    def __init__(self, tensors: tuple[Tensor, ...], parts: Sequence[NDArray[np.int64]]) -> None:
        self.tensors = tensors
        self.parts = [torch.from_numpy(np.ascontiguousarray(part)) for part in parts]

    def __len__(self) -> int:
        return len(self.parts)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        for chosen in self.parts:
            yield tuple(tensor[chosen] for tensor in self.tensors)


def compose(composition: Composition, labels: NDArray[np.int64], batch_size: int, rng: np.random.Generator) -> Parts:
    """One epoch's batches: places in `labels` int64 (takes,), each once, in ceil(takes / batch_size) batches."""
    if composition == "stratified":
        return stratified_parts(labels, batch_size, rng)
    return plain_parts(rng.permutation(len(labels)), batch_size)


def plain_parts(order: NDArray[np.int64], batch_size: int) -> Parts:
    """`order` cut as it is; the last part may be smaller."""
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def stratified_parts(labels: NDArray[np.int64], batch_size: int, rng: np.random.Generator) -> Parts:
    """Batches in each of which every class has its share, as nearly as whole takes can have it.

    The takes are shuffled, sorted by class, the classes as they came first, and dealt to B = ceil(takes / batch_size)
    batches like cards, one by one in turn; then the batches are shuffled. A class of n takes lies together when it is
    dealt, so each batch holds floor(n / B) or ceil(n / B) of them: less than 1 from the proportional share n / B.
    For the same reason batches hold floor(takes / B) or ceil(takes / B) takes, `batch_size` at most.
    """
    batches = -(-len(labels) // batch_size)
    shuffled = rng.permutation(len(labels))
    _, first, kind = np.unique(labels[shuffled], return_index=True, return_inverse=True)
    dealt = shuffled[np.argsort(first[kind], kind="stable")]
    return [dealt[batch::batches] for batch in rng.permutation(batches)]


def epoch_batches(
    tensors: tuple[Tensor, ...], composition: Composition, batch_size: int, seed: int, epoch: int
) -> Batches:
    """tensors: x, labels and more, as an `EpochSource` gives them. The same seed and epoch give the same batches."""
    labels = tensors[1].cpu().numpy()
    return Batches(tensors, compose(composition, labels, batch_size, epoch_generator(seed + 1, epoch)))


def worth_prefetching(said: bool | Literal["auto"], processes: int = 1, cores: int | None = None) -> bool:
    """What was said; auto: whether `processes` that train leave a core free. See `bench/prefetch.py`."""
    return (cores or usable_cores()) > processes * torch.get_num_threads() if said == "auto" else said


@contextlib.contextmanager
def read_ahead(source: EpochSource, epochs: int, on: bool = True) -> Iterator[EpochSource]:
    """`source`, which makes the next epoch's tensors in a thread of its own once an epoch has been asked for.

    source: must depend on the epoch's number alone, and must not draw from torch's global random numbers. What it
    raises is raised when its epoch is asked for. No epoch from `epochs` on is made. At the end the thread is gone: it
    finishes what it makes and begins nothing new. on: False gives `source` as it is.
    """
    if not on:
        yield source
        return
    made: dict[int, Future[tuple[Tensor, ...]]] = {}
    pool = ThreadPoolExecutor(1, thread_name_prefix="edgekit-prefetch")

    def ahead(epoch: int) -> tuple[Tensor, ...]:
        ready = made.pop(epoch, None)
        tensors = source(epoch) if ready is None else ready.result()
        if epoch + 1 < epochs:
            made[epoch + 1] = pool.submit(source, epoch + 1)
        return tensors

    try:
        yield ahead
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
