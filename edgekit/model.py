"""The recurrent classifier: preprocessing, a stack of single-layer LSTM or GRU modules, a dense layer, an output layer.

Axes are batch, time, feature, hidden, classes. Every recurrent layer is a module of its own, so that each may have its
own width after pruning, and so that export and pruning see one layer at a time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from safetensors.torch import load, save
from torch import Tensor, nn

from edgekit.artifacts import parse_json, write_bytes, write_json
from edgekit.config import StageConfig, build
from edgekit.data import HAND_SIZE_FLOOR, LANDMARKS, MIDDLE_BASE, WRIST, Normalisation
from edgekit.errors import ConfigError, ModelFileError, did_you_mean
from edgekit.reading import FileKind, parsing, read_file, read_text

Cell = Literal["lstm", "gru"]
Readout = Literal["mean", "final"]
GATES: dict[str, int] = {"lstm": 4, "gru": 3}
#: The files of `save_model`.
SAVED = FileKind("a model that edgekit saved", ModelFileError, 2**31 - 1, "train it again", "train the model again")
_LAYERS: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}


class ModelConfig(StageConfig):
    """What a user says about a model; `build_model` turns it into one."""

    type: Cell = Field("lstm", description="recurrent cell")
    hidden_size: int = Field(64, ge=1, le=4096, description="units per direction in every recurrent layer")
    num_layers: int = Field(1, ge=1, le=16, description="recurrent layers")
    bidirectional: bool = Field(False, description="whether the first layer runs in both directions")
    dense: int = Field(256, ge=1, le=8192, description="units of the dense ReLU layer")
    dropout: float = Field(0.3, ge=0.0, lt=1.0, description="after each recurrent layer and the dense layer")
    readout: Readout = Field("mean", description="mean of the last layer's outputs over time, or its final states")
    input_init: Literal["xavier", "he"] = Field("xavier", description="first weights from a layer's input, by gate")
    recurrent_init: Literal["orthogonal", "xavier", "he"] = Field(
        "orthogonal", description="first weights from state to state, by gate"
    )
    dense_init: Literal["he", "xavier"] = Field("he", description="first weights of the dense layer")


VARIANTS: Mapping[str, ModelConfig] = {
    "edge": ModelConfig(type="lstm", hidden_size=64, num_layers=1),
    "balanced": ModelConfig(type="gru", hidden_size=128, num_layers=2, bidirectional=True),
    "base": ModelConfig(type="lstm", hidden_size=128, num_layers=2, bidirectional=True),
    "accurate": ModelConfig(type="lstm", hidden_size=256, num_layers=3, bidirectional=True),
}


@dataclass(frozen=True)
class Nominal:
    """What the specification says of a model: about so many parameters, bytes, and seconds a prediction on a CPU."""

    parameters: int
    size_bytes: int
    cpu_s: float


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

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `Architecture(**with hidden_sizes as tuple)` is the way back."""
        return {**asdict(self), "hidden_sizes": list(self.hidden_sizes)}


