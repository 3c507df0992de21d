"""How many threads to train with: more is not faster on a busy machine, where waiting threads spin."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable

import torch
from torch import nn

TRIAL_STEPS = 3
#: More threads have to be faster by this factor: each one more stalls the step when the machine gets busy.
WORTH = 1.15


def usable_cores() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def choose_threads(
    model: nn.Module,
    shape: tuple[int, int, int],
    cores: int | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> int:
    """How many of 1, 2, 4, ... and all cores to train `model` with, by a short trial: the most that pay for themselves.

    shape: (batch, time, features) of a step. The trial runs on a copy: the model, the thread count and the random
    state are left as they were. clock returns seconds. The best of the trial's steps counts, so one disturbed step
    does not.
    """
    cores = cores or usable_cores()
    candidates: list[int] = sorted({min(2**k, cores) for k in range(cores.bit_length() + 1)})
    if len(candidates) == 1:
        return candidates[0]
    before = torch.get_num_threads()
    model = copy.deepcopy(model).train()
    try:
        with torch.random.fork_rng(devices=[]):
            x = torch.randn(shape)
            best_s = {threads: _step_s(model, x, threads, clock) for threads in candidates}
    finally:
        torch.set_num_threads(before)
    chosen = candidates[0]
    for threads in candidates[1:]:
        if best_s[threads] * WORTH < best_s[chosen]:
            chosen = threads
    return chosen


def _step_s(model: nn.Module, x: torch.Tensor, threads: int, clock: Callable[[], float]) -> float:
    torch.set_num_threads(threads)
    times_s: list[float] = []
    for _ in range(TRIAL_STEPS + 1):  # the first one warms up
        started = clock()
        model(x).square().mean().backward()
        times_s.append(clock() - started)
    return min(times_s[1:])
