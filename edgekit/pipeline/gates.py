"""What the ONNX files have to pass before they count: parity with torch, and INT8's accuracy against fp32."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import nn

from edgekit.artifacts import scratch_folder
from edgekit.config import StageConfig
from edgekit.errors import GateError
from edgekit.evaluate import predict_batches
from edgekit.export import Standardisation, verify_parity
from edgekit.quantize import QuantizeConfig, quantize_onnx
from edgekit.runtime import open_predictor
from edgekit.train import Takes

STANDARDISATIONS: tuple[Standardisation, ...] = ("fold", "explicit")


class GatesConfig(StageConfig):
    """Limits on what export and quantisation may change, checked on validation takes."""

    max_parity_difference: float = Field(1e-5, gt=0.0, description="torch against fp32 ONNX, in logits")
    max_accuracy_drop: float = Field(0.02, ge=0.0, le=1.0, description="fp32 ONNX to INT8, as a ratio")


@dataclass(frozen=True)
class Int8Loss:
    """INT8 against its fp32 parent on the same takes. Accuracies are ratios, the difference is in logits.

    changed: takes whose predicted class differs.
    """

    takes: int
    fp32_accuracy: float
    int8_accuracy: float
    mean_abs_difference: float
    max_abs_difference: float
    changed: int

    @property
    def accuracy_drop(self) -> float:
        """fp32 - int8; negative when INT8 is better."""
        return self.fp32_accuracy - self.int8_accuracy

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "accuracy_drop": self.accuracy_drop}


def logits_of(path: Path, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """x (takes, time, features) to logits (takes, classes), through ONNX Runtime."""
    return predict_batches(open_predictor(path), x)


def int8_loss(fp32: Path, int8: Path, takes: Takes) -> Int8Loss:
    """Compare two files on labelled takes."""
    before, after = logits_of(fp32, takes.x), logits_of(int8, takes.x)
    difference = np.abs(after - before)
    return Int8Loss(
        takes=len(takes),
        fp32_accuracy=float((before.argmax(1) == takes.labels).mean()),
        int8_accuracy=float((after.argmax(1) == takes.labels).mean()),
        mean_abs_difference=float(difference.mean()),
        max_abs_difference=float(difference.max()),
        changed=int((before.argmax(1) != after.argmax(1)).sum()),
    )


@dataclass(frozen=True)
class Trial:
    """One way to standardise: fp32 parity with torch and the INT8 file's mean difference, both in logits."""

    parity: float
    int8_mean_abs_difference: float


def least_lossy_standardisation(
    export: Callable[[Path, Standardisation], nn.Module], config: QuantizeConfig, gates: GatesConfig, takes: Takes
) -> tuple[Standardisation, dict[str, Trial]]:
    """Where zero mean and unit variance cost least in INT8: folded into the first layer, or as nodes of their own.

    export: writes the fp32 file and returns the torch model. Returns the choice and each way's trial on `takes`
    (validation). One that fails the parity gate is not chosen, unless both do.
    """
    trials: dict[str, Trial] = {}
    with scratch_folder("trial") as folder:
        for name in STANDARDISATIONS:
            fp32, int8 = folder / f"{name}.onnx", folder / f"{name}.int8.onnx"
            parity = verify_parity(export(fp32, name), fp32, takes.x).max_abs_difference
            quantize_onnx(fp32, int8, config)
            trials[name] = Trial(parity, int8_loss(fp32, int8, takes).mean_abs_difference)

    def cost(name: Standardisation) -> tuple[bool, float]:
        trial = trials[name]
        difference = trial.int8_mean_abs_difference
        fails = not trial.parity <= gates.max_parity_difference  # NaN passes nothing
        return fails or math.isnan(difference), difference

    return min(STANDARDISATIONS, key=cost), trials


def check_gates(gates: GatesConfig, metrics: Mapping[str, Any]) -> None:
    """metrics: of the stage `quantize`, with `parity` and `int8`. The files stay where they are.

    Raises GateError when parity or the accuracy drop is beyond its limit.
    """
    difference, loss = metrics["parity"]["max_abs_difference"], metrics["int8"]
    if not difference <= gates.max_parity_difference:  # NaN passes nothing
        raise GateError(
            f"model.onnx: logits differ from torch's by {difference:.1e} on {metrics['parity']['takes']} takes, allowed"
            f" {gates.max_parity_difference:.1e}; please report this as a bug"
        )
    if not loss["accuracy_drop"] <= gates.max_accuracy_drop:
        raise GateError(
            f"INT8 loses {100 * loss['accuracy_drop']:.1f} points of accuracy on {loss['takes']} validation takes,"
            f" allowed {100 * gates.max_accuracy_drop:.1f}: train longer, or raise gates.max_accuracy_drop"
        )
