"""How fast a model trains here, measured on a few batches: for guesses of how long a run will take."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from edgekit.data import AugmentConfig, Mix
from edgekit.train.fitting import fit
from edgekit.train.settings import TrainingConfig
from edgekit.train.setup import RunSetup
from edgekit.train.takes import Takes, augmented, epoch_generator

#: Batches that are measured; the first one warms up.
BATCHES = 8
#: Synthetic takes that are made to measure how long that takes.
MADE = 520
#: A forward pass alone takes about this part of a step, which has a backward pass, too.
FORWARD = 1.0 / 3.0


@dataclass(frozen=True)
class Pace:
    """Of one model on one machine. take_s: to make and learn from one take, in batches. run_s: what a run takes beside
    that, to begin and to end."""

    take_s: float
    run_s: float

    def training_s(self, takes: int, validation: int, epochs: int) -> float:
        """Seconds of one run over so many takes an epoch, not stopped early."""
        return self.run_s + epochs * (takes + FORWARD * validation) * self.take_s

    def reading_s(self, takes: int) -> float:
        """Seconds of running the model on takes, without learning."""
        return FORWARD * takes * self.take_s


def measure_pace(
    model: nn.Module,
    takes: Takes,
    config: TrainingConfig,
    augmentation: AugmentConfig | None = None,
    setup: RunSetup | None = None,
    clock: Callable[[], float] = time.perf_counter,
    mix: Mix | None = None,
) -> Pace:
    """Train a copy of `model` for a few batches of `takes`, which are used again where they are too few.

    mix: what an epoch of them also holds, for the time that it takes to make; the batches are without it.
    The median batch counts, so a disturbed one does not. The model and torch's random state are left as they were.
    clock returns seconds.
    """
    index = np.arange(BATCHES * config.batch_size) % len(takes)
    own = Takes(takes.x[index], takes.labels[index])
    begun_s: list[float] = []
    made_s = [0.0]

    def source(epoch: int) -> tuple[Tensor, ...]:
        started_s = clock()
        x = torch.from_numpy(augmented(own, augmentation, epoch_generator(0, epoch)))
        made_s[0] = clock() - started_s
        return x, torch.from_numpy(own.labels)

    def objective(logits: Tensor, batch: tuple[Tensor, ...]) -> Tensor:
        begun_s.append(clock())
        return nn.functional.cross_entropy(logits, batch[1])

    once = config.model_copy(update={"epochs": 1, "min_epochs": 1, "early_stopping": None, "prefetch": False})
    with torch.random.fork_rng(devices=[]):
        started_s = clock()
        fit(copy.deepcopy(model), source, Takes(own.x[:1], own.labels[:1]), objective, once, setup=setup)
        whole_s = clock() - started_s
    step_s = statistics.median(np.diff(begun_s).tolist())
    take_s = step_s / config.batch_size + made_s[0] / len(own) + _mixing_s(takes, mix, clock)
    return Pace(take_s, max(whole_s - len(begun_s) * step_s, 0.0))


def _mixing_s(takes: Takes, mix: Mix | None, clock: Callable[[], float]) -> float:
    """Seconds for each take of an epoch that go into making the synthetic ones of it."""
    recorded, synthetic = (len(takes), 0) if mix is None else mix.counts(takes.labels)
    if mix is None or not synthetic:
        return 0.0
    few = min(synthetic, MADE)
    started_s = clock()
    mix.new_takes(few, takes.x.shape[1], 0, 0)
    return (clock() - started_s) / few * synthetic / (recorded + synthetic)
