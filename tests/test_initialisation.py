"""How a model begins: the laws of its first weights, and the places of its dropout."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from edgekit.data import Normalisation
from edgekit.export import export_onnx
from edgekit.model import GATES, ModelConfig, RecurrentClassifier, build_model, load_model, save_model, torch_threads

CLASSES = 26
CELLS = ("lstm", "gru")


def built(normalisation: Normalisation, seed: int = 0, **said: Any) -> RecurrentClassifier:
    shape = {"hidden_size": 64, "num_layers": 2, "bidirectional": True}
    return build_model(ModelConfig(**{**shape, **said}), normalisation, CLASSES, seed)


def gates(model: RecurrentClassifier, prefix: str) -> Iterator[Tensor]:
    """Every gate's own matrix, of all layers and directions."""
    for layer in model.recurrent:
        for name, weight in layer.named_parameters():
            if name.startswith(prefix):
                assert len(weight) == GATES["lstm" if isinstance(layer, nn.LSTM) else "gru"] * layer.hidden_size
                yield from weight.detach().split(layer.hidden_size)


def assert_uniform(weight: Tensor, bound: float) -> None:
    """Within the bound and near it, and with a uniform distribution's variance, bound^2 / 3. Of n draws its standard
    error is a part sqrt(0.8 / n), the smallest matrix here has 1664; six of them are allowed."""
    assert weight.abs().max() <= bound
    assert weight.abs().max() > 0.97 * bound
    assert float(weight.var()) == pytest.approx(bound**2 / 3, rel=6 * math.sqrt(0.8 / weight.numel()))


def xavier_bound(weight: Tensor) -> float:
    """Glorot and Bengio 2010, equation 16."""
    return math.sqrt(6 / (weight.shape[0] + weight.shape[1]))


def he_bound(weight: Tensor) -> float:
    """He et al. 2015, equation 10, as a uniform distribution of variance 2 / fan-in."""
    return math.sqrt(6 / weight.shape[1])


BOUNDS = {"xavier": xavier_bound, "he": he_bound}


@pytest.mark.parametrize("cell", CELLS)
def test_the_same_seed_gives_the_same_weights_however_many_threads_torch_has(
    normalisation: Normalisation, cell: str
) -> None:
    """LAPACK's orthogonal matrices of 64 units and more round otherwise with more threads."""
    before, made = torch.get_num_threads(), []
    for threads in (1, 2, 4):
        with torch_threads(threads):
            made.append(built(normalisation, type=cell).state_dict())
            assert torch.get_num_threads() == threads, "put back"
    assert torch.get_num_threads() == before
    for other in made[1:]:
        assert all(torch.equal(tensor, other[name]) for name, tensor in made[0].items())


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("rule", BOUNDS)
def test_input_weights_have_their_bound_gate_by_gate(normalisation: Normalisation, cell: str, rule: str) -> None:
    """Taken over all gates at once, Xavier's fan-out would be four times as large and the bound smaller."""
    for gate in gates(built(normalisation, type=cell, input_init=rule), "weight_ih"):
        assert_uniform(gate, BOUNDS[rule](gate))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("rule", BOUNDS)
def test_recurrent_weights_have_their_bound_gate_by_gate(normalisation: Normalisation, cell: str, rule: str) -> None:
    for gate in gates(built(normalisation, type=cell, recurrent_init=rule), "weight_hh"):
        assert_uniform(gate, BOUNDS[rule](gate))


