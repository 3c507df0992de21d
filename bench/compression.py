"""What compression keeps and gains, beside the models that could do without it; over several seeds.

    python bench/compression.py run --data my-signs.npz --split session --results bench/results/compression.jsonl
    python bench/compression.py show bench/results/compression.jsonl

For each seed the real commands make the chain from nothing (`edgekit run --pretrain none`) and, from the same takes:

- scratch: the student on labels alone, with the epochs, batches and rate that distillation has;
- dense: a model as wide as the pruned one was left, on labels alone and, as `dense_distilled`, under the same teacher;
- zeros: the student with half of its weights set to zero instead of units taken out;
- even: as many parameters gone, the same part of every layer's units, instead of recurrent layers' first;
- smaller: more units taken out (--smaller), for a file of about 20 KB.

All files are then run on the same test takes (`edgekit evaluate`) and timed side by side (`edgekit compare`: times are
this host's, read the ratios). A line a seed is appended to --results as it comes; the same command goes on where it
stopped.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

#: Exit codes of a command that came to its end: fits, a constraint missed, undecided, a gate missed.
FINISHED = (0, 3, 4, 5)
#: What a student from scratch shares with the distilled one.
SHARED = ("epochs", "batch_size", "learning_rate", "lr_scheduler", "keep", "early_stopping")
#: Files that take turns, each against the first.
TIMED = ("distilled", "pruned", "int8", "even", "zeros", "dense_distilled", "smaller_int8", "teacher")

Row = dict[str, Any]


def edgekit(*words: str) -> Any:
    """What a command says in JSON; ends the study where it fails."""
    told = [sys.executable, "-m", "edgekit", *words, "--json"]
    finished = subprocess.run(told, stdout=subprocess.PIPE, text=True, check=False)
    if finished.returncode not in FINISHED:
        sys.exit(f"{' '.join(told)}: exit code {finished.returncode}")
    return json.loads(finished.stdout)


def copied(chain: Path, name: str) -> Path:
    """A copy of a finished chain, to prune or distil otherwise; made once."""
    copy = beside(chain, name)
    if not copy.exists():
        unfinished = copy.with_name(copy.name + ".copying")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(chain, unfinished)
        unfinished.rename(copy)
    return copy


def beside(chain: Path, name: str) -> Path:
    """The work directory of another model of the same seed."""
    return chain.with_name(f"{chain.name}-{name}")


def settings(tree: Row, section: str) -> list[str]:
    """--set SECTION.KEY=VALUE for each value in a tree."""
    words: list[str] = []
    for key, value in tree.items():
        inner = isinstance(value, dict)
        words += settings(value, f"{section}.{key}") if inner else ["--set", f"{section}.{key}={json.dumps(value)}"]
    return words


class Seed:
    """The files of one seed, made by the real commands."""

    def __init__(self, arguments: argparse.Namespace, seed: int) -> None:
        self.chain = arguments.workdir / f"{arguments.split}-seed{seed}"
        self.smaller = str(arguments.smaller)
        self.told = ["--seed", str(seed), "--split", arguments.split, "--pretrain", "none"]
        self.told += ["--data", str(arguments.data)] if arguments.data else []
        self.told += ["--threads", str(arguments.threads)] if arguments.threads else []
        self.told += ["--preset", arguments.preset, *arguments.settings]

    def make(self, command: str, workdir: Path, *words: str) -> Any:
        """Run a command in a work directory."""
        return edgekit(command, *words, "--workdir", str(workdir), *self.told)

    def files(self) -> dict[str, Path]:
        """Every model's file, by its name in the table."""
        training = self.make("run", self.chain)["settings"]["distill"]["training"]
        learning = settings({key: training[key] for key in SHARED}, "training")
        pruned = self._as_pruned()
        self.make("train", beside(self.chain, "scratch"), "edge", *learning)
        self.make("train", beside(self.chain, "dense"), *settings(pruned, "model"), *learning)
        self.make("distill", copied(self.chain, "dense-distilled"), *settings(pruned, "student"), "--force")
        self._prune_again("zeros", "--method", "unstructured")
        self._prune_again("even", "--set", "prune.widths=uniform")
        self._prune_again("smaller", "--sparsity", self.smaller)
        return {
            "teacher": self.chain / "models/accurate/model.onnx",
            "scratch": beside(self.chain, "scratch") / "models/edge/model.onnx",
            "distilled": self.chain / "student/model.onnx",
            "pruned": self.chain / "model.onnx",
            "int8": self.chain / "model.int8.onnx",
            "even": beside(self.chain, "even") / "model.onnx",
            "dense": beside(self.chain, "dense") / "models/custom/model.onnx",
            "dense_distilled": beside(self.chain, "dense-distilled") / "student/model.onnx",
            "zeros": beside(self.chain, "zeros") / "model.onnx",
            "smaller": beside(self.chain, "smaller") / "model.onnx",
            "smaller_int8": beside(self.chain, "smaller") / "model.int8.onnx",
        }

    def _as_pruned(self) -> Row:
        """Settings of a model as wide as the pruned one was left."""
        left = json.loads((self.chain / "pruned/model.json").read_text())["architecture"]
        (hidden,) = left["hidden_sizes"]
        sizes = {"type": left["cell"], "hidden_size": hidden, "num_layers": 1, "dense": left["dense"]}
        return {**sizes, "bidirectional": left["bidirectional_first"], "readout": left["readout"]}

    def _prune_again(self, name: str, *words: str) -> None:
        """The same student, pruned otherwise."""
        workdir = copied(self.chain, name)
        for command in ("prune", "quantize"):
            self.make(command, workdir, *(words if command == "prune" else ()), "--force")


