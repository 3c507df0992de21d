"""Pruning of modules of the user's, by every budget and importance, in one step and in several."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import own_modules
import pydantic
import pytest
import torch
from own_modules import made
from torch import nn

from edgekit.data import fit_normalisation
from edgekit.distill import DistillConfig, distill_model
from edgekit.errors import ConfigError, GateError, InputError, InterruptedRunError
from edgekit.export import export_onnx
from edgekit.model import RecurrentClassifier, build_model, count_parameters, count_zeros, predict_logits, variant
from edgekit.prune import PruneConfig, PrunedModule, PruneResult, prune_model
from edgekit.prune.choosing import choose
from edgekit.prune.costs import count_macs
from edgekit.prune.importance import magnitudes, taylor
from edgekit.prune.module import prepared
from edgekit.prune.removal import without_units
from edgekit.prune.structure import study, takes_to_try
from edgekit.quantize import QuantizeConfig, quantize_onnx
from edgekit.train import Epoch, RunSetup, Takes, TrainingConfig

pytestmark = pytest.mark.usefixtures("models_run_here")

TinyModel = Callable[..., RecurrentClassifier]
Learnable = tuple[Takes, Takes]
NAMES = ("A", "B", "C")
#: Of each kind one; the others, 3 s each, with the slow tests.
FEW = ("lstm-2-both", "gru-3-one", "residual", "convolved", "two ways")
NEVER = RunSetup(listener=lambda _: pytest.fail("it trained"))


def config(epochs: int = 1, **settings: Any) -> PruneConfig:
    training = TrainingConfig(epochs=epochs, batch_size=9, learning_rate=0.01, early_stopping=None)
    return PruneConfig(recovery=DistillConfig(training=training, copies=1), **settings)


def pruned(module: nn.Module, learnable: Learnable, said: PruneConfig, **more: Any) -> PrunedModule:
    result = prune_model(module, module, *learnable, said, **more)
    assert isinstance(result, PrunedModule)
    return result


@pytest.mark.parametrize(
    "name", [name if name in FEW else pytest.param(name, marks=pytest.mark.slow) for name in own_modules.ALL]
)
def test_half_of_any_module_goes_and_its_file_is_proven_and_quantised(
    tmp_path: Path, learnable: Learnable, name: str
) -> None:
    module = made(name)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    result = pruned(module, learnable, config(widths="uniform"))
    assert result.before.parameters == count_parameters(module)
    assert result.after.parameters == count_parameters(result.model) <= 0.5 * result.before.parameters
    assert 0.5 <= result.sparsity < 0.75
    assert result.split_difference <= 1e-5
    assert set(result.left.values()) <= {"it has one unit"}
    assert all(result.after.widths[layer] < units for layer, units in result.before.widths.items())
    assert not result.model.training
    assert all(torch.equal(module.state_dict()[key], value) for key, value in before.items())
    export_onnx(result.model, tmp_path / "own.onnx", class_names=NAMES, takes=learnable[1].x)
    small = QuantizeConfig(min_elements=1)
    proof = quantize_onnx(tmp_path / "own.onnx", tmp_path / "own.int8.onnx", small).proof
    assert [one.name for one in proof.left_float if len(one.shape) > 1] == []  # biases and norms stay float


def test_the_rest_recovers(learnable: Learnable) -> None:
    torch.manual_seed(0)
    module = own_modules.Last(63, 3, "gru", 2, True)
    plain = TrainingConfig(epochs=20, batch_size=9, learning_rate=0.01, early_stopping=None)
    assert distill_model(module, module, *learnable, DistillConfig(alpha=0.0, training=plain)).val_accuracy >= 8 / 9
    result = pruned(module, learnable, config(epochs=20))
    accuracy = (predict_logits(result.model, learnable[1].x).argmax(axis=1) == learnable[1].labels).mean()
    assert accuracy == result.recovery.val_accuracy >= 8 / 9


def test_the_result_is_json(learnable: Learnable) -> None:
    result = pruned(made("residual"), learnable, config())
    read = json.loads(json.dumps(result.to_dict()))
    assert read["before"]["parameters"] == result.before.parameters
    assert read["after"]["widths"]["first"] == read["after"]["widths"]["second"]
    assert read["left"] == {"weigh": "it has one unit"}
    assert [step["parameters"] for step in read["steps"]] == [result.after.parameters]


def widths_of(model: nn.Module) -> int:
    return sum(int(part.hidden_size) for part in model.modules() if type(part) in (nn.LSTM, nn.GRU))


@pytest.mark.parametrize("widths", ["uniform", "free", "recurrent"])
@pytest.mark.parametrize("budget", ["parameters", "macs", "units", "latency"])
def test_every_budget_is_met_with_as_few_units_as_it_takes(learnable: Learnable, budget: str, widths: str) -> None:
    module = made("lstm-2-one")
    calls: list[float] = []

    def latency(candidate: nn.Module) -> float:
        assert not candidate.training
        calls.append(0.5 + widths_of(candidate))
        return calls[-1]

    said = config(budget=budget, widths=widths, sparsity=0.4)
    result = pruned(module, learnable, said, **({"latency": latency} if budget == "latency" else {}))
    before, after = result.before, result.after
    costs = {
        "parameters": (before.parameters, after.parameters),
        "macs": (before.macs, after.macs),
        "units": (sum(before.widths.values()), sum(after.widths.values())),
        "latency": (calls[0], calls[-1]) if calls else (0.0, 0.0),
    }
    whole, left = costs[budget]
    assert left <= 0.6 * whole
    assert result.steps[-1].cost == left
    assert len(calls) <= 12
    assert left > 0.45 * whole, "more went than had to"


def test_macs_are_counted_as_edgekits_own_are(tiny_model: TinyModel) -> None:
    for settings in ({"num_layers": 2, "bidirectional": True}, {"type": "gru"}):
        model = tiny_model(**settings)
        assert count_macs(model, torch.randn(2, 30, 63)) == model.architecture.macs(30)
    conv = nn.Sequential(nn.Conv1d(4, 5, 3), nn.Flatten())
    assert count_macs(conv, torch.randn(2, 4, 10)) == 8 * 5 * 4 * 3


def test_units_without_use_go_first_by_either_importance(learnable: Learnable) -> None:
    """Where nothing reads most units of the first layer, free widths take those; uniform ones must take others, too."""
    module: Any = made("lstm-2-one")
    with torch.no_grad():
        for parameter in module.recurrent.parameters():
            if parameter.shape[0] == 48:
                for gate in range(4):
                    parameter[12 * gate + 3 : 12 * gate + 12] *= 1e-3
        module.recurrent.weight_hh_l0[:, 3:] = 0.0
        module.recurrent.weight_ih_l1[:, 3:] = 0.0
    for importance in ("magnitude", "taylor"):
        result = pruned(module, learnable, config(importance=importance, widths="free", sparsity=0.4))
        assert result.after.widths["recurrent.layers.0"] < 8
        assert result.after.widths["dense"] > 8


@pytest.mark.parametrize(("sparsity", "hidden", "dense"), [(0.5, 32, 256), (0.75, 20, 154)])
def test_recurrent_layers_lose_units_first(sparsity: float, hidden: int, dense: int) -> None:
    """Half of the 64-unit student: the dense layer is untouched. Further down it catches up."""
    takes = np.random.default_rng(0).random((8, 30, 63), dtype=np.float32)
    model = build_model(variant("edge"), fit_normalisation(takes, "hand", True), 26, 0).eval()
    structure = study(model, takes_to_try(takes))
    said = PruneConfig(sparsity=sparsity, widths="recurrent")
    allowed = (1 - sparsity) * model.architecture.parameters
    plan = choose(model, structure, magnitudes(model, structure), said, count_parameters, allowed)
    left = without_units(model, structure.layers, plan)
    assert left.architecture.hidden_sizes == (hidden,)
    assert left.architecture.dense == dense
    assert count_parameters(left) <= allowed


def test_where_nothing_is_recurrent_units_go_evenly_and_as_few_as_it_takes() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 3)).eval()
    structure = study(module, torch.randn(16, 3, 4))
    widths = {}
    for said in ("recurrent", "uniform"):
        config = PruneConfig(sparsity=0.4, widths=said)
        plan = choose(module, structure, magnitudes(module, structure), config, count_parameters, 0.6 * 195)
        widths[said] = without_units(module, structure.layers, plan)[1].out_features
    # 16 parameters a unit and 3: 0.6 * 195 allows 7 of them
    assert widths == {"recurrent": 7, "uniform": 7}


def test_taylor_is_the_square_of_how_the_loss_changes(learnable: Learnable) -> None:
    """Against a central difference: everything that reads the unit is scaled by 1 - e and 1 + e."""
    takes = learnable[0]
    module, _ = prepared(made("gru-2-both"), takes_to_try(takes.x))
    structure = study(module, takes_to_try(takes.x))
    scores = taylor(module, structure, takes)
    labels = torch.from_numpy(takes.labels)
    module = module.double()
    for bundle in structure.bundles:
        (name,) = bundle.layers
        if ".layers." not in name:
            continue
        layer, losses = module.get_submodule(name), []
        for factor in (1 - 1e-4, 1 + 1e-4):
            state = {key: value.clone() for key, value in module.state_dict().items()}
            with torch.no_grad():
                for suffix in ("", "_reverse"):
                    getattr(layer, f"weight_hh_l0{suffix}")[:, 5] *= factor
                for reader, columns in structure.layers[name].readers.items():
                    held = [column for column, unit in columns.items() if unit == 5]
                    for key, weight in module.get_submodule(reader).named_parameters():
                        if key.startswith(("weight_ih", "weight")) and "hh" not in key:
                            weight[:, held] *= factor
                logits = module(torch.from_numpy(takes.x).double())
                losses.append(float(nn.functional.cross_entropy(logits, labels)))
            module.load_state_dict(state)
        slope = (losses[1] - losses[0]) / 2e-4
        assert float(scores[bundle][5]) == pytest.approx(slope**2, rel=2e-3, abs=1e-9)


def test_magnitude_is_the_sum_of_squares_of_all_that_goes() -> None:
    module, _ = prepared(made("convolved"), torch.randn(4, 6, 63))
    structure = study(module, torch.randn(4, 6, 63))
    by_name = {bundle.layers[0]: score for bundle, score in magnitudes(module, structure).items()}
    conv: Any = module.get_submodule("conv")
    norm: Any = module.get_submodule("norm")
    lstm: Any = module.get_submodule("lstm")
    expected = (
        conv.weight.pow(2).sum((1, 2)) + conv.bias.pow(2) + norm.weight.pow(2) + norm.bias.pow(2)
        + lstm.weight_ih_l0.pow(2).sum(0)
    ).detach()  # fmt: skip
    torch.testing.assert_close(by_name["conv"], expected / expected.mean())


def test_several_steps_share_the_epochs_and_the_budget(learnable: Learnable) -> None:
    seen: list[Epoch] = []
    said = config(epochs=7, steps=3, sparsity=0.6)
    result = pruned(made("gru-2-one"), learnable, said, setup=RunSetup(listener=seen.append))
    left = [step.parameters / result.before.parameters for step in result.steps]
    for k, share in enumerate(left, 1):
        assert 0.8 * 0.4 ** (k / 3) <= share <= 0.4 ** (k / 3)
    assert [epoch.epoch for epoch in seen] == [1, 2, 1, 2, 1, 2, 3]
    assert result.steps[-1].val_accuracy == result.recovery.val_accuracy


@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_a_run_of_several_steps_goes_on_where_it_stopped(tmp_path: Path, learnable: Learnable, stop_after: int) -> None:
    said, module = config(epochs=4, steps=2, importance="taylor", widths="free"), made("lstm-2-one")
    whole = pruned(module, learnable, said)
    told: list[Epoch] = []

    def stop(epoch: Epoch) -> None:
        told.append(epoch)
        if len(told) == stop_after:
            raise InterruptedRunError("stop")

    file = tmp_path / "prune.ckpt"
    with pytest.raises(InterruptedRunError):
        pruned(module, learnable, said, setup=RunSetup(resume_file=file, listener=stop))
    told.clear()
    resumed = pruned(module, learnable, said, setup=RunSetup(resume_file=file, listener=told.append))
    assert len(told) <= 4 - stop_after + 1
    assert resumed.after == whole.after
    assert all(torch.equal(resumed.model.state_dict()[key], value) for key, value in whole.model.state_dict().items())
    assert list(tmp_path.iterdir()) == []


def test_edgekits_own_classifier_takes_the_same_settings(tiny_model: TinyModel, learnable: Learnable) -> None:
    model = tiny_model(num_layers=2, bidirectional=True)
    result = prune_model(model, model, *learnable, config(budget="macs", importance="taylor", widths="free", steps=1))
    assert isinstance(result, PruneResult)
    assert isinstance(result.model, RecurrentClassifier)
    assert result.after == result.model.architecture
    assert result.after.macs(6) <= 0.5 * result.before.macs(6)
    assert result.steps is not None
    export_onnx(result.model, None, class_names=NAMES)


def test_single_weights_of_any_module_become_zero(learnable: Learnable) -> None:
    module = made("zero states")
    result = pruned(module, learnable, config(epochs=2, method="unstructured", sparsity=0.5))
    assert result.zeros == round(0.5 * count_parameters(module)) == count_zeros(result.model)
    head: Any = result.model.get_submodule("head")
    assert count_zeros(head) == 0
    assert result.sparsity == pytest.approx(0.5, abs=1e-3)
    assert result.after == result.before


def test_several_teachers_help_a_pruned_module_recover(learnable: Learnable) -> None:
    module = made("gru-1-one")
    result = prune_model(module, [module, made("lstm-1-one")], *learnable, config())
    assert isinstance(result, PrunedModule)


def test_what_is_out_of_reach_is_said_before_any_training(learnable: Learnable) -> None:
    module = made("residual")
    with pytest.raises(ConfigError, match=r"0\.99 of the parameters is more than this model can lose") as caught:
        pruned(module, learnable, config(sparsity=0.99), setup=NEVER)
    assert "weigh: it has one unit" in str(caught.value)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(378, 3))
    with pytest.raises(ConfigError, match="no layer of this module can lose units"):
        pruned(flat, learnable, config(), setup=NEVER)


@pytest.mark.parametrize("value", [None, "1", float("nan"), 0.0, -1.0, True])
def test_a_latency_that_is_none_is_refused(learnable: Learnable, value: Any) -> None:
    with pytest.raises(ConfigError, match=r"latency gave .*; expected a number above 0"):
        pruned(made("gru-1-one"), learnable, config(budget="latency"), latency=lambda _: value, setup=NEVER)


def test_latency_and_its_budget_belong_together(tiny_model: TinyModel, learnable: Learnable) -> None:
    for model in (made("gru-1-one"), tiny_model()):
        with pytest.raises(ConfigError, match="latency is measured by a function that is passed to prune_model"):
            prune_model(model, model, *learnable, config(budget="latency"), setup=NEVER)
        with pytest.raises(ConfigError, match="latency: a function for a budget of parameters"):
            prune_model(model, model, *learnable, config(), latency=lambda _: 1.0, setup=NEVER)


def test_a_module_that_looks_into_its_layers_is_refused(learnable: Learnable) -> None:
    class Looking(own_modules.Last):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = super().forward(x)
            return logits + (0.0 if type(self.recurrent) is nn.LSTM else 1.0)

    with pytest.raises(GateError, match=r"answers otherwise when its recurrent layers are split, by 1\.0e"):
        pruned(Looking(63, 3).eval(), learnable, config(), setup=NEVER)
    module = made("lstm-2-one")
    module.recurrent = nn.LSTM(63, 20, 2, batch_first=True, proj_size=6)
    with pytest.raises(InputError, match="prune_model: model: recurrent has proj_size 6"):
        pruned(module, learnable, config(), setup=NEVER)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"method": "unstructured", "importance": "taylor"}, "importance: only for method structured"),
        ({"method": "unstructured", "budget": "macs", "steps": 2}, "budget and steps: only for method structured"),
        ({"steps": 2}, "steps: 2 for 1 epochs of recovery"),
        ({"budget": "watts"}, "budget"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=words):
        config(**settings)


def test_a_module_can_be_pruned_again(learnable: Learnable) -> None:
    once = pruned(made("lstm-3-both"), learnable, config(widths="free"))
    twice = pruned(once.model, learnable, config(sparsity=0.3))
    assert twice.after.parameters <= 0.7 * once.after.parameters
    export_onnx(twice.model, None, class_names=NAMES, takes=learnable[1].x)


class AllStates(nn.Module):
    """Reads the final states of all layers as one tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(63, 8, 2, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Any) -> Any:
        return self.head(self.lstm(x)[1][0].transpose(0, 1).reshape(x.size(0), -1))