@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_weights_keep_a_states_length_unless_told_otherwise(normalisation: Normalisation, cell: str) -> None:
    """Saxe et al. 2014: W W^T is the identity, for every gate's own matrix."""
    for gate in gates(built(normalisation, type=cell), "weight_hh"):
        torch.testing.assert_close(gate @ gate.T, torch.eye(len(gate)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("rule", BOUNDS)
def test_the_dense_layer_has_its_bound_and_the_output_layer_keeps_xaviers(
    normalisation: Normalisation, rule: str
) -> None:
    model = built(normalisation, dense_init=rule)
    assert_uniform(model.dense.weight.detach(), BOUNDS[rule](model.dense.weight))
    assert_uniform(model.output.weight.detach(), xavier_bound(model.output.weight))


@pytest.mark.parametrize("cell", CELLS)
def test_biases_are_zero_but_an_lstms_forget_gate_starts_open(normalisation: Normalisation, cell: str) -> None:
    """torch adds two bias vectors; their sum is 1 for the forget gate, the second of four (Jozefowicz et al. 2015)."""
    model = built(normalisation, type=cell)
    for layer in model.recurrent:
        biases = dict(layer.named_parameters())
        for name in (name for name in biases if name.startswith("bias_ih")):
            total = (biases[name] + biases[name.replace("_ih", "_hh")]).detach().split(layer.hidden_size)
            wanted = [0.0, 1.0, 0.0, 0.0] if cell == "lstm" else [0.0, 0.0, 0.0]
            assert [gate.unique().tolist() for gate in total] == [[value] for value in wanted]
    assert not model.dense.bias.any()
    assert not model.output.bias.any()


def test_the_same_seed_gives_the_weights_that_it_gave_before_they_could_be_chosen(
    normalisation: Normalisation,
) -> None:
    """Noted before the settings existed. The orthogonal ones come from LAPACK, so a few last digits are left open."""
    model = built(normalisation, seed=7, type="lstm", num_layers=1, bidirectional=False)
    noted = {
        "recurrent.0.weight_ih_l0": [0.010655, 0.041217, -0.157551],
        "recurrent.0.weight_hh_l0": [0.006089, 0.017998, 0.189654],
        "dense.weight": [0.240497, -0.126626, -0.248832],
        "output.weight": [-0.000344, -0.100374, -0.071033],
    }
    for name, values in noted.items():
        assert model.state_dict()[name].flatten()[:3].tolist() == pytest.approx(values, abs=2e-6)


# Dropout.


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_dropout_stands_after_each_recurrent_layer_and_the_dense_one_and_nowhere_else(
    normalisation: Normalisation, cell: str, layers: int
) -> None:
    """Told by what goes into each dropout and what its output goes into."""
    model = built(normalisation, type=cell, num_layers=layers).train()
    places = [module for module in model.modules() if isinstance(module, nn.Dropout)]
    assert places == [model.dropout]
    assert all(layer.dropout == 0 for layer in model.recurrent), "torch's own would be a second one"
    calls: list[tuple[nn.Module, Tensor, Any]] = []
    for module in (*model.recurrent, model.dropout, model.dense, model.output):
        module.register_forward_hook(lambda module, given, out: calls.append((module, given[0], out)))
    model(torch.rand(2, 6, 63))
    order = [module for layer in model.recurrent for module in (layer, model.dropout)]
    assert [module for module, _, _ in calls] == [*order, model.dense, model.dropout, model.output]
    for k in range(layers):
        (_, _, (made, _)), (_, dropped, passed) = calls[2 * k : 2 * k + 2]
        assert dropped is made
        follows = calls[2 * k + 2][1]
        torch.testing.assert_close(follows, passed.mean(dim=1) if k == layers - 1 else passed, rtol=0, atol=0)
    (_, _, hidden), (_, dropped, passed), (_, last, _) = calls[-3:]
    torch.testing.assert_close(dropped, torch.relu(hidden), rtol=0, atol=0)
    assert last is passed


def test_the_exported_file_has_no_dropout(normalisation: Normalisation, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    model = built(normalisation, hidden_size=8, dropout=0.9).train()
    names = tuple(f"class {k}" for k in range(CLASSES))
    export_onnx(model, file, class_names=names, sequence_length=30)
    found = {node.op_type for node in onnx.load(file).graph.node}
    assert "LSTM" in found
    assert not [name for name in found if "Dropout" in name or "Random" in name or "Bernoulli" in name]


# What was saved before.


def test_a_model_saved_before_the_first_weights_could_be_chosen_is_read(
    normalisation: Normalisation, tmp_path: Path
) -> None:
    """Its description as it was written then; how the weights began is no part of a trained model."""
    shape = {"type": "gru", "hidden_size": 8, "num_layers": 1, "bidirectional": False, "dense": 16}
    model = built(normalisation, **shape, input_init="he")
    save_model(model, tmp_path, tuple(f"class {k}" for k in range(CLASSES)))
    described = json.loads((tmp_path / "model.json").read_text())
    then = {
        "cell": "gru", "features": 63, "hidden_sizes": [8], "bidirectional_first": False, "dense": 16,
        "classes": CLASSES, "dropout": 0.3, "readout": "mean",
    }  # fmt: skip
    assert described["architecture"] == then
    described["architecture"] = then
    (tmp_path / "model.json").write_text(json.dumps(described))
    loaded, _ = load_model(tmp_path)
    x = torch.from_numpy(np.random.default_rng(0).uniform(0.2, 0.8, (2, 6, 63)).astype(np.float32))
    torch.testing.assert_close(loaded(x), model.eval()(x), rtol=0, atol=0)