def measured(arguments: argparse.Namespace, seed: int) -> Row:
    """One line of results: accuracy on the test takes and bytes of each file, and times side by side."""
    made = Seed(arguments, seed)
    files = made.files()
    models: dict[str, Row] = {}
    for name, file in files.items():
        found = edgekit("evaluate", str(file), "--workdir", str(made.chain))
        models[name] = {"accuracy": found["accuracy"], "takes": found["takes"], "bytes": file.stat().st_size}
    timed = edgekit("compare", *(str(files[name]) for name in TIMED), "--time-limit", str(arguments.time_limit))
    ratios = [{"ratio": 1.0, "low": 1.0, "high": 1.0}, *timed["comparisons"]]
    report = json.loads((made.chain / "report.json").read_text())
    parameters = [row["parameters"] for row in report["models"]]
    return {
        "split": arguments.split,
        "seed": seed,
        "preset": arguments.preset,
        "settings": arguments.settings,
        "data": {**report["data"], "source": Path(report["data"]["source"]).name},
        "models": models,
        "parameters": {"teacher": parameters[0], "distilled": parameters[1], "pruned": parameters[2]},
        "times": dict(zip(TIMED, ({key: row[key] for key in ("ratio", "low", "high")} for row in ratios), strict=True)),
        "weights_smaller": report["quantization"]["quantized"]["proof"]["weight_reduction_ratio"],
        "machine": timed["machine"],
    }


def accuracy(name: str) -> Callable[[Row], float]:
    """Percent of the test takes."""
    return lambda row: float(100 * row["models"][name]["accuracy"])


def less(one: str, other: str) -> Callable[[Row], float]:
    """Points of accuracy by which `one` is ahead of `other`."""
    return lambda row: accuracy(one)(row) - accuracy(other)(row)


def kept(name: str) -> Callable[[Row], float]:
    """Percent of the teacher's accuracy."""
    return lambda row: 100 * accuracy(name)(row) / accuracy("teacher")(row)


def faster(one: str, other: str) -> Callable[[Row], float]:
    """Times as fast, both timed against the same file in the same processes."""
    return lambda row: float(row["times"][other]["ratio"] / row["times"][one]["ratio"])


def gone(row: Row) -> float:
    """Percent of the student's parameters that pruning took."""
    return float(100 - 100 * row["parameters"]["pruned"] / row["parameters"]["distilled"])


