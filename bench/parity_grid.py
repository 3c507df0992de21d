"""How far ONNX files are from torch, for every shape of model: LSTM and GRU, 1 to 3 layers, the first in one direction
or both, read out by mean or final states, whole and pruned to half, at batch 1 and 5.

    python bench/parity_grid.py --data my-signs.npz

Weights are random, takes real with --data, else synthetic. For each form the worst difference of a logit over all
models and takes: from torch in the same arithmetic (on dequantised weights; for int8-dynamic with activations rounded
as ONNX Runtime does), which is float32's rounding alone, and for both int8 forms from the fp32 model, which is the
whole loss.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgekit.data import (
    Normalisation,
    SynthConfig,
    canonical_takes,
    fit_normalisation,
    load_recordings,
    synthesise_hands,
)
from edgekit.evaluate import predict_batches
from edgekit.export import export_onnx
from edgekit.model import ModelConfig, RecurrentClassifier, build_model, predict_logits
from edgekit.prune import ratio_for, remove_units
from edgekit.quantize import QuantizeConfig, dequantize_rows, quantize_onnx, quantize_rows
from edgekit.runtime import open_predictor

F32 = NDArray[np.float32]
GRID = list(itertools.product(("lstm", "gru"), (1, 2, 3), (False, True), ("mean", "final")))
BATCHES = (1, 5)

#: What is compared: the lines of the output.
FP32, STORED, COMPUTED = (f"{name} file, same arithmetic" for name in ("fp32", "int8-weights", "int8-dynamic"))
STORED_LOSS, COMPUTED_LOSS = "int8-weights file, fp32 model", "int8-dynamic file, fp32 model"


@torch.no_grad()
def dequantised(model: RecurrentClassifier, config: QuantizeConfig) -> RecurrentClassifier:
    """A copy whose weights are what int8 with one scale a row keeps of them, as `config` chooses them by size.

    Made from torch's rows, not from the file's: gates in another order, directions one by one. With int8-dynamic an
    LSTM's weights count whatever their size.
    """
    copied = copy.deepcopy(model)
    groups = [([linear.weight], config.min_elements, True) for linear in (copied.dense, copied.output)]
    for layer in copied.recurrent:
        computed = config.scheme == "int8-dynamic" and isinstance(layer, nn.LSTM)
        least = 1 if computed else config.min_elements
        for name in ("weight_ih", "weight_hh"):
            own = [weight for key, weight in layer.named_parameters() if key.startswith(name)]
            groups.append((own, least, not computed))
    for weights, least, half in groups:
        if sum(weight.numel() for weight in weights) >= least:
            for weight in weights:
                weight.copy_(torch.from_numpy(dequantize_rows(*quantize_rows(weight.numpy(), 0, half=half), 0)))
    return copied


def dynamic_logits(model: RecurrentClassifier, takes: F32) -> F32:
    """Logits float32 (takes, classes) in int8-dynamic's arithmetic, take by take; model: already `dequantised`."""
    with torch.no_grad():
        return np.concatenate([_dynamic_take(model, torch.from_numpy(take[None])).numpy() for take in takes])


def _dynamic_take(model: RecurrentClassifier, take: torch.Tensor) -> torch.Tensor:
    x = model.preprocess(take)[0]
    for layer in model.recurrent:
        ways = [_lstm_states(layer, x, "")]
        if layer.bidirectional:
            ways.append(_lstm_states(layer, x.flip(0), "_reverse"))
        final = torch.cat([states[-1] for states in ways])
        x = torch.cat([ways[0], *(states.flip(0) for states in ways[1:])], dim=1)
    hidden = torch.relu(model.dense(x.mean(dim=0) if model.readout == "mean" else final))
    logits: torch.Tensor = model.output(hidden)[None]
    return logits


def _lstm_states(layer: nn.Module, x: torch.Tensor, way: str) -> torch.Tensor:
    """Hidden states (time, hidden) of x (time, in): x is rounded as a whole, the state before each step."""
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    weight, recurrent, *biases = (getattr(layer, name + way) for name in names)
    entering = rounded(x) @ weight.T + sum(biases)
    state = cell = torch.zeros(recurrent.shape[1])
    states = []
    for step in entering:
        i, f, g, o = (step + rounded(state) @ recurrent.T).chunk(4)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        state = o.sigmoid() * cell.tanh()
        states.append(state)
    return torch.stack(states)