def test_final_states_that_are_read_as_one_are_exported_after_pruning(tmp_path: Path, learnable: Learnable) -> None:
    result = pruned(AllStates(), learnable, config())
    assert len(set(result.after.widths.values())) == 1  # torch's exporter sees sizes as tensors, no two the same
    exported = export_onnx(result.model, tmp_path / "own.onnx", class_names=NAMES, takes=learnable[1].x)
    assert exported.parity is not None
    assert exported.parity.passed


class Packing(nn.Module):
    """Packed takes, and a dense layer that can lose units."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.dense, self.head = nn.LSTM(63, 4, batch_first=True), nn.Linear(4, 12), nn.Linear(12, 3)

    def forward(self, x: Any) -> Any:
        lengths = torch.full((x.size(0),), x.size(1))
        _, (h, _) = self.lstm(nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True))
        return self.head(torch.relu(self.dense(h[-1])))


def test_packed_takes_are_no_obstacle(learnable: Learnable) -> None:
    takes = takes_to_try(learnable[0].x)
    frames = takes.shape[1]
    assert count_macs(Packing(), takes) == frames * 16 * (63 + 4) + 4 * 12 + 12 * 3
    assert pruned(Packing(), learnable, config(sparsity=0.04)).after.widths["dense"] < 12


def test_what_measures_latency_may_change_its_module(learnable: Learnable) -> None:
    def latency(candidate: nn.Module) -> np.float32:
        cost = np.float32(widths_of(candidate))
        nn.init.zeros_(candidate.head.weight)
        return cost

    result = pruned(made("gru-1-one"), learnable, config(budget="latency"), latency=latency)
    assert result.model.head.weight.any()
    with pytest.raises(InputError, match="latency is float; expected a function of a module"):
        pruned(made("gru-1-one"), learnable, config(budget="latency"), latency=3.0, setup=NEVER)
