"""Fine-tuning with rounded weights: they are the file's own numbers, no step is lost, and it helps where they hurt."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from edgekit.distill import DistillConfig, distill_model, distillation_loss
from edgekit.export import export_onnx
from edgekit.model import RecurrentClassifier, predict_logits
from edgekit.quantize import QuantizeConfig, quantize_onnx
from edgekit.quantize.fine_tuning import RoundedWeights, equalised, fine_tune, rounded, rounded_names
from edgekit.quantize.integers import dequantize_rows, unpack_integers
from edgekit.runtime import open_predictor
from edgekit.train import Takes, TrainingConfig, train_model

TinyModel = Callable[..., RecurrentClassifier]
Learnable = tuple[Takes, Takes]

CELLS = [("lstm", False, "int8-weights"), ("lstm", True, "int4-weights"), ("gru", True, "int8-weights")]


def rounds(model: RecurrentClassifier, bits: int, config: QuantizeConfig | None = None) -> RoundedWeights:
    """A projection that has begun, so that the model's weights are rounded."""
    found = RoundedWeights(rounded_names(model, config or QuantizeConfig(min_elements=1)), bits)
    found.begin_epoch(model, 0)
    return found


@pytest.mark.parametrize(("cell", "both", "scheme"), CELLS)
def test_rounded_weights_are_those_of_the_exported_file_to_the_last_bit(
    tiny_model: TinyModel, tmp_path: Path, cell: str, both: bool, scheme: Any
) -> None:
    """Of the fp32 file of the rounded model, too, whose rows the exporter has put into ONNX's order: a scale is
    computed anew from rounded numbers, so that a float may differ in its last bit."""
    config = QuantizeConfig(scheme=scheme, min_elements=200)
    model = equalised(tiny_model(type=cell, bidirectional=both, num_layers=2, dense=30))
    rounds(model, config.bits, config)
    fp32, target = tmp_path / "fp32.onnx", tmp_path / "rounded.onnx"
    export_onnx(model, fp32, class_names=("A", "B", "C"))
    result = quantize_onnx(fp32, target, config)
    floats = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(fp32).graph.initializer}
    stored = {tensor.name: tensor for tensor in onnx.load(target).graph.initializer}
    names = [tensor.name for tensor in result.proof.tensors]
    assert names == ["W0", "R0", "W1", "R1", "dense_weight"]
    for name in names:
        q = unpack_integers(stored[f"{name}_int{config.bits}"])
        scale = numpy_helper.to_array(stored[f"{name}_scale"]).astype(np.float32).reshape(-1)
        read = dequantize_rows(q.reshape(len(scale), -1), scale, 0)
        np.testing.assert_array_max_ulp(read.reshape(floats[name].shape), floats[name], maxulp=1)
    x = np.random.default_rng(0).uniform(0.2, 0.8, (5, 30, 63)).astype(np.float32)
    np.testing.assert_allclose(open_predictor(target)(x), predict_logits(model, x), atol=1e-5)


def test_what_is_rounded_is_what_the_file_rounds(tiny_model: TinyModel, tmp_path: Path) -> None:
    """Dense weights below min_elements stay float in both."""
    model, config = tiny_model(dense=30), QuantizeConfig(min_elements=200)  # dense 30 x 8, output 3 x 30
    export_onnx(model, tmp_path / "m.onnx", class_names=("A", "B", "C"))
    proof = quantize_onnx(tmp_path / "m.onnx", tmp_path / "q.onnx", config).proof
    assert [tensor.name for tensor in proof.tensors] == ["W0", "R0", "dense_weight"]
    assert rounded_names(model, config) == ("recurrent.0.weight_ih_l0", "recurrent.0.weight_hh_l0", "dense.weight")


def test_steps_smaller_than_a_scale_add_up_until_a_weight_is_rounded_up() -> None:
    """The gradient passes the rounding as if it were not there: three steps of 0.2 scales bring 0 to 1."""
    layer = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[7.0, 0.1]]))  # one scale is 1
    projection = RoundedWeights(("weight",), bits=4)
    projection.begin_epoch(layer, 0)
    shown = []
    for _ in range(3):
        with torch.no_grad():
            layer.weight[0, 1] += 0.2
        projection.apply(layer)
        shown.append(layer.weight.tolist()[0])
    assert shown == [[7.0, 0.0], [7.0, 0.0], [7.0, 1.0]]
    assert projection.behind["weight"][0, 1].item() == pytest.approx(0.7)


