"""Units taken out of any module, and the proof that what is left computes as if they had fallen silent.

The proof: of a copy in which nothing reads the units any more, because every weight that reads one is zero, and in
which normalisations look at the other channels only. The module without the units has to answer as that copy does.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from edgekit.errors import EdgekitError
from edgekit.model import UNFIT, first_line
from edgekit.prune.probing import CHANNELWISE, Layer
from edgekit.prune.units import RECURRENT, RecurrentPruner, suffixes

#: Units to take out, by layer.
Units = Mapping[str, Iterable[int]]
#: float32 sums of fewer terms, in another order: about 1e-6 of the largest logit; a wrong column is above 1e-3.
TOLERANCE = 2e-5


def columns_of(layers: Mapping[str, Layer], units: Units) -> dict[str, set[int]]:
    """Input columns of every reader that hold one of the units."""
    found: dict[str, set[int]] = {}
    for name, gone in units.items():
        dropped = set(gone)
        for reader, columns in layers[name].readers.items():
            found.setdefault(reader, set()).update(column for column, unit in columns.items() if unit in dropped)
    return {reader: columns for reader, columns in found.items() if columns}


def without_units(module: nn.Module, layers: Mapping[str, Layer], units: Units) -> nn.Module:
    """A copy of `module` without the units. layers: what probing found in it."""
    smaller = copy.deepcopy(module)
    parts = dict(smaller.named_modules())
    for reader, columns in columns_of(layers, units).items():
        _drop_inputs(parts[reader], columns)
    for name, gone in units.items():
        _drop_outputs(parts[name], set(gone))
    return smaller


def _drop_outputs(layer: Any, gone: set[int]) -> None:
    if type(layer) in RECURRENT:
        hidden = layer.hidden_size
        channels = [direction * hidden + unit for direction in range(len(suffixes(layer))) for unit in gone]
        RecurrentPruner().prune_out_channels(layer, channels)
        return
    kept = _others(layer.weight.shape[0], gone)
    _shrink(layer, "weight", kept, 0)
    _shrink(layer, "bias", kept, 0)
    setattr(layer, "out_features" if isinstance(layer, nn.Linear) else "out_channels", len(kept))


def _drop_inputs(layer: Any, gone: set[int]) -> None:
    if type(layer) in RECURRENT:
        RecurrentPruner().prune_in_channels(layer, sorted(gone))
    elif type(layer) in CHANNELWISE:
        _drop_channels(layer, gone)
    else:
        kept = _others(layer.weight.shape[1], gone)
        _shrink(layer, "weight", kept, 1)
        setattr(layer, "in_features" if isinstance(layer, nn.Linear) else "in_channels", len(kept))


def _drop_channels(layer: Any, gone: set[int]) -> None:
    """Of LayerNorm or BatchNorm1d."""
    width = layer.normalized_shape[0] if isinstance(layer, nn.LayerNorm) else layer.num_features
    kept = _others(width, gone)
    for name in ("weight", "bias", "running_mean", "running_var"):
        _shrink(layer, name, kept, 0)
    if isinstance(layer, nn.LayerNorm):
        layer.normalized_shape = (len(kept),)
    else:
        layer.num_features = len(kept)


def _others(width: int, gone: set[int]) -> Tensor:
    return torch.tensor([k for k in range(width) if k not in gone])


def _shrink(layer: nn.Module, name: str, kept: Tensor, axis: int) -> None:
    old = getattr(layer, name, None)
    if old is None:
        return
    new = old.detach().index_select(axis, kept).contiguous()
    setattr(layer, name, nn.Parameter(new, old.requires_grad) if isinstance(old, nn.Parameter) else new)


def silenced(module: nn.Module, layers: Mapping[str, Layer], units: Units) -> nn.Module:
    """A copy of `module` of the same shape in which nothing reads the units."""
    twin = copy.deepcopy(module)
    parts = dict(twin.named_modules())
    with torch.no_grad():
        for reader, columns in columns_of(layers, units).items():
            _stop_reading(parts[reader], sorted(columns))
        for name, gone in units.items():
            if type(parts[name]) in RECURRENT:
                for suffix in suffixes(parts[name]):
                    getattr(parts[name], f"weight_hh_l0{suffix}")[:, sorted(gone)] = 0.0
    return twin


def _stop_reading(layer: Any, columns: list[int]) -> None:
    if type(layer) in RECURRENT:
        for suffix in suffixes(layer):
            getattr(layer, f"weight_ih_l0{suffix}")[:, columns] = 0.0
    elif isinstance(layer, nn.LayerNorm):
        layer.forward = _norm_of_others(layer, columns)  # type: ignore[method-assign]
    elif not isinstance(layer, nn.BatchNorm1d):  # whose channels are apart as they are
        layer.weight[:, columns] = 0.0


def _norm_of_others(layer: nn.LayerNorm, columns: list[int]) -> Any:
    kept = _others(layer.normalized_shape[0], set(columns))

    def forward(x: Tensor) -> Tensor:
        weight, bias = (None if p is None else p[kept] for p in (layer.weight, layer.bias))
        y = torch.zeros_like(x)
        y[..., kept] = nn.functional.layer_norm(x[..., kept], (len(kept),), weight, bias, layer.eps)
        return y

    return forward


@torch.no_grad()
def removal_error(module: nn.Module, layers: Mapping[str, Layer], units: Units, takes: Tensor) -> str | None:
    """What is wrong with taking the units out, in words; None where the rest computes as if they had fallen silent.

    takes: float32 (takes, time, features), on which both are run, in evaluation mode.
    """
    try:
        got: Any = without_units(module, layers, units).eval()(takes.clone())
        expected: Any = silenced(module, layers, units).eval()(takes.clone())
    except (EdgekitError, *UNFIT) as error:
        return f"it does not work with fewer units: {first_line(error)}"
    difference = float((got - expected).abs().max()) if got.shape == expected.shape else float("inf")
    if not difference <= TOLERANCE * max(1.0, float(expected.abs().max())):
        return f"with fewer units the module computes something else (logits differ by {difference:.1e})"
    return None
