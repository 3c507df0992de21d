"""How many threads to train with, and whether in bf16, by a short trial.

More threads are not faster on a busy machine, where waiting threads spin; bf16 is faster where the processor has
instructions for it and the layers are wide.
"""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from edgekit.train.hardware import Hardware, Precision, cpu_computes_bf16

TRIAL_STEPS = 3
#: More threads have to be faster by this factor: each one more stalls the step when the machine gets busy.
WORTH = 1.15
#: bf16 has to be faster than fp32 by this factor: it rounds every product to 8 bits, and machines differ in how.
BF16_WORTH = 1.5


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
    candidates = _candidates(cores or usable_cores())
    return candidates[0] if len(candidates) == 1 else _fastest(model, shape, candidates, ("fp32",), clock)[0]


def choose_threads_and_precision(
    model: nn.Module,
    shape: tuple[int, int, int],
    threads: int | None = None,
    cores: int | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[int, Precision]:
    """The same trial over precisions, too, each with its best number of threads, or with `threads` where given; fp32
    where this CPU has no LSTM in bf16."""
    candidates = [threads] if threads is not None else _candidates(cores or usable_cores())
    precisions: tuple[Precision, ...] = ("fp32", "bf16") if cpu_computes_bf16() else ("fp32",)
    return _fastest(model, shape, candidates, precisions, clock)


def _candidates(cores: int) -> list[int]:
    return sorted({min(2**k, cores) for k in range(cores.bit_length() + 1)})


def _fastest(
    model: nn.Module,
    shape: tuple[int, int, int],
    candidates: Sequence[int],
    precisions: Sequence[Precision],
    clock: Callable[[], float],
) -> tuple[int, Precision]:
    before = torch.get_num_threads()
    model = copy.deepcopy(model).train()
    try:
        with torch.random.fork_rng(devices=[]):
            x = torch.randn(shape)
            trials = {threads: _best_steps_s(model, x, threads, precisions, clock) for threads in candidates}
    finally:
        torch.set_num_threads(before)
    step_s = {precision: {threads: trials[threads][precision] for threads in candidates} for precision in precisions}
    best = {precision: _most_that_pay(times_s) for precision, times_s in step_s.items()}
    chosen = precisions[0]
    for precision in precisions[1:]:
        if step_s[precision][best[precision]] * BF16_WORTH < step_s[chosen][best[chosen]]:
            chosen = precision
    return best[chosen], chosen


def _most_that_pay(best_s: Mapping[int, float]) -> int:
    chosen, *more = best_s
    for threads in more:
        if best_s[threads] * WORTH < best_s[chosen]:
            chosen = threads
    return chosen


def _best_steps_s(
    model: nn.Module, x: torch.Tensor, threads: int, precisions: Sequence[Precision], clock: Callable[[], float]
) -> dict[Precision, float]:
    """Precisions take turns, step by step, so that a busy moment meets all of them."""
    torch.set_num_threads(threads)
    times_s: dict[Precision, list[float]] = {precision: [] for precision in precisions}
    for _ in range(TRIAL_STEPS + 1):  # the first one warms up
        for precision in precisions:
            started = clock()
            with Hardware(precision=precision).autocast():
                logits = model(x)
            logits.float().square().mean().backward()
            times_s[precision].append(clock() - started)
    return {precision: min(found[1:]) for precision, found in times_s.items()}
