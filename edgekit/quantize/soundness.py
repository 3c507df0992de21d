"""Whether a model's weights can be worked on: their shapes, their numbers, and whether there are any."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import onnx

from edgekit.errors import InputError, ModelFileError
from edgekit.quantize.coverage import left_float, recurrent_nodes
from edgekit.quantize.origins import restores, trace, uncast
from edgekit.quantize.rows import COVERED, Place, covered_places, resting_places
from edgekit.quantize.scopes import OWN_DOMAINS, RECURRENT, Scope, Scopes, node_title
from edgekit.quantize.settings import QuantizeConfig
from edgekit.quantize.weights import find_weights
from edgekit.results import LeftFloat

_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
#: Fewest and most inputs of the operators whose weights are worked on.
_INPUTS = {"LSTM": (3, 8), "GRU": (3, 6), "RNN": (3, 6), "Gemm": (2, 3), "MatMul": (2, 2),
           "Conv": (2, 3), "ConvTranspose": (2, 3)}  # fmt: skip
_CODES = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8, onnx.TensorProto.INT4, onnx.TensorProto.UINT4)
#: Operators whose float tensors have to be finite.
_WEIGHTED = set(COVERED)


def check_readable(model: onnx.ModelProto, name: str) -> None:
    """Raises ModelFileError for a tensor, wherever it is, that onnx can't read, as in segments. name: of the file."""
    for held in Scopes(model).held.values():
        try:
            held.values()
        except Exception as failure:  # ValueError, TypeError, KeyError and numpy's own, by what is wrong with it
            reason = (str(failure).strip().splitlines() or [type(failure).__name__])[0].rstrip(".")
            raise ModelFileError(
                f"{name}: tensor '{held.name}' can't be read ({reason}); export the model again"
            ) from None


def check_unquantised(model: onnx.ModelProto, name: str) -> None:
    """Raises InputError, naming them, where weights are stored as integers that the graph scales, as edgekit's own
    are; those of DequantizeLinear are seen before. name: of the file."""
    rests = (rest for place in covered_places(Scopes(model)) for rest in resting_places(place, _restored))
    found = list(dict.fromkeys(rest.name for rest in rests if _restored(rest)))
    if found:
        listed = ", ".join(f"'{each}'" for each in found[:4]) + (", ..." if len(found) > 4 else "")
        raise InputError(
            f"{name}: quantised already (integers times their scales make {listed}); give the fp32 file that it was"
            " made from"
        )


def _restored(place: Place) -> bool:
    owner = place.scope.defining(place.name)
    if place.name not in owner.producers:
        return False
    node = owner.nodes[owner.producers[place.name]]
    return restores(owner, node) or _scales_shifted(owner, node)


def _scales_shifted(scope: Scope, node: onnx.NodeProto) -> bool:
    """Whether a node multiplies integers of 8 bits or fewer from which a zero point was taken off, in floats."""
    if node.op_type != "Mul" or node.domain not in OWN_DOMAINS:
        return False
    makers = [scope.nodes[scope.producers[name]] for name in node.input if name in scope.producers]
    shifted = [each.input[0] for each in makers if each.op_type == "Sub" and each.domain in OWN_DOMAINS]
    codes = [uncast(scope, name) for name in shifted]
    return any(each is not None and each.kind in _CODES and each.elements > 1 for each in codes)


def check_sound(model: onnx.ModelProto, name: str) -> None:
    """Raises ModelFileError for an operator with too few or too many inputs, for weights of a recurrent layer that have
    not the shape of such, for two tensors of one name, and for NaN or infinity in weights, naming each. name: of the
    file."""
    scopes = Scopes(model)
    for title, reason in (*_malformed(scopes), *_twice(scopes)):
        raise ModelFileError(f"{name}: {title} {reason}; the file is damaged, export it again")
    spoiled = list(_spoiled(scopes))
    if spoiled:
        raise ModelFileError(
            f"{name}: {'; '.join(spoiled)}; train the model again, or export it from a good checkpoint"
        )


def _malformed(scopes: Scopes) -> Iterator[tuple[str, str]]:
    for scope in scopes.all:
        for node in scope.nodes:
            if node.domain not in OWN_DOMAINS or node.op_type not in _INPUTS:
                continue
            least, most = _INPUTS[node.op_type]
            if not least <= len(node.input) <= most or not all(node.input[:least]):
                yield node_title(node), f"has {len(node.input)} inputs, expected {least} to {most}"
            elif node.op_type in RECURRENT:
                shapes = [scope.tensors[each].shape if each in scope.tensors else None for each in node.input[1:3]]
                yield from ((node_title(node), reason) for reason in _misshapen(node, *shapes))