#: What is claimed: words, figure, least value that meets it. `compare` calls files alike that are within 2 %.
CLAIMS: tuple[tuple[str, Callable[[Row], float], float], ...] = (
    ("student keeps of the teacher, %", kept("distilled"), 99.0),
    ("student ahead of the same from scratch, points", less("distilled", "scratch"), 0.0),
    ("parameters gone by pruning, %", gone, 50.0),
    ("pruned, times as fast", faster("pruned", "distilled"), 1.4),
    ("pruned ahead of unpruned, points", less("pruned", "distilled"), -0.5),
    ("INT8: weight tensors smaller, %", lambda row: 100 * float(row["weights_smaller"]), 74.0),
    ("INT8 ahead of fp32, points", less("int8", "pruned"), -0.3),
    ("INT8, times as fast as fp32", faster("int8", "pruned"), 0.98),
    ("INT8 keeps of the teacher, %", kept("int8"), 98.0),
    ("INT8, KB below 40", lambda row: 40 - row["models"]["int8"]["bytes"] / 1000, 0.0),
)


def spread(values: Sequence[float]) -> str:
    """Mean and range."""
    return f"{statistics.mean(values):7.2f}  {min(values):7.2f} to {max(values):7.2f}"


def show(arguments: argparse.Namespace) -> None:
    """Models, then claims: mean and range over seeds. A claim is met where the mean is."""
    for split in dict.fromkeys(row["split"] for row in rows(arguments.results)):
        found = [row for row in rows(arguments.results) if row["split"] == split]
        print(f"{split}: seeds {[row['seed'] for row in found]}, {found[0]['data']['test']} test takes")
        for name in found[0]["models"]:
            size = statistics.mean(row["models"][name]["bytes"] for row in found) / 1000
            print(f"  {name:16} {spread([accuracy(name)(row) for row in found])} %  {size:9.1f} KB", end="")
            timed = name in TIMED and name != TIMED[0]
            print(f"  {spread([faster(name, TIMED[0])(row) for row in found])} times as fast" if timed else "")
        for words, figure, least in CLAIMS:
            values = [figure(row) for row in found]
            met = "met" if statistics.mean(values) >= least else "NOT met"
            print(f"  {words:48} {spread(values)}  at least {least:g}: {met}")


def rows(path: Path) -> list[Row]:
    """What has been measured."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run(arguments: argparse.Namespace) -> None:
    """Measure what is not in the results yet."""
    done = {(row["split"], row["preset"], row["seed"]) for row in rows(arguments.results)}
    arguments.workdir.mkdir(parents=True, exist_ok=True)
    for seed in arguments.seeds:
        if (arguments.split, arguments.preset, seed) in done:
            continue
        row = measured(arguments, seed)
        with arguments.results.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(
            f"seed {seed}: "
            + ", ".join(f"{name} {100 * model['accuracy']:.1f}" for name, model in row["models"].items())
        )


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    running = commands.add_parser("run")
    running.add_argument("--data", type=Path, help="recordings; default: the embedded synthetic hands")
    running.add_argument("--split", choices=["session", "signer"], default="session")
    running.add_argument("--preset", default="standard")
    running.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    running.add_argument("--smaller", type=float, default=0.75, help="sparsity of the smaller file")
    running.add_argument("--threads", type=int, help="for training; 1 where several seeds run side by side")
    running.add_argument("--time-limit", type=float, default=60.0, help="seconds of timing a seed")
    running.add_argument("--workdir", type=Path, default=Path("edgekit-work/compression"))
    running.add_argument("--results", type=Path, required=True)
    running.add_argument("--settings", nargs=argparse.REMAINDER, default=[], help="handed on to edgekit; comes last")
    running.set_defaults(command=run)
    showing = commands.add_parser("show")
    showing.add_argument("results", type=Path)
    showing.set_defaults(command=show)
    arguments = parser.parse_args()
    arguments.command(arguments)


if __name__ == "__main__":
    main()
