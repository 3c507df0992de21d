"""What the ONNX files have to pass before they count: parity with torch, and INT8's accuracy against fp32."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import nn

from edgekit.artifacts import scratch_folder
from edgekit.config import StageConfig
from edgekit.errors import GateError, WeakEvidenceError
from edgekit.evaluate import (
    CONFIDENCE,
    Flips,
    LabelledTakes,
    points_interval_text,
    points_text,
    predict_batches,
    score_accuracy,
)
from edgekit.export import Standardisation, verify_parity
from edgekit.quantize.files import quantize_onnx
from edgekit.quantize.settings import QuantizeConfig
from edgekit.results import Int8Loss, Parity, StandardisationTrial
from edgekit.runtime import open_predictor
from edgekit.train import Takes

STANDARDISATIONS: tuple[Standardisation, ...] = ("fold", "explicit")


class GatesConfig(StageConfig):
    """Limits on what export and quantisation may change, checked on validation takes."""

    max_parity_difference: float = Field(default=1e-5, gt=0.0, description="torch against fp32 ONNX, in logits")
    max_accuracy_drop: float = Field(
        default=0.02, ge=0.0, le=1.0, description="accuracy lost from fp32 ONNX to INT8, as a ratio"
    )
    accuracy_drop_margin: float = Field(
        default=0.01, ge=0.0, le=1.0, description="how far beyond max_accuracy_drop the loss's 95 % interval may reach"
    )
    min_retention: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="least part of the teacher's accuracy that student and pruned student keep; null: whatever it is",
    )
    check_teacher: bool = Field(
        default=True,
        description="whether a teacher edgekit did not train is refused when its answers do not fit the labels",
    )


def logits_of(path: Path, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """x (takes, time, features) to logits (takes, classes), through ONNX Runtime."""
    return predict_batches(open_predictor(path), x)


def int8_loss(fp32: Path, int8: Path, takes: Takes, class_names: tuple[str, ...]) -> Int8Loss:
    """Compare two files on labelled takes. class_names: what the takes' labels are indices into."""
    found = score_accuracy(int8, LabelledTakes(takes.x, takes.labels, class_names), fp32)
    parent = found.parent
    if parent is None:  # it was given
        raise GateError(f"{int8}: was not compared with {fp32}; please report this as a bug")
    return Int8Loss(
        takes=parent.flips.takes,
        fp32_accuracy=parent.accuracy,
        int8_accuracy=found.accuracy,
        mean_abs_difference=parent.mean_abs_difference,
        max_abs_difference=parent.max_abs_difference,
        changed=parent.labels_changed,
        lost=parent.flips.lost,
        gained=parent.flips.gained,
    )


def least_lossy_standardisation(
    export: Callable[[Path, Standardisation], nn.Module],
    config: QuantizeConfig,
    gates: GatesConfig,
    takes: Takes,
    class_names: tuple[str, ...],
) -> tuple[Standardisation, dict[str, StandardisationTrial]]:
    """Where zero mean and unit variance cost least in INT8: folded into the first layer, or as nodes of their own.

    export: writes the fp32 file and returns the torch model. Returns the choice and each way's trial on `takes`
    (validation). One that fails the parity gate is not chosen, unless both do.
    """
    trials: dict[str, StandardisationTrial] = {}
    with scratch_folder("trial") as folder:
        for name in STANDARDISATIONS:
            fp32, int8 = folder / f"{name}.onnx", folder / f"{name}.int8.onnx"
            parity = verify_parity(export(fp32, name), fp32, takes.x).max_abs_difference
            quantize_onnx(fp32, int8, config)
            trials[name] = StandardisationTrial(parity, int8_loss(fp32, int8, takes, class_names).mean_abs_difference)

    def cost(name: Standardisation) -> tuple[bool, float]:
        trial = trials[name]
        difference = trial.int8_mean_abs_difference
        fails = not trial.parity <= gates.max_parity_difference  # NaN passes nothing
        return fails or math.isnan(difference), difference

    return min(STANDARDISATIONS, key=cost), trials


def check_gates(gates: GatesConfig, parity: Parity, flips: Flips | None, form: str = "INT8") -> None:
    """flips: of INT8 against fp32, on validation takes; None where the file is fp32. form: how people call the file.
    The files stay where they are.

    Raises GateError when parity is beyond its limit, or the accuracy that INT8 loses is for certain: the interval of
    the takes that flipped lies beyond. WeakEvidenceError when the loss or its interval reaches further than allowed,
    but not for certain: `max_accuracy_drop` for the loss, `accuracy_drop_margin` more for its interval.
    """
    difference = parity.max_abs_difference
    if not difference <= gates.max_parity_difference:  # NaN passes nothing
        raise GateError(
            f"model.onnx: logits differ from torch's by {difference:.1e} on {parity.takes} takes, allowed"
            f" {gates.max_parity_difference:.1e}; please report this as a bug"
        )
    if flips is not None:
        check_loss(flips, gates, form)


def check_loss(flips: Flips, gates: GatesConfig, form: str = "INT8") -> None:
    """The accuracy gate alone. Raises GateError or WeakEvidenceError, as `check_gates` does."""
    limit, furthest = gates.max_accuracy_drop, gates.max_accuracy_drop + gates.accuracy_drop_margin
    if flips.judge(limit) == "fail":
        raise GateError(
            f"{form} loses accuracy: {_drop(flips)}, allowed {100 * limit:.1f}: train longer, or raise"
            " gates.max_accuracy_drop"
        )
    within = flips.drop <= limit
    if within and flips.judge(furthest) == "pass":
        return
    more = _more_takes(flips, furthest if within else limit)
    raise WeakEvidenceError(
        f"{form} may lose more accuracy than the {100 * limit:.1f} points allowed: {_drop(flips)}, where at most"
        f" {100 * furthest:.1f} may be. To tell, give more validation takes{more}, or allow more with"
        " gates.max_accuracy_drop or gates.accuracy_drop_margin"
    )


def _more_takes(flips: Flips, limit: float) -> str:
    """How many would tell, in brackets; empty where no number would."""
    needed = flips.takes_needed(limit)
    if needed is None:
        return ""
    condition = "flips stay as frequent" if flips.lost or flips.gained else "none of their answers flips either"
    return f" (about {needed - flips.takes:,} more if {condition})"


def _drop(flips: Flips) -> str:
    low, high = flips.interval()
    return (
        f"{points_text(flips.drop)} on {flips.takes} validation takes, {points_interval_text(low, high)} with"
        f" {100 * CONFIDENCE:g} % confidence"
    )