def test_a_weight_that_was_pruned_to_zero_stays_zero() -> None:
    layer = nn.Linear(3, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[7.0, 0.0, 2.0]]))
    projection = RoundedWeights(("weight",), bits=8)
    projection.begin_epoch(layer, 0)
    for _ in range(2):
        with torch.no_grad():
            layer.weight += 5.0
        projection.apply(layer)
        projection.begin_epoch(layer, 1)
    assert layer.weight[0, 1].item() == 0.0
    assert layer.weight[0, 0].item() == pytest.approx(17.0, rel=2**-11)


def test_a_run_that_goes_on_knows_the_weights_behind() -> None:
    layer = nn.Linear(4, 2, bias=False)
    first = RoundedWeights(("weight",), bits=4)
    first.begin_epoch(layer, 0)
    with torch.no_grad():
        layer.weight += 0.01
    again, other = RoundedWeights(("weight",), bits=4), copy.deepcopy(layer)
    again.load_state_dict(first.state_dict())
    first.apply(layer)
    again.begin_epoch(copy.deepcopy(layer), 1)
    again.apply(other)
    assert torch.equal(layer.weight, other.weight)
    assert torch.equal(layer.weight, rounded(first.behind["weight"], 4))


@pytest.mark.parametrize("both", [False, True])
def test_equalised_columns_are_alike_and_compute_the_same(tiny_model: TinyModel, both: bool) -> None:
    model = tiny_model(bidirectional=both)
    with torch.no_grad():
        model.recurrent[0].weight_ih_l0[:, 3] *= 50.0
        model.recurrent[0].weight_ih_l0[:, 5] = 0.0
        if both:
            model.recurrent[0].weight_ih_l0_reverse[:, 5] = 0.0
    before = copy.deepcopy(model.state_dict())
    found = equalised(model)
    x = np.random.default_rng(0).uniform(0.2, 0.8, (4, 30, 63)).astype(np.float32)
    np.testing.assert_allclose(predict_logits(found, x), predict_logits(model, x), atol=2e-6)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    weights = [w for name, w in found.recurrent[0].named_parameters() if name.startswith("weight_ih")]
    size = torch.cat(weights).detach().square().mean(dim=0).sqrt()
    assert size[5] == 0.0
    others = size[torch.arange(63) != 5]
    assert (others.max() / others.min()).item() == pytest.approx(1.0, rel=1e-4)
    factor = before["preprocess.std"] / found.preprocess.std
    assert factor.log().mean().item() == pytest.approx(0.0, abs=1e-5)


def test_it_helps_where_rounding_hurts(tiny_model: TinyModel, learnable: Learnable) -> None:
    """To 2 bits a weight is its row's scale, minus that, or 0: rounded as it was, the model answers otherwise than it
    did; after some epochs under itself it is far nearer to what it was. A quarter leaves room for other machines'
    rounding: a tenth was measured."""
    train, validation = learnable
    options: dict[str, Any] = {
        "batch_size": 9,
        "keep": "last",
        "early_stopping": None,
        "lr_scheduler": {"type": "cosine"},
    }
    teacher = tiny_model(dropout=0.0)
    train_model(teacher, train, validation, TrainingConfig(epochs=12, learning_rate=0.02, **options))
    plain, tuned = equalised(teacher), equalised(teacher)
    rounds(plain, 2)
    recovery = DistillConfig(alpha=1.0, training=TrainingConfig(epochs=25, learning_rate=0.01, **options))
    projection = RoundedWeights(rounded_names(tuned, QuantizeConfig(min_elements=1)), 2)
    distill_model(teacher, tuned, train, validation, recovery, projection=projection)
    wanted, labels = torch.from_numpy(predict_logits(teacher, train.x)), torch.from_numpy(train.labels)
    hurt, left = (
        distillation_loss(torch.from_numpy(predict_logits(model, train.x)), wanted, labels, 2.0, 1.0).item()
        for model in (plain, tuned)
    )
    assert left < 0.25 * hurt
    for name in projection.names:
        weight = tuned.get_parameter(name).detach()
        assert len(torch.unique(weight[0])) <= 3
        torch.testing.assert_close(weight, rounded(weight, 2))


def test_it_leaves_the_model_and_gives_one_that_is_rounded(tiny_model: TinyModel, learnable: Learnable) -> None:
    train, validation = learnable
    model, config = tiny_model(), QuantizeConfig(scheme="int4-weights", min_elements=1)
    before = copy.deepcopy(model.state_dict())
    recovery = DistillConfig(training=TrainingConfig(epochs=1, batch_size=8, early_stopping=None))
    found = fine_tune(model, tiny_model(1), train, validation, recovery, config)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not found.model.training
    weight = found.model.dense.weight
    torch.testing.assert_close(weight, rounded(weight, 4))
    assert len(found.fit.history) == 1
