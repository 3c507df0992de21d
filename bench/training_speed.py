"""What bf16, threads and processes do to a training step: paired ratios against fp32 on one thread.

    python bench/training_speed.py --variants edge balanced accurate --threads 1 2

fp32 and bf16 take turns step by step, with the same weights' shapes and batch; the ratio is the median of the pairs,
its range their 10th to 90th percentile. Times are those of the machine that ran it, and of nothing else.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time

import numpy as np
import torch
from torch import nn

from edgekit.data import HAND_FEATURES, Normalisation
from edgekit.model import build_model, variant

BATCH, FRAMES, CLASSES, WARMUP = 32, 30, 26, 3


def one_step_s(model: nn.Module, optimizer: torch.optim.Adam, x: torch.Tensor, y: torch.Tensor, bf16: bool) -> float:
    """Seconds of a forward pass, loss in fp32, backward pass, clipping and optimiser's step."""
    started_s = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        logits = model(x)
    nn.functional.cross_entropy(logits.float(), y).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return time.perf_counter() - started_s


def compare(name: str, threads: int, steps: int) -> dict[str, object]:
    """One row: median seconds a step of both, and bf16 in parts of fp32."""
    torch.set_num_threads(threads)
    zeros, ones = np.zeros(HAND_FEATURES, np.float32), np.ones(HAND_FEATURES, np.float32)
    model = build_model(variant(name), Normalisation("hand", True, zeros, ones), CLASSES).train()
    optimizer = torch.optim.Adam(model.parameters())
    x, y = torch.rand(BATCH, FRAMES, HAND_FEATURES), torch.randint(0, CLASSES, (BATCH,))
    pairs = [[one_step_s(model, optimizer, x, y, bf16) for bf16 in (False, True)] for _ in range(steps + WARMUP)]
    ratios = [bf16_s / fp32_s for fp32_s, bf16_s in pairs[WARMUP:]]
    tenths = statistics.quantiles(ratios, n=10)
    return {
        "variant": name,
        "threads": threads,
        "fp32_s": round(statistics.median(fp32_s for fp32_s, _ in pairs[WARMUP:]), 6),
        "bf16_to_fp32_ratio": round(statistics.median(ratios), 3),
        "p10_to_p90": [round(tenths[0], 3), round(tenths[-1], 3)],
    }


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", nargs="+", default=["edge", "balanced", "accurate"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=40)
    arguments = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, batch {BATCH}")
    for name in arguments.variants:
        for threads in arguments.threads:
            print(json.dumps(compare(name, threads, arguments.steps)), flush=True)


if __name__ == "__main__":
    main()
