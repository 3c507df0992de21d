"""Proof that the ONNX file computes what the torch model computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from edgekit.errors import GateError, require_kind
from edgekit.evaluate import predict_batches
from edgekit.model import predict_logits
from edgekit.reading import StrPath
from edgekit.results import Parity
from edgekit.runtime import open_predictor, validate_input

F32 = NDArray[np.float32]

#: Both sides compute in float32; sums of a few hundred products in another order differ by about 1e-6.
TOLERANCE = 1e-5


@dataclass(frozen=True)
class ParityResult(Parity):
    """Parity of a torch model and the ONNX file at `path`."""

    path: Path

    def require(self) -> ParityResult:
        """Itself when passed. Raises GateError otherwise."""
        if not self.passed:
            raise GateError(
                f"{self.path}: logits differ from the torch model's by {self.max_abs_difference:.2e} on"
                f" {self.takes} takes; allowed {self.tolerance:.0e}; export it again, or report a bug"
            )
        return self


def verify_parity(model: nn.Module, path: StrPath, x: F32, tolerance: float = TOLERANCE) -> ParityResult:
    """Compare torch and ONNX Runtime on raw takes x float32 (takes, time, features).

    Does not raise when they differ: call `require` for the gate. Raises ShapeError for an x that the file
    can't take.
    """
    path = Path(path)
    require_kind(model, nn.Module, "verify_parity: model", "a torch.nn.Module")
    predictor = open_predictor(path)
    values = validate_input(x, (None, *predictor.input_shape[1:]), "parity takes")
    expected = predict_logits(model, values)
    got = predict_batches(predictor, values)
    return ParityResult(float(np.abs(got - expected).max()), len(values), tolerance, path)