class Preprocess(nn.Module):
    """Landmarks as recorded to what the first layer reads; the torch twin of `edgekit.data.apply_normalisation`.

    Input and output float32 (batch, time, features).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, normalisation: Normalisation) -> None:
        super().__init__()
        self.kind = normalisation.kind
        self.displacement = normalisation.displacement
        self.register_buffer("mean", torch.as_tensor(normalisation.mean, dtype=torch.float32).clone())
        self.register_buffer("std", torch.as_tensor(normalisation.std, dtype=torch.float32).clone())

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "hand":
            x = _normalise_hands(x, self.displacement)
        return (x - self.mean) / self.std


def _normalise_hands(x: Tensor, displacement: bool) -> Tensor:
    """See `edgekit.data.normalise_hands` for the formula; shapes as there."""
    batch, time, features = x.shape
    points = x.reshape(batch, time, features // (3 * LANDMARKS), LANDMARKS, 3)
    seen = (points != 0).flatten(3).any(dim=3)[..., None]  # (batch, time, hands, 1)
    wrist = points[..., WRIST, :]
    relative = points - wrist[..., None, :]
    across, down, deep = relative[..., MIDDLE_BASE, :].unbind(-1)  # written out: torch.norm rounds otherwise than numpy
    size = (across * across + down * down + deep * deep).sqrt()[..., None].clamp_min(HAND_SIZE_FLOOR)
    relative = relative / size[..., None]
    if displacement:
        first = seen.to(torch.int8).argmax(dim=1, keepdim=True).expand(-1, -1, -1, 3)
        moved = (wrist - wrist.gather(1, first)) / size
        relative = torch.cat([moved[..., None, :], relative[..., 1:, :]], dim=-2)
    return torch.where(seen[..., None], relative, 0.0).reshape(batch, time, features)


class RecurrentClassifier(nn.Module):
    """Landmarks float32 (batch, time, features), as recorded, to logits float32 (batch, classes).

    sequence_length: frames of the takes that it was trained on; None before that. Any number can be given to it, and
    its ONNX file reads so many.
    """

    def __init__(
        self, architecture: Architecture, normalisation: Normalisation, sequence_length: int | None = None
    ) -> None:
        super().__init__()
        self.sequence_length = sequence_length
        self.readout: Readout = architecture.readout
        self.preprocess = Preprocess(normalisation)
        kind = _LAYERS[architecture.cell]
        self.recurrent = nn.ModuleList(
            kind(architecture.input_size(k), hidden, batch_first=True, bidirectional=architecture.directions(k) == 2)
            for k, hidden in enumerate(architecture.hidden_sizes)
        )
        self.dropout = nn.Dropout(architecture.dropout)
        self.dense = nn.Linear(architecture.readout_size, architecture.dense)
        self.output = nn.Linear(architecture.dense, architecture.classes)

    def forward(self, x: Tensor) -> Tensor:
        """x float32 (batch, time, features), raw landmarks. Returns logits float32 (batch, classes)."""
        return self.classify(self.preprocess(x))

    def classify(self, x: Tensor) -> Tensor:
        """The same for x that has been through `preprocess`."""
        final = x
        for layer in self.recurrent:
            x, state = layer(x)
            x = self.dropout(x)
            final = state[0] if isinstance(layer, nn.LSTM) else state
        # The states are (directions, batch, hidden): `x[:, -1]` would hold a reverse state that saw one frame only.
        read = x.mean(dim=1) if self.readout == "mean" else self.dropout(final.transpose(0, 1).flatten(1))
        hidden = torch.relu(self.dense(read))
        logits: Tensor = self.output(self.dropout(hidden))
        return logits

    @property
    def architecture(self) -> Architecture:
        """Read off the tensors, so it is right after pruning, too."""
        first = self.recurrent[0]
        return Architecture(
            cell="lstm" if isinstance(first, nn.LSTM) else "gru",
            features=int(first.input_size),  # type: ignore[arg-type]
            hidden_sizes=tuple(int(layer.hidden_size) for layer in self.recurrent),  # type: ignore[arg-type]
            bidirectional_first=bool(first.bidirectional),
            dense=self.dense.out_features,
            classes=self.output.out_features,
            dropout=self.dropout.p,
            readout=self.readout,
        )

    @property
    def normalisation(self) -> Normalisation:
        """The preprocessing that this model carries."""
        return Normalisation(
            self.preprocess.kind,
            self.preprocess.displacement,
            self.preprocess.mean.cpu().numpy(),
            self.preprocess.std.cpu().numpy(),
        )


def build_model(
    config: ModelConfig,
    normalisation: Normalisation,
    classes: int,
    seed: int = 0,
    *,
    sequence_length: int | None = None,
) -> RecurrentClassifier:
    """A fresh model; the same seed gives the same weights, however many threads torch has.

    sequence_length: frames that its ONNX file reads; None: as many as it is trained on.

    Initialisation as configured: Xavier uniform (Glorot and Bengio 2010), He uniform (He et al. 2015) or orthogonal
    (Saxe et al. 2014), the recurrent layers' gate by gate; output layer Xavier, LSTM forget bias 1, other biases 0.
    """
    architecture = Architecture(
        cell=config.type,
        features=len(normalisation.mean),
        hidden_sizes=(config.hidden_size,) * config.num_layers,
        bidirectional_first=config.bidirectional,
        dense=config.dense,
        classes=classes,
        dropout=config.dropout,
        readout=config.readout,
    )
    with torch.random.fork_rng(devices=[]), torch_threads(1):  # orthogonal weights round otherwise with more threads
        torch.manual_seed(seed)
        model = RecurrentClassifier(architecture, normalisation, sequence_length)
        for layer in model.recurrent:
            _initialise_recurrent(layer, config)
        _INITS[config.dense_init](model.dense.weight)
        nn.init.xavier_uniform_(model.output.weight)
        nn.init.zeros_(model.dense.bias)
        nn.init.zeros_(model.output.bias)
    return model


@contextlib.contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Inside it torch computes on the CPU with `count` threads, None: with as many as before. It is put back."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(count or before)
        yield
    finally:
        torch.set_num_threads(before)


_INITS: dict[str, Callable[[Tensor], Tensor]] = {
    "xavier": nn.init.xavier_uniform_,
    "he": partial(nn.init.kaiming_uniform_, nonlinearity="relu"),
    "orthogonal": nn.init.orthogonal_,
}


@torch.no_grad()
def _initialise_recurrent(layer: nn.Module, config: ModelConfig) -> None:
    hidden = int(layer.hidden_size)  # type: ignore[arg-type]
    for name, parameter in layer.named_parameters():
        if name.startswith("weight_ih"):
            for gate in parameter.split(hidden):
                _INITS[config.input_init](gate)
        elif name.startswith("weight_hh"):
            for gate in parameter.split(hidden):
                _INITS[config.recurrent_init](gate)
        else:
            nn.init.zeros_(parameter)
            if isinstance(layer, nn.LSTM) and name.startswith("bias_ih"):
                parameter[hidden : 2 * hidden] = 1.0  # torch's gate order is i, f, g, o


def count_parameters(model: nn.Module) -> int:
    """Trainable parameters of any module."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_zeros(model: nn.Module) -> int:
    """Trainable parameters of any module that are exactly zero."""
    return sum(int((parameter == 0).sum()) for parameter in model.parameters())


