"""Seconds until a training reads its validation takes so well: edgekit's, and a plain PyTorch loop, side by side.

    python bench/time_to_accuracy.py --data my-signs.npz --split session --variants accurate edge --seeds 0 1 2

Both train the same model from the same first weights on the same takes, variations and synthetic people, each in a
process of its own on a core of its own with one thread, at the same time. The plain loop is what one writes first:
Adam at 0.001, batches of 32 at random, no schedule, the next epoch's takes made when this one is over. Seconds count
all of that and validation. Results are appended to --results as they come: seconds and validation accuracy, by epoch.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edgekit.data import DataConfig, load_recordings, mix_for
from edgekit.model import build_model, predict_logits
from edgekit.train import RunSetup, Takes, TrainingConfig, augmented, epoch_generator, mixed, train_model
from edgekit.workdir import Options
from edgekit.workdir.dataset import prepare_dataset
from edgekit.workdir.settings import Settings

WAYS = ("edgekit", "plain")
BATCH, RATE = 32, 1e-3


class Task:
    """What both ways are given."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        said = {"data": {"split": arguments.split}}
        self.settings = Settings(Options(data=str(arguments.data), seed=arguments.seed, settings=said))
        recordings, data = load_recordings(arguments.data), self.settings.section("data", DataConfig)
        dataset = prepare_dataset(recordings, data, "")
        self.train, self.validation = (Takes(*dataset.part(i)) for i in (dataset.split.train, dataset.split.validation))
        self.mix, self.augmentation, self.seed = mix_for(data, recordings), self.settings.augmentation(), arguments.seed
        config = self.settings.model(arguments.variant)
        self.model = build_model(config, dataset.normalisation, len(dataset.class_names), self.seed)
        self.training: TrainingConfig = self.settings.section("training", TrainingConfig)


def with_edgekit(task: Task, say: Callable[[float], None]) -> None:
    """The product's training with the preset's settings."""
    setup = RunSetup(listener=lambda epoch: say(epoch.val_accuracy))
    mixing = {"augmentation": task.augmentation, "mix": task.mix, "seed": task.seed}
    train_model(task.model, task.train, task.validation, task.training, setup=setup, **mixing)


def plainly(task: Task, say: Callable[[float], None]) -> None:
    """A loop as one writes it first."""
    optimizer = torch.optim.Adam(task.model.parameters(), lr=RATE)
    for epoch in range(10_000):
        takes = mixed(task.train, task.mix, task.seed, epoch)
        x = torch.from_numpy(augmented(takes, task.augmentation, epoch_generator(task.seed, epoch)))
        labels = torch.from_numpy(takes.labels)
        task.model.train()
        for part in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(task.model(x[part]), labels[part], label_smoothing=0.1).backward()
            optimizer.step()
        answers = predict_logits(task.model, task.validation.x).argmax(axis=1)
        say(float((answers == task.validation.labels).mean()))


def work(arguments: argparse.Namespace) -> None:
    """One way, in this process: a line an epoch, until the time is over."""
    torch.set_num_threads(1)
    task = Task(arguments)
    started_s = time.monotonic()

    def say(accuracy: float) -> None:
        seconds = time.monotonic() - started_s
        print(json.dumps([round(seconds, 2), round(accuracy, 5)]), flush=True)
        if seconds > arguments.most_s:
            os._exit(0)  # in the middle of a training loop that would answer politely

    {"edgekit": with_edgekit, "plain": plainly}[arguments.way](task, say)


def side_by_side(arguments: argparse.Namespace, variant: str, seed: int) -> dict[str, Any]:
    """Both ways at once; the cores change sides with the seed."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    cores = cores if seed % 2 == 0 else cores[::-1]
    told = ["--data", str(arguments.data), "--split", arguments.split, "--most-s", str(arguments.most_s)]
    told += ["--variant", variant, "--seed", str(seed)]
    started = {}
    for way, core in zip(WAYS, cores, strict=True):
        command = ["taskset", "-c", str(core), sys.executable, __file__, "work", "--way", way, *told]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        started[way] = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    spoken = {way: process.communicate()[0] for way, process in started.items()}
    curves = {way: [json.loads(line) for line in text.splitlines()] for way, text in spoken.items()}
    return {"variant": variant, "seed": seed, "split": arguments.split, "curves": curves}


def seconds_to(curve: list[list[float]], accuracy: float) -> float | None:
    """When a curve first was there."""
    return next((seconds for seconds, reached in curve if reached >= accuracy), None)


def show(row: dict[str, Any], aims: list[float]) -> None:
    """Seconds to each aim, and to the best that both reach."""
    best = {way: max(accuracy for _, accuracy in curve) for way, curve in row["curves"].items()}
    for aim in [*aims, min(best.values())]:
        took = [seconds_to(row["curves"][way], aim) for way in WAYS]
        ratio = "" if None in took else f", ratio {took[1] / took[0]:.2f}"  # type: ignore[operator]
        print(f"{row['variant']} seed {row['seed']}: {aim:.3f} after {took[0]} s, plain {took[1]} s{ratio}")
    print(f"  best: {best['edgekit']:.3f}, plain {best['plain']:.3f}", flush=True)


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", nargs="?", choices=["compare", "work"], default="compare", help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="session")
    parser.add_argument("--variants", nargs="+", default=["accurate", "edge"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--aims", type=float, nargs="+", default=[0.8, 0.9, 0.95])
    parser.add_argument("--most-s", type=float, default=600.0, help="end both after the epoch that passes this")
    parser.add_argument("--results", type=Path, default=Path("time-to-accuracy.jsonl"))
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--variant", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.mode == "work":
        work(arguments)
        return
    for variant in arguments.variants:
        for seed in arguments.seeds:
            row = side_by_side(arguments, variant, seed)
            with arguments.results.open("a") as file:
                file.write(json.dumps(row) + "\n")
            show(row, arguments.aims)


if __name__ == "__main__":
    main()
