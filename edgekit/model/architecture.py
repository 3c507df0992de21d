"""What a model may look like: settings, named variants, and the exact shape of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pydantic import Field

from edgekit.config import StageConfig, build
from edgekit.errors import ConfigError, did_you_mean
from edgekit.results import Nominal

Cell = Literal["lstm", "gru"]
Readout = Literal["mean", "final"]
GATES: dict[str, int] = {"lstm": 4, "gru": 3}


class ModelConfig(StageConfig):
    """What a user says about a model; `build_model` turns it into one."""

    type: Cell = Field(default="lstm", description="recurrent cell")
    hidden_size: int = Field(default=64, ge=1, le=4096, description="units per direction in every recurrent layer")
    num_layers: int = Field(default=1, ge=1, le=16, description="recurrent layers")
    bidirectional: bool = Field(default=False, description="whether the first layer runs in both directions")
    dense: int = Field(default=256, ge=1, le=8192, description="units of the dense ReLU layer")
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0, description="after each recurrent layer and the dense layer")
    readout: Readout = Field(
        default="mean", description="mean of the last layer's outputs over time, or its final states"
    )
    input_init: Literal["xavier", "he"] = Field(
        default="xavier", description="first weights from a layer's input, by gate"
    )
    recurrent_init: Literal["orthogonal", "xavier", "he"] = Field(
        default="orthogonal", description="first weights from state to state, by gate"
    )
    dense_init: Literal["he", "xavier"] = Field(default="he", description="first weights of the dense layer")

    def say_layers(self) -> str:
        """Its recurrent layers for people: `LSTM 256x3`."""
        return f"{self.type.upper()} {self.hidden_size}x{self.num_layers}"


VARIANTS: Mapping[str, ModelConfig] = {
    "edge": ModelConfig(type="lstm", hidden_size=64, num_layers=1),
    "balanced": ModelConfig(type="gru", hidden_size=128, num_layers=2, bidirectional=True),
    "base": ModelConfig(type="lstm", hidden_size=128, num_layers=2, bidirectional=True),
    "accurate": ModelConfig(type="lstm", hidden_size=256, num_layers=3, bidirectional=True),
}


#: The specification's three architectures. Its round figures fit no reading of its drawings exactly: show the true
#: ones beside them.
NOMINAL: Mapping[str, Nominal] = {
    "edge": Nominal(150_000, 600_000, 0.050),
    "balanced": Nominal(500_000, 2_000_000, 0.100),
    "accurate": Nominal(2_000_000, 8_000_000, 0.200),
}


def variant(name: str, overrides: Mapping[str, Any] | None = None) -> ModelConfig:
    """The config of a named variant, single settings replaced. Raises ConfigError for an unknown name or setting."""
    if name not in VARIANTS:
        raise ConfigError(f"unknown variant '{name}'{did_you_mean(name, VARIANTS)}")
    return build(ModelConfig, {**VARIANTS[name].model_dump(), **(overrides or {})}, f"variant {name}")


@dataclass(frozen=True)
class Architecture:
    """The exact shape of one model; after pruning, layers differ in width.

    hidden_sizes: units per direction of each recurrent layer, first to last.
    """

    cell: Cell
    features: int
    hidden_sizes: tuple[int, ...]
    bidirectional_first: bool
    dense: int
    classes: int
    dropout: float = 0.3
    readout: Readout = "mean"

    def directions(self, layer: int) -> int:
        """1 or 2: the first layer may be bidirectional."""
        return 2 if self.bidirectional_first and layer == 0 else 1

    def input_size(self, layer: int) -> int:
        """Features that go into a recurrent layer."""
        return self.features if layer == 0 else self.hidden_sizes[layer - 1] * self.directions(layer - 1)

    @property
    def readout_size(self) -> int:
        """Features that go into the dense layer."""
        last = len(self.hidden_sizes) - 1
        return self.hidden_sizes[last] * self.directions(last)

    @property
    def parameters(self) -> int:
        """Trainable parameters: per layer and direction gates * H * (in + H + 2), then the two linear layers.

        The 2 stands for torch's two bias vectors; the ONNX file has both, too.
        """
        gates = GATES[self.cell]
        recurrent = sum(
            self.directions(k) * gates * hidden * (self.input_size(k) + hidden + 2)
            for k, hidden in enumerate(self.hidden_sizes)
        )
        return recurrent + (self.readout_size + 1) * self.dense + (self.dense + 1) * self.classes

    def macs(self, frames: int = 30) -> int:
        """Multiply-accumulates of one prediction at batch 1: matrix products only, no gates' elementwise work."""
        gates = GATES[self.cell]
        recurrent = sum(
            frames * self.directions(k) * gates * hidden * (self.input_size(k) + hidden)
            for k, hidden in enumerate(self.hidden_sizes)
        )
        return recurrent + self.readout_size * self.dense + self.dense * self.classes

    @classmethod
    def of(cls, config: ModelConfig, features: int, classes: int) -> Architecture:
        """What `build_model` makes of a config, for so many numbers per frame."""
        return cls(
            cell=config.type,
            features=features,
            hidden_sizes=(config.hidden_size,) * config.num_layers,
            bidirectional_first=config.bidirectional,
            dense=config.dense,
            classes=classes,
            dropout=config.dropout,
            readout=config.readout,
        )

    def describe(self) -> str:
        """`LSTM 256x3, bidirectional, dense 256`, for people; units of all layers where these differ."""
        sizes = set(self.hidden_sizes)
        units = f"{sizes.pop()}x{len(self.hidden_sizes)}" if len(sizes) == 1 else "-".join(map(str, self.hidden_sizes))
        both = ", bidirectional" if self.bidirectional_first else ""
        read = "" if self.readout == "mean" else f", readout {self.readout}"
        return f"{self.cell.upper()} {units}{both}, dense {self.dense}{read}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `Architecture(**with hidden_sizes as tuple)` is the way back."""
        return {**asdict(self), "hidden_sizes": list(self.hidden_sizes)}
