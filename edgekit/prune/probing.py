"""Who reads a unit, found by experiment: in any module, whatever stands between its layers.

Every layer that is known is made to answer with random numbers in place of its own. Then the numbers of some units of
one layer are replaced by others, and what changes in the inputs of the other layers reads those units. Layers that are
not known, and functions, compute as they always do, so that concatenation, slices, turned axes, sums, attention and
pooling need no rules of their own. Axes: batch, time, feature, hidden.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edgekit.errors import ConfigError
from edgekit.model import plain_attention
from edgekit.prune.units import RECURRENT, suffixes
from edgekit.prune.unknown import computed_weights

#: Layers whose units can go, by their exact class, and the axis from the end that holds their inputs and outputs.
PRUNABLE: Mapping[type[nn.Module], int] = {nn.LSTM: -1, nn.GRU: -1, nn.Linear: -1, nn.Conv1d: -2}
#: Layers that keep every channel apart but for its size, and the axis of their channels.
CHANNELWISE: Mapping[type[nn.Module], int] = {nn.LayerNorm: -1, nn.BatchNorm1d: -2}


@dataclass(frozen=True)
class Layer:
    """What was found about the units of one layer. name: in the module. units: of one direction. readers: for every
    layer that reads them, by name, its input column to the unit that the column holds. trouble: why they can't go, or
    None. answers: whether they reach the module's output as they are."""

    name: str
    units: int
    readers: Mapping[str, Mapping[int, int]]
    trouble: str | None = None
    answers: bool = False


def known_layers(module: nn.Module) -> dict[str, nn.Module]:
    """The layers that probing takes for what they are, by name: of one layer, without groups, weights of their own."""
    owners: dict[int, int] = {}
    for part in module.modules():
        for parameter in part._parameters.values():
            owners[id(parameter)] = owners.get(id(parameter), 0) + (parameter is not None)
    return {
        name: part
        for name, part in module.named_modules()
        if _is_plain(part) and not computed_weights(part) and all(owners[id(p)] == 1 for p in part.parameters())
    }


def _is_plain(part: nn.Module) -> bool:
    if type(part) in RECURRENT:
        return bool(part.num_layers == 1 and not part.proj_size)
    if isinstance(part, nn.LayerNorm):
        return type(part) is nn.LayerNorm and len(part.normalized_shape) == 1
    if isinstance(part, nn.Conv1d):
        return type(part) is nn.Conv1d and part.groups == 1
    return type(part) in PRUNABLE or type(part) in CHANNELWISE


def unit_count(layer: nn.Module) -> int:
    """Units of a layer; those of both directions are one."""
    for name in ("hidden_size", "out_features", "out_channels"):
        if hasattr(layer, name):
            return int(getattr(layer, name))
    raise TypeError(type(layer).__name__)


@dataclass(frozen=True)
class Seen:
    """What a call of the module showed: every layer's inputs and initial states, call by call, and the answer."""

    inputs: Mapping[str, list[Tensor]]
    starts: Mapping[str, list[Tensor]]
    output: Any


class Probe:
    """A module whose known layers answer with random numbers. takes: float32 (takes, time, features)."""

    def __init__(self, module: nn.Module, takes: Tensor) -> None:
        self.module = module
        self.takes = takes
        self.layers = known_layers(module)
        self.shapes = self._called()
        self.generator = torch.Generator().manual_seed(0)
        self.answers = self._draw()
        self.others = self._draw()

    def _called(self) -> dict[str, list[torch.Size]]:
        """Shapes of what each layer answers when it computes as ever, call by call. Layers that are never called, or
        with what is no tensor, are no longer known."""
        shapes: dict[str, list[torch.Size]] = {}
        strange: set[str] = set()

        def note(name: str, inputs: tuple[Any, ...], output: Any) -> None:
            output = output[0] if isinstance(output, tuple) else output
            if isinstance(inputs[0], Tensor) and isinstance(output, Tensor):
                shapes.setdefault(name, []).append(output.shape)
            else:
                strange.add(name)

        def hook(name: str) -> Callable[..., None]:
            return lambda _, inputs, named, output: note(name, (*inputs, *named.values()), output)

        hooks = [part.register_forward_hook(hook(name), with_kwargs=True) for name, part in self.layers.items()]
        try:
            with torch.no_grad():
                self.module(self.takes.clone())
        finally:
            for handle in hooks:
                handle.remove()
        self.layers = {name: layer for name, layer in self.layers.items() if name in shapes and name not in strange}
        return {name: shapes[name] for name in self.layers}

    def _draw(self) -> dict[str, list[Tensor]]:
        return {
            name: [torch.randn(shape, generator=self.generator) for shape in calls]
            for name, calls in self.shapes.items()
        }

    def run(self, name: str | None = None, units: Tensor | None = None) -> Seen:
        """One call of the module. units: bool (units,), those of layer `name` whose numbers are others."""
        inputs: dict[str, list[Tensor]] = {key: [] for key in self.layers}
        starts: dict[str, list[Tensor]] = {key: [] for key in self.layers}

        def answer(key: str, given: tuple[Any, ...]) -> Any:
            call = len(inputs[key])
            inputs[key].append(given[0])
            starts[key] += _tensors(given[1:])
            if type(self.layers[key]) in CHANNELWISE:
                return given[0]
            return self._answer(key, call, units if key == name else None)

        with torch.no_grad(), _answering(self.layers, answer):
            output = self.module(self.takes.clone())
        if short := [key for key, calls in self.answers.items() if len(inputs[key]) != len(calls)]:
            raise _uneven(short[0])
        return Seen(inputs, starts, output)

    def _answer(self, key: str, call: int, units: Tensor | None) -> Any:
        layer = self.layers[key]
        if call >= len(self.answers[key]):
            raise _uneven(key)
        answer = self.answers[key][call]
        if units is not None:
            answer = torch.where(_spread(units, layer, answer), self.others[key][call], answer)
        return _with_states(answer, layer) if type(layer) in RECURRENT else answer


