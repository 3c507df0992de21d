"""Which weights stay in more than int8, so that outputs differ by no more than a limit.

Errors of weights add up, and mostly no weight alone is to blame. So each is tried in int8 alone, on the takes that are
furthest off; those that move outputs most for the bytes that they save are kept first, in float16, which is half the
size and hundreds of times as fine, or as they were where that is not enough; those that turn out not to matter go back
to int8.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edgekit.errors import GateError
from edgekit.quantize.differences import largest_difference
from edgekit.quantize.large import free_models, write_large
from edgekit.quantize.making import Prepared
from edgekit.quantize.outputs import Reference
from edgekit.quantize.storing import Kept, can_be_half, in_half, in_integers
from edgekit.quantize.weights import Weight, weights_of_scheme
from edgekit.runtime.session import open_session

#: Takes that a weight alone is tried on, and several together: those that were furthest off.
_FEW, _SOME = 3, 8
_TRIALS = "trials"


class Trials:
    """The prepared model, whose weights can be other numbers in each run: initializers that are inputs, too.

    runs: numbers of the reference's runs, furthest off first. Close it when done.
    """

    def __init__(self, prepared: Prepared, reference: Reference) -> None:
        self._reference = reference
        self.bits = prepared.config.bits
        model = prepared.files.load(prepared.base)
        self.weights = {weight.name: weight for weight in weights_of_scheme(model, prepared.config)}
        tensors = {each.name: each for each in model.graph.initializer if each.name in self.weights}
        self._values = {name: numpy_helper.to_array(tensor) for name, tensor in tensors.items()}
        self.halvable = {
            name for name, weight in self.weights.items() if can_be_half(weight, self._values[name], self.bits)
        }
        for name, tensor in tensors.items():
            model.graph.input.append(helper.make_tensor_value_info(name, tensor.data_type, tensor.dims))
        write_large(model, prepared.files.path(_TRIALS))
        del model, tensors
        free_models(prepared.files[_TRIALS])
        self._session = open_session(prepared.files[_TRIALS], prepared.info.path)

    def close(self) -> None:
        """End the process."""
        self._session.close()

    def difference(self, rounded: Iterable[str], half: Iterable[str], runs: Sequence[int]) -> float:
        """How far outputs are off with some weights rounded and some in float16, the others as they are."""
        given = {name: in_integers(self.weights[name], self._values[name], self.bits) for name in rounded}
        given |= {name: in_half(self._values[name]) for name in half}
        return max(self._apart(given, run) for run in runs)

    def _apart(self, given: Mapping[str, NDArray[Any]], run: int) -> float:
        each = len(self._reference.outputs) // len(self._reference.feeds)
        expected = self._reference.outputs[run * each : (run + 1) * each]
        found = self._session.run(None, {**self._reference.feeds[run], **given})
        return largest_difference(expected, found)[0]


def keep_within(
    prepared: Prepared, reference: Reference, runs: Sequence[int], limit: float, allowed: float
) -> tuple[Kept, float]:
    """The weights to keep so that outputs of these runs, furthest off first, differ by less than `limit`, and how far
    off they are then. allowed: by the user, at least `limit`. Raises GateError where even one weight in int8 is too
    much, ModelFileError where the model can't run so."""
    with closing(Trials(prepared, reference)) as trials:
        few, some = runs[:_FEW], runs[:_SOME]
        alone = {name: trials.difference([name], [], few) for name in trials.weights}
        order = sorted(alone, key=lambda name: alone[name] / saved_bytes(trials.weights[name]), reverse=True)
        least = min(order, key=lambda name: alone[name])

        def off(half: set[str], whole: set[str]) -> float:
            return trials.difference([name for name in order if name not in half | whole], half, some)

        def holds(half: set[str], whole: set[str]) -> bool:
            return off(half, whole) < limit

        others = [name for name in order if name != least]
        tried = [(names, half) for half in (trials.halvable, set()) for names in (order, [*others, least])]
        chosen = next((each for names, half in tried if (each := _first_that_hold(names, half, holds))), None)
        if chosen is None:
            raise _impossible(prepared, reference, allowed, least, alone[least])
        half, whole = _given_back(*chosen, trials, holds)
        named = {name: alone[name] for name in half | whole}
        return Kept(frozenset(half), frozenset(whole), named, allowed, trials.bits), off(half, whole)


def _impossible(prepared: Prepared, reference: Reference, allowed: float, least: str, off: float) -> GateError:
    kind, largest = f"int{prepared.config.bits}", largest_difference(reference.outputs, reference.outputs)[1]
    return GateError(
        f"{prepared.target}: no weight can be {kind} where outputs may differ by {allowed:g} at most, of {largest:.3g}:"
        f" '{least}' moves them least, in {kind} by {off:.3g}, alone; allow more; nothing was written"
    )


Holds = Callable[[set[str], set[str]], bool]


def _first_that_hold(order: Sequence[str], halvable: set[str], holds: Holds) -> tuple[set[str], set[str]] | None:
    """(those in float16, those as they were): the fewest of the first, but not all, with which it holds."""

    def kept(count: int) -> tuple[set[str], set[str]]:
        first = set(order[:count])
        return first & halvable, first - halvable

    low, high = 0, len(order) - 1
    if high < 1 or not holds(*kept(high)):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(*kept(middle)) else (middle, high)
    return kept(high)


def _given_back(half: set[str], whole: set[str], trials: Trials, holds: Holds) -> tuple[set[str], set[str]]:
    """Without those that need not be kept, the largest first, and in float16 what need not be as it was."""
    for name in sorted(half | whole, key=lambda each: -saved_bytes(trials.weights[each])):
        if holds(half - {name}, whole - {name}):
            half, whole = half - {name}, whole - {name}
        elif name in whole & trials.halvable and holds(half | {name}, whole - {name}):
            half, whole = half | {name}, whole - {name}
    return half, whole


def saved_bytes(weight: Weight) -> int:
    """By int8, scales included; at least 1."""
    elements = math.prod(weight.shape)
    rows = math.prod(weight.shape[: weight.axis + 1]) if weight.by_direction else weight.shape[weight.axis]
    size = int(np.dtype(helper.tensor_dtype_to_np_dtype(weight.kind)).itemsize)
    return max(1, elements * size - elements - 4 * rows)