def _twice(scopes: Scopes) -> Iterator[tuple[str, str]]:
    """Tensors of a graph whose name another one has, too: runtimes take either."""
    for scope in scopes.all:
        names = Counter(each.name for each in getattr(scope.proto, "initializer", ()))
        yield from ((f"tensor '{name}'", f"is there {count} times") for name, count in names.items() if count > 1)


def _misshapen(
    node: onnx.NodeProto, weight: tuple[int, ...] | None, recurrent: tuple[int, ...] | None
) -> Iterator[str]:
    """Shapes of W (directions, gates * hidden, in) and R (directions, gates * hidden, hidden) that are not so."""
    attributes = {item.name: item for item in node.attribute}
    gates = _GATES[node.op_type]
    hidden = attributes["hidden_size"].i if "hidden_size" in attributes else None
    both = "direction" in attributes and attributes["direction"].s == b"bidirectional"
    for part, shape in (("W", weight), ("R", recurrent)):
        if shape is None:
            continue
        size = "x".join(map(str, shape))
        wanted = (2 if both else 1, shape[1] if hidden is None and len(shape) == 3 else gates * (hidden or 0))
        if len(shape) != 3 or shape[:2] != wanted:
            yield f"has {part} of shape {size or '()'}, expected {wanted[0]}x{wanted[1]}x..."
        elif part == "R" and shape[1] != gates * shape[2]:
            yield f"has R of shape {size}, expected {gates} * hidden rows for hidden columns"


def _spoiled(scopes: Scopes) -> Iterator[str]:
    """Tensors with NaN, and with infinity where an operator multiplies by them. Single numbers are no weights."""
    weights = _weights(scopes)
    for held in scopes.floats():
        if held.elements < 2:
            continue
        values = np.asarray(held.values())
        with np.errstate(invalid="ignore"):  # float8's NaN says so when it becomes float64
            wide = values if values.dtype.kind in "fc" else values.astype(np.float64)
        count = int((~np.isfinite(wide) if held.key in weights else np.isnan(wide)).sum())
        if count:
            yield f"{count:,} of the {held.elements:,} numbers of '{held.name}' are NaN or infinite"


def _weights(scopes: Scopes) -> set[str]:
    places = [
        (scope, name)
        for scope in scopes.all
        for node in scope.nodes
        if node.op_type in _WEIGHTED and node.domain in OWN_DOMAINS
        for name in node.input
        if name in scope.tensors
    ]
    places += [(scope, name) for scope, node in recurrent_nodes(scopes) for name in node.input[1:4]]
    return {origin.held.key for origin in trace(scopes, places).origins if origin.held is not None}


def nothing_to_quantise(model: onnx.ModelProto, config: QuantizeConfig, name: str) -> InputError:
    """The error for a model without a weight that the scheme covers: what it has, and what helps."""
    least = config.min_elements
    small = find_weights(model, 1)
    start = f"{name}: nothing to quantise:"
    if small:
        largest = max(small, key=lambda weight: int(np.prod(weight.shape)))
        size = int(np.prod(largest.shape))
        return InputError(
            f"{start} its largest weight of {', '.join(COVERED)} is '{largest.name}' with {size} elements, and the"
            f" least to quantise is {least}; lower it with --set quantize.min_elements={size}, though little is saved"
        )
    left = left_float(Scopes(model), least)
    if not left:
        return InputError(f"{start} it holds no float tensor of {least} elements or more, wherever one looks")
    shown = "; ".join(_described(each) for each in left[:6]) + ("; ..." if len(left) > 6 else "")
    return InputError(
        f"{start} of its {len(left)} float tensors of {least} elements or more none is a weight of an operator"
        f" {', '.join(COVERED)} that can be int8: {shown}"
    )


def _described(left: LeftFloat) -> str:
    size = "x".join(map(str, left.shape))
    reader = f" of {', '.join(left.of)}" if left.of else ""
    return f"'{left.name}' {left.dtype} {size}{reader}" + (f" ({left.reason})" if left.reason else "")


__all__ = ["check_readable", "check_sound", "check_unquantised", "nothing_to_quantise"]