def _uneven(name: str) -> ConfigError:
    return ConfigError(f"{name} is called more often for some takes than for others")


def _tensors(given: tuple[Any, ...]) -> list[Tensor]:
    """Those in arguments, which may be pairs of them."""
    flat = [part for one in given for part in (one if isinstance(one, tuple) else (one,))]
    return [part for part in flat if isinstance(part, Tensor)]


def _spread(units: Tensor, layer: nn.Module, answer: Tensor) -> Tensor:
    """Units (units,) as a mask that fits what the layer answers."""
    channels = units.repeat(len(suffixes(layer))) if type(layer) in RECURRENT else units
    return channels[:, None] if PRUNABLE[type(layer)] == -2 else channels


def _with_states(answer: Tensor, layer: Any) -> Any:
    """A recurrent layer's answer with final states that hold the same units."""
    directions = len(suffixes(layer))
    last = answer[..., -1, :] if layer.batch_first or answer.ndim == 2 else answer[-1]
    final = last.unflatten(-1, (directions, -1)).movedim(-2, 0)
    return answer, (final, -final) if isinstance(layer, nn.LSTM) else final


def _forward(name: str, answer: Callable[[str, tuple[Any, ...]], Any]) -> Callable[..., Any]:
    return lambda *given, **named: answer(name, (*given, *named.values()))


@contextlib.contextmanager
def _answering(layers: Mapping[str, nn.Module], answer: Callable[[str, tuple[Any, ...]], Any]) -> Iterator[None]:
    """Inside it every layer answers with answer(name, inputs)."""
    for name, layer in layers.items():
        layer.forward = _forward(name, answer)
    try:
        yield
    finally:
        for layer in layers.values():
            del layer.forward


def probe_layers(module: nn.Module, takes: Tensor) -> dict[str, Layer]:
    """What is known of every layer that is called and whose class is in PRUNABLE. module: in evaluation mode, on the
    CPU; unchanged. Raises ConfigError for a module that can't be followed."""
    with plain_attention():
        probe = Probe(module, takes)
        return {
            name: _probe_layer(probe, name, unit_count(layer))
            for name, layer in probe.layers.items()
            if type(layer) in PRUNABLE
        }


def _probe_layer(probe: Probe, name: str, units: int) -> Layer:
    """Each unit has a number of a few bits. A bit is asked for twice, with the units that have it and with those that
    don't: a column that changes with exactly one of both, for every bit, holds the unit of that number alone."""
    base = probe.run()
    numbers = torch.arange(units)
    bits = [(numbers >> bit) % 2 == 1 for bit in range(max(1, (units - 1).bit_length()))]
    runs = [probe.run(name, chosen) for bit in bits for chosen in (bit, ~bit)]
    readers, trouble = {}, None
    for key, layer in probe.layers.items():
        passes = torch.stack([_changed(layer, base.inputs[key], run.inputs[key]) for run in runs])
        columns = _decoded(passes)
        if columns is None:
            trouble = f"its units are mixed before {key} reads them"
        elif any(_differ(a, b) for run in runs for a, b in zip(base.starts[key], run.starts[key], strict=True)):
            trouble = f"{key} starts from its units"
        elif columns:
            readers[key] = columns
    return Layer(name, units, readers, trouble, any(_differ(run.output, base.output) for run in runs))


def _differ(one: Any, other: Any) -> bool:
    return not isinstance(one, Tensor) or one.shape != other.shape or not torch.equal(one, other)


def _changed(layer: nn.Module, before: list[Tensor], after: list[Tensor]) -> Tensor:
    """Which input columns of a layer changed, bool (columns,)."""
    axis = PRUNABLE.get(type(layer), CHANNELWISE.get(type(layer), -1))
    changes = []
    for old, new in zip(before, after, strict=True):
        real = (
            axis if old.ndim > 2 or axis == -1 or type(layer) is nn.Conv1d else -1
        )  # BatchNorm1d of (batch, channels)
        differs = ~((old == new) | (old.isnan() & new.isnan()))
        changes.append(differs.movedim(real, -1).flatten(0, -2).any(0))
    return torch.stack(changes).any(0)


def _decoded(passes: Tensor) -> dict[int, int] | None:
    """passes: bool (2 * bits, columns). Column to unit, for columns that hold one; None where one holds several."""
    with_bit, without = passes[0::2], passes[1::2]
    touched = passes.any(0)
    if not torch.all(with_bit[:, touched] != without[:, touched]):
        return None
    weights = 2 ** torch.arange(len(with_bit))
    numbers = (with_bit.long() * weights[:, None]).sum(0)
    return {int(column): int(numbers[column]) for column in touched.nonzero().flatten()}
