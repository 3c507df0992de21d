"""The recurrent classifier: preprocessing, a stack of single-layer LSTM or GRU modules, a dense layer, an output layer.

Axes are batch, time, feature, hidden, classes. Every recurrent layer is a module of its own, so that each may have its
own width after pruning, and so that export and pruning see one layer at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from edgekit.data import HAND_SIZE_FLOOR, LANDMARKS, MIDDLE_BASE, WRIST, Normalisation
from edgekit.errors import InputError, require_kind
from edgekit.model.architecture import Architecture, ModelConfig, Readout
from edgekit.model.modules import torch_threads

_LAYERS: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}


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

    sequence_length: frames that its ONNX file reads; None: as many as it is trained on. Raises InputError for arguments
    of another kind.

    Initialisation as configured: Xavier uniform (Glorot and Bengio 2010), He uniform (He et al. 2015) or orthogonal
    (Saxe et al. 2014), the recurrent layers' gate by gate; output layer Xavier, LSTM forget bias 1, other biases 0.
    """
    require_kind(config, ModelConfig, "build_model: config", "a ModelConfig, such as VARIANTS['edge']")
    require_kind(normalisation, Normalisation, "build_model: normalisation", "a Normalisation, from fit_normalisation")
    require_kind(classes, int, "build_model: classes", "a whole number")
    if classes < 1:
        raise InputError(f"build_model: classes is {classes}; expected at least 1")
    architecture = Architecture.of(config, len(normalisation.mean), classes)
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
