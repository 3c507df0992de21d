"""What each variant is, beside what the specification says of it. Imports torch; needs the extra `train`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgekit.artifacts import scratch_folder
from edgekit.data import HAND_FEATURES, Normalisation
from edgekit.export import export_onnx
from edgekit.measure import WorkerRequest, run_worker
from edgekit.model import NOMINAL, VARIANTS, ModelConfig, build_model
from edgekit.quantize import quantize_onnx
from edgekit.results import VariantFigures

#: The reference job: one hand, 26 letters, 30 frames.
CLASSES, FRAMES = 26, 30
LATENCY_REPEATS = 700


def describe_variants(measure: bool = False) -> tuple[VariantFigures, ...]:
    """Every variant, its own directions first, built and exported with random weights. measure: latencies, too."""
    with scratch_folder("variants") as folder:
        return tuple(_describe(name, config, folder, measure) for name, config in _shapes())


def _shapes() -> Iterator[tuple[str, ModelConfig]]:
    for name, config in VARIANTS.items():
        for both in (config.bidirectional, not config.bidirectional):
            yield name, config.model_copy(update={"bidirectional": both})


def _describe(name: str, config: ModelConfig, folder: Path, measure: bool) -> VariantFigures:
    zeros, ones = np.zeros(HAND_FEATURES, np.float32), np.ones(HAND_FEATURES, np.float32)
    model = build_model(config, Normalisation("hand", True, zeros, ones), CLASSES)
    fp32, int8 = folder / "model.onnx", folder / "model.int8.onnx"
    export_onnx(model, fp32, class_names=tuple(f"class {k}" for k in range(CLASSES)), sequence_length=FRAMES)
    quantize_onnx(fp32, int8)
    return VariantFigures(
        name=name,
        layers=config.say_layers(),
        bidirectional=config.bidirectional,
        default=config.bidirectional == VARIANTS[name].bidirectional,
        parameters=model.architecture.parameters,
        macs=model.architecture.macs(FRAMES),
        fp32_bytes=fp32.stat().st_size,
        int8_bytes=int8.stat().st_size,
        latency_p95_s=_latency_p95_s(fp32) if measure else None,
        nominal=NOMINAL.get(name),
    )


def _latency_p95_s(file: Path) -> float:
    result = run_worker(WorkerRequest(file, "latency", repeats=LATENCY_REPEATS))
    return float(np.percentile(result.samples_ns, 95)) / 1e9
