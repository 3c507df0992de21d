"""What the stage `quantize` found: parity, the form that was made, what it loses, and why it is this form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgekit.results.choice import FineTuning, SchemeChoice
from edgekit.results.quantization import Int8Loss, Parity, QuantizeResult, StandardisationTrial


@dataclass(frozen=True)
class NoSign:
    """How the file for the device tells that nobody signs.

    threshold: of the energy of an answer, in nats. lost: part of the `takes` that it costs, which training and
    validation know and which were read rightly before. told: part of synthetic hands that sign nothing which it tells.
    """

    threshold: float
    takes: int
    lost: float
    told: float


@dataclass(frozen=True)
class QuantizationFigures:
    """What the stage `quantize` found on validation takes.

    standardisation: the way that was chosen among `standardisation_trials`. parity: torch against ONNX fp32. int8: the
    file with rounded weights against ONNX fp32; quantized: that file, proven; both None where fp32 was chosen. tuning:
    what fine-tuning did, None where there was none. choice: how the scheme was chosen, None where it was said. no_sign:
    None where the file has no rule for it.
    """

    standardisation: str
    standardisation_trials: Mapping[str, StandardisationTrial]
    parity: Parity
    int8: Int8Loss | None
    quantized: QuantizeResult | None
    tuning: FineTuning | None = None
    choice: SchemeChoice | None = None
    no_sign: NoSign | None = None

    @property
    def scheme(self) -> str:
        """Of the file for the device."""
        return "fp32" if self.quantized is None else self.quantized.scheme

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `tuning`, `no_sign` and `choice` only where there are any."""
        return {
            "standardisation": self.standardisation,
            "standardisation_trials": {name: asdict(trial) for name, trial in self.standardisation_trials.items()},
            "parity": self.parity.to_dict(),
            "int8": self.int8 and self.int8.to_dict(),
            "quantized": self.quantized and self.quantized.to_dict(),
            **({} if self.tuning is None else {"tuning": self.tuning.to_dict()}),
            **({} if self.no_sign is None else {"no_sign": asdict(self.no_sign)}),
            **({} if self.choice is None else {"choice": self.choice.to_dict()}),
        }