def rounded(values: torch.Tensor) -> torch.Tensor:
    """To uint8 and back: one scale and one zero point for all values, so that 0 and both ends are kept."""
    low, high = values.min().clamp(max=0), values.max().clamp(min=0)
    scale = (high - low) / 255
    if scale == 0:
        return values
    zero = (-low / scale).round()
    return ((values / scale).round() + zero).clamp(0, 255).sub(zero) * scale


def differences(model: RecurrentClassifier, folder: Path, takes: F32, min_elements: int = 1024) -> dict[str, float]:
    """The worst difference in logits of every pair of file and reference that the model has.

    takes: float32 (takes, time, features). Files are left in `folder`.
    """
    names = tuple(str(k) for k in range(model.architecture.classes))
    export_onnx(model, folder / "fp32.onnx", class_names=names, sequence_length=takes.shape[1])
    plain = predict_logits(model, takes)
    found = {FP32: max(_distance(folder / "fp32.onnx", takes, plain, batch) for batch in BATCHES)}
    pairs = {"int8-weights": (STORED, STORED_LOSS, BATCHES), "int8-dynamic": (COMPUTED, COMPUTED_LOSS, (1,))}
    for scheme, (rounding, loss, batches) in pairs.items():
        if scheme == "int8-dynamic" and model.architecture.cell == "gru":
            continue
        config = QuantizeConfig(scheme=scheme, min_elements=min_elements)  # type: ignore[arg-type]
        path = folder / f"{scheme}.onnx"
        quantize_onnx(folder / "fp32.onnx", path, config)
        same = predict_logits if scheme == "int8-weights" else dynamic_logits
        reference = same(dequantised(model, config), takes)
        found[rounding] = max(_distance(path, takes, reference, batch) for batch in batches)
        found[loss] = max(_distance(path, takes, plain, batch) for batch in batches)
    return found


def _distance(path: Path, takes: F32, reference: F32, batch: int) -> float:
    return float(np.abs(predict_batches(open_predictor(path), takes, batch) - reference).max())


def models(normalisation: Normalisation, units: Sequence[int], classes: int) -> Iterator[RecurrentClassifier]:
    """Every shape of every width, whole and pruned to half of its parameters."""
    for width, (cell, layers, bidirectional, readout) in itertools.product(units, GRID):
        config = ModelConfig(
            type=cell,  # type: ignore[arg-type]
            hidden_size=width,
            num_layers=layers,
            bidirectional=bidirectional,
            readout=readout,  # type: ignore[arg-type]
        )
        model = build_model(config, normalisation, classes, seed=width).eval()
        yield model
        yield remove_units(model, ratio_for(model.architecture, 0.5))


def read_takes(data: Path | None, count: int) -> tuple[F32, Normalisation]:
    """(takes, statistics of all): `count` takes of 30 frames, evenly spread over the recordings."""
    recordings = load_recordings(data) if data else synthesise_hands(SynthConfig(people=2, takes_per_letter=4))
    x = canonical_takes(recordings, 30)
    index = np.linspace(0, len(x) - 1, min(count, len(x))).round().astype(np.int64)
    return x[index], fit_normalisation(x, "hand", displacement=True)


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="recordings; default: the embedded synthetic hands")
    parser.add_argument("--units", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--takes", type=int, default=32)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    takes, normalisation = read_takes(arguments.data, arguments.takes)
    worst: dict[str, float] = defaultdict(float)
    checked, largest, started_s = 0, 0.0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for model in models(normalisation, arguments.units, classes=26):
            for name, value in differences(model, Path(folder), takes).items():
                worst[name] = max(worst[name], value)
            largest = max(largest, float(np.abs(predict_logits(model, takes)).max()))
            checked += 1
    took_s = time.monotonic() - started_s
    print(f"{checked} models (half of them pruned), {len(takes)} takes of {takes.shape[1:]} each, {took_s:.0f} s")
    print(f"{largest:10.2e}  largest logit")
    for name, value in worst.items():
        print(f"{value:10.2e}  {name}")


if __name__ == "__main__":
    main()
