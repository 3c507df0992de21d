"""The valid inputs that everything starts from, made once by the product itself."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import yaml

from .foreign import write_foreign

#: A whole job in seconds, on the recordings `letters.npz`.
TINY = (
    "--preset=quick", "--threads=1", "--set=model.hidden_size=8", "--set=model.num_layers=1",
    "--set=student.hidden_size=24", "--set=student.dense=48", "--set=training.epochs=1",
    "--set=distill.training.epochs=1", "--set=distill.copies=1", "--set=prune.recovery.training.epochs=1",
    "--set=bench.repeats=20", "--set=bench.warmup=2", "--set=bench.processes=1", "--set=bench.time_limit_s=1",
)  # fmt: skip
#: A training that has something to resume.
TRAIN = ("train", "edge", "--data=letters.npz", "--workdir=work", *TINY, "--set=training.epochs=3", "--quiet")
WEIGHTS = Path("work/models/edge/model.safetensors")
SETTINGS = {
    "teacher": "balanced",
    "seed": 3,
    "model": {"type": "gru", "hidden_size": 128, "num_layers": 2, "dropout": 0.3, "bidirectional": False},
    "training": {
        "batch_size": 32, "epochs": 100, "learning_rate": 1e-3, "optimizer": "adam",
        "lr_scheduler": {"type": "reduce_on_plateau", "factor": 0.5, "patience": 5, "min_lr": 0.00001},
        "early_stopping": {"patience": 10, "min_delta": 0.001, "monitor": "val_accuracy"},
    },
    "data": {"sequence_length": 30, "augmentation": True, "augmentation_probability": 0.5},
    "loss": {"type": "categorical_crossentropy", "label_smoothing": 0.1},
    "regularization": {"dropout": 0.3, "l2_weight": 0.0001},
    "student": {"variant": "edge", "bidirectional": True},
    "distill": {"temperature": 4},
}  # fmt: skip
PROFILE = {"max_model_mb": 10, "max_latency_ms": 1000, "latency_percentile": 90, "max_ram_mb": 500, "threads": 1}


def run(*arguments: str) -> tuple[int, str]:
    """A command in this process: its exit code and what it said on stdout."""
    from edgekit.cli import run_cli

    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run_cli(list(arguments))
    if code not in (0, 3, 4, 130):
        sys.exit(f"edgekit {' '.join(arguments)}: exit {code}: {err.getvalue()}")
    return code, out.getvalue()


def write_recordings(folder: Path) -> None:
    """Twelve takes of three letters, with hands and pictures, in every layout; some takes one by one; a stream."""
    from edgekit.data import SynthConfig, save_recordings, synthesise_hands

    made = synthesise_hands(SynthConfig(people=2, takes_per_letter=2))
    save_recordings(folder / "letters.npz", made)
    few = made.take(np.flatnonzero(made.labels < 3))
    lengths = None if few.lengths is None else np.minimum(few.lengths, 10)
    few = replace(few, sequences=few.sequences[:, :10].copy(), lengths=lengths, class_names=few.class_names[:3])
    few = replace(
        few, hand=np.resize(["L", "R", ""], few.takes), aspect=np.resize([4 / 3, 16 / 9, np.nan, 9 / 16], few.takes)
    )
    data = folder / "data"
    data.mkdir()
    for name, layout in (
        ("hands.npz", "npz"),
        ("hands.csv", "csv"),
        ("hands.parquet", "parquet"),
        ("takes", "takes"),
        ("frames", "frames"),
    ):
        save_recordings(data / name, few, layout)
    np.save(data / "take.npy", few.sequences[0])
    frames = [json.dumps([round(float(value), 4) for value in frame]) for frame in few.sequences[0]]
    (data / "stream.txt").write_text("\n".join(frames * 2) + "\n")


def write_models(folder: Path) -> None:
    """edgekit's own forms of one small model, and foreign ones."""
    from edgekit.data import fit_normalisation, load_recordings
    from edgekit.export import export_onnx
    from edgekit.model import ModelConfig, build_model
    from edgekit.quantize import QuantizeConfig, quantize_onnx

    models = folder / "models"
    models.mkdir()
    found = load_recordings(folder / "data" / "hands.npz")
    normalisation = fit_normalisation(found.sequences, "hand", displacement=True)
    for name, settings in (
        ("lstm", {"hidden_size": 16, "dense": 24}),
        ("gru", {"type": "gru", "hidden_size": 16, "num_layers": 2}),
    ):
        model = build_model(ModelConfig.model_validate(settings), normalisation, classes=3)
        export_onnx(model, models / f"{name}.onnx", class_names=found.class_names, sequence_length=30)
        quantize_onnx(models / f"{name}.onnx", models / f"{name}.int8.onnx", QuantizeConfig(min_elements=256))
    quantize_onnx(models / "lstm.onnx", models / "lstm.dynamic.onnx", QuantizeConfig(scheme="int8-dynamic"))
    write_foreign(models)


def write_texts(folder: Path, profiles: Path) -> None:
    """Settings, profiles, class names, and what an earlier bench said."""
    (folder / "settings.yaml").write_text(yaml.safe_dump(SETTINGS))
    (folder / "limits.yaml").write_text(yaml.safe_dump(PROFILE))
    shutil.copy(profiles / "raspberry-pi-4b.yaml", folder / "board.yaml")
    (folder / "names.txt").write_text("A\nB\nC\n")
    bench = (
        "bench",
        "models/lstm.int8.onnx",
        "--repeats=20",
        "--processes=1",
        "--time-limit=1",
        "--profile=limits.yaml",
        "--json",
    )
    (folder / "baseline.json").write_text(run(*bench, "--workdir=none")[1])


def write_work(folder: Path) -> None:
    """A finished work directory, and an interrupted one with what it ends in when nobody interrupts it."""
    from edgekit.cli.progress import Console

    run("run", "--data=letters.npz", "--workdir=finished", *TINY, "--quiet")
    for place, broken in (("whole", False), ("broken", True)):
        home = folder / place
        home.mkdir()
        shutil.copy(folder / "letters.npz", home / "letters.npz")
        os.chdir(home)
        epoch = Console.epoch

        def stop(self: Any, stage: str, found: Any, broken: bool = broken, epoch: Any = epoch) -> None:
            if broken and found.epoch == 2:
                raise KeyboardInterrupt
            epoch(self, stage, found)

        with mock.patch.object(Console, "epoch", stop):
            code, _ = run(*TRAIN)
        if code != (130 if broken else 0):
            sys.exit(f"{place}: exit {code}")
    os.chdir(folder)


def make_seeds(folder: Path, full: bool) -> None:
    """All of them, in a folder that does not exist yet. full: with a finished work directory, an interrupted training
    and what it ends in, which takes some 20 s longer."""
    import edgekit

    profiles = Path(edgekit.__file__).parents[1] / "profiles"
    folder.mkdir(parents=True)
    os.chdir(folder)
    write_recordings(folder)
    write_models(folder)
    write_texts(folder, profiles)
    if full:
        write_work(folder)
    (folder / "done").write_text("full" if full else "light")
