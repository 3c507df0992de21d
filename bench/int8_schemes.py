"""The INT8 and INT4 schemes against fp32 and each other: size, accuracy on validation takes, latency of one take.

    python bench/int8_schemes.py --data my-signs.npz
    python bench/int8_schemes.py --plain              # sessions with ONNX Runtime's own options, not edgekit's

Trains LSTM 64x1 and 256x3 (the first layer of the latter in both directions) for a few epochs, exports and quantises
them. int4 without fine-tuning. Latency: the files take turns in one process, take by take, one thread; medians, and the
median of the pairwise ratios to fp32. This host's figures: read the ratios. On Arm cores without SDOT (Raspberry Pi 3
and 4) integers are hardly faster: see the counts in edgekit/device/estimate.py.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from edgekit.data import (
    SynthConfig,
    canonical_takes,
    fit_normalisation,
    load_recordings,
    split_recordings,
    synthesise_hands,
)
from edgekit.export import export_onnx
from edgekit.model import build_model, variant
from edgekit.quantize import QuantizeConfig, quantize_onnx
from edgekit.quantize.gates import int8_loss
from edgekit.runtime.child import plain_options, session_options
from edgekit.train import SchedulerConfig, Takes, TrainingConfig, train_model

F32 = NDArray[np.float32]
SCHEMES = ("int8-weights", "int8-dynamic", "int4-weights")
MODELS = (("LSTM 64x1", "edge"), ("LSTM 256x3", "accurate"))


def alternating_ns(files: Sequence[Path], takes: F32, runs: int, plain: bool = False) -> NDArray[np.int64]:
    """Nanoseconds of each run, int64 (runs, files). Who goes first turns round; the first tenth is thrown away.
    plain: sessions with ONNX Runtime's own options."""
    options = (plain_options if plain else session_options)(onnxruntime, 1)
    sessions = [onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"]) for file in files]
    samples = np.zeros((runs + runs // 10, len(files)), np.int64)
    for k in range(len(samples)):
        feed = {"landmarks": takes[k % len(takes)][None]}
        for which in np.roll(np.arange(len(files)), k):
            started = time.perf_counter_ns()
            sessions[which].run(None, feed)
            samples[k, which] = time.perf_counter_ns() - started
    return samples[runs // 10 :]


def read_parts(data: Path | None) -> tuple[Takes, Takes, tuple[str, ...]]:
    """(train, validation, class names), split by day."""
    recordings = load_recordings(data) if data else synthesise_hands(SynthConfig())
    x, split = canonical_takes(recordings, 30), split_recordings(recordings)
    parts = (Takes(x[index], recordings.labels[index]) for index in (split.train, split.validation))
    return *parts, recordings.class_names


def compare(title: str, name: str, arguments: argparse.Namespace, folder: Path) -> None:
    """Train one variant, print a row a file."""
    train, validation, class_names = read_parts(arguments.data)
    model = build_model(variant(name), fit_normalisation(train.x, "hand", True), len(class_names))
    cosine = SchedulerConfig(type="cosine")
    settings = TrainingConfig(epochs=arguments.epochs, lr_scheduler=cosine, early_stopping=None)
    train_model(model, train, validation, settings)
    fp32 = folder / f"{name}.onnx"
    export_onnx(model.eval(), fp32, class_names=class_names)
    files = [fp32]
    for scheme in SCHEMES:
        config = QuantizeConfig(scheme=scheme)  # type: ignore[arg-type]
        files.append(quantize_onnx(fp32, folder / f"{name}.{scheme}.onnx", config).target)
    samples = alternating_ns(files, validation.x, arguments.runs, arguments.plain)
    for k, (file, form) in enumerate(zip(files, ("fp32", *SCHEMES), strict=True)):
        loss = int8_loss(fp32, file, validation, class_names)
        print(
            f"{title:<11} {form:<13} {file.stat().st_size:>9,} bytes  {100 * loss.int8_accuracy:6.2f} %"
            f"  {loss.changed:>3} of {loss.takes} labels changed  {loss.max_abs_difference:8.1e} in logits"
            f"  p50 {np.median(samples[:, k]) / 1e3:7.1f} us  x{np.median(samples[:, k] / samples[:, 0]):.3f}",
            flush=True,
        )


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="recordings; default: the embedded synthetic hands")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--plain", action="store_true", help="sessions with ONNX Runtime's own options")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for title, name in MODELS:
            compare(title, name, arguments, Path(folder))


if __name__ == "__main__":
    main()
