"""Layers that hold units and that probing does not take for what they are, by name, with the reason."""

from __future__ import annotations

from collections.abc import Container

from torch import nn
from torch.nn.utils import parametrize

from edgekit.prune.units import RECURRENT

#: What holds units: layers whose width somebody chose.
_HOLDING = (nn.Linear, nn.RNNBase, nn.RNNCellBase, nn.modules.conv._ConvNd, nn.Embedding, nn.MultiheadAttention)
#: Classes whose units can go.
_PRUNABLE = (*RECURRENT, nn.Linear, nn.Conv1d)


def unknown_layers(module: nn.Module, known: Container[str]) -> dict[str, str]:
    """Why each layer with units that is not known keeps all of them. known: names of those that are."""
    inside = _inside_attention(module)
    return {
        name: _reason(module, name, part)
        for name, part in module.named_modules()
        if isinstance(part, _HOLDING) and name not in known and id(part) not in inside
    }


def _inside_attention(module: nn.Module) -> set[int]:
    """Parts of attention layers, which those compute themselves."""
    owners = [part for part in module.modules() if isinstance(part, nn.MultiheadAttention)]
    return {id(part) for owner in owners for part in owner.modules() if part is not owner}


def _reason(module: nn.Module, name: str, part: nn.Module) -> str:
    if isinstance(part, nn.MultiheadAttention):
        return "attention's units belong to its heads"
    if parametrize.is_parametrized(part):
        return _computed(next(iter(part.parametrizations)), "parametrize.remove_parametrizations(layer, name)")  # type: ignore[arg-type]
    if shared := _shared(module, name, part):
        return shared
    kind = next((each for each in _PRUNABLE if isinstance(part, each)), None)
    if kind is None:
        return f"edgekit can't take units out of {type(part).__name__}"
    if type(part) is not kind:
        return f"it is a {type(part).__name__}, and what a class derived from {kind.__name__} computes is not known"
    if stray := computed_weights(part):
        return _computed(stray[0], "remove_weight_norm, remove_spectral_norm or prune.remove")
    if isinstance(part, nn.Conv1d) and part.groups > 1:
        return "edgekit can't take units out of a Conv1d with groups"
    if isinstance(part, nn.RNNBase):
        return "it is never called, or reads packed takes"
    return "it is never called, or its forward is not called with a tensor"


def _computed(weight: str, remove: str) -> str:
    return f"its {weight} is computed from other parameters; make it a plain one with torch.nn.utils.{remove}"


def _shared(module: nn.Module, name: str, part: nn.Module) -> str:
    """Whose weights a layer's are, too, in words; nothing where they are its own."""
    own = {id(parameter) for parameter in part.parameters()}
    for other, holder in module.named_modules():
        if holder is not part and any(id(parameter) in own for parameter in holder._parameters.values()):
            return f"it shares a weight with {other or 'the module itself'}"
    return ""


def computed_weights(layer: nn.Module) -> list[str]:
    """Weights that hooks compute before every call, as weight_norm's do: no parameters, and not None."""
    names = layer._flat_weights_names if isinstance(layer, nn.RNNBase) else ("weight", "bias")
    return [name for name in names if name not in layer._parameters and getattr(layer, name, None) is not None]