@torch.no_grad()
def predict_logits(model: nn.Module, x: np.ndarray[Any, Any], batch_size: int = 256) -> np.ndarray[Any, Any]:
    """x float32 (takes, time, features) to logits float32 (takes, classes), in evaluation mode; modes are restored.

    Computes where the model's parameters are.
    """
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        parts = [model(torch.from_numpy(x[k : k + batch_size]).to(device)) for k in range(0, len(x), batch_size)]
    finally:
        for module, was_training in modes:
            module.training = was_training
    return torch.cat(parts).cpu().numpy()


def save_model(model: RecurrentClassifier, folder: Path, class_names: tuple[str, ...]) -> tuple[Path, Path]:
    """Write `model.safetensors` and `model.json` (shape, preprocessing, class names, sequence length) to `folder`;
    returns the paths."""
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    description = {
        "architecture": model.architecture.to_dict(),
        "preprocessing": {"kind": model.preprocess.kind, "displacement": model.preprocess.displacement},
        "class_names": list(class_names),
        "sequence_length": model.sequence_length,
        "parameters": model.architecture.parameters,
    }
    paths = (folder / "model.safetensors", folder / "model.json")
    write_bytes(paths[0], save(weights))
    write_json(paths[1], description)
    return paths


def load_model(folder: Path) -> tuple[RecurrentClassifier, tuple[str, ...]]:
    """The model that `save_model` wrote, in evaluation mode, and its class names. Raises ModelFileError."""
    text, content = read_text(folder / "model.json", SAVED), read_file(folder / "model.safetensors", SAVED)
    with parsing(folder, SAVED):
        description, weights = parse_json(text), load(content)
        shape = description["architecture"]
        architecture = Architecture(**{**shape, "hidden_sizes": tuple(shape["hidden_sizes"])})
        normalisation = Normalisation(
            description["preprocessing"]["kind"],
            description["preprocessing"]["displacement"],
            weights["preprocess.mean"].numpy(),
            weights["preprocess.std"].numpy(),
        )
        model = RecurrentClassifier(architecture, normalisation, _length_in(description))
        model.load_state_dict(weights)
        class_names = tuple(str(name) for name in description["class_names"])
        if len(class_names) != architecture.classes:
            raise ValueError(f"{len(class_names)} class names for {architecture.classes} outputs")
    return model.eval(), class_names


def _length_in(description: Mapping[str, Any]) -> int | None:
    """What a description says; None in files of an edgekit that did not say it."""
    length = description.get("sequence_length")
    if length is not None and (type(length) is not int or length < 1):
        raise ValueError(f"sequence_length {length!r}")
    return length
