"""Unstructured pruning: exactly so many zeros, the least magnitudes, and nothing brings one back."""

from __future__ import annotations

import copy
import itertools
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pydantic
import pytest
import torch
from onnx import numpy_helper
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook

from edgekit.config import build
from edgekit.data import AugmentConfig, Normalisation
from edgekit.distill import DistillConfig, distill_model
from edgekit.errors import ConfigError, InterruptedRunError
from edgekit.export import Standardisation, export_onnx, verify_parity
from edgekit.model import (
    RecurrentClassifier,
    build_model,
    count_parameters,
    count_zeros,
    load_model,
    predict_logits,
    save_model,
    variant,
)
from edgekit.prune import PruneConfig, PruneResult, prune_model
from edgekit.prune.settings import Scope
from edgekit.prune.unstructured import (
    ZeroMasks,
    apportion,
    groups_for,
    least_weights,
    prunable_weights,
    ramp_share,
)
from edgekit.quantize import QuantizeConfig, quantize_onnx
from edgekit.train import Epoch, RunSetup, SchedulerConfig, Takes, TrainingConfig

pytestmark = pytest.mark.usefixtures("models_run_here")

TinyModel = Callable[..., RecurrentClassifier]
Learnable = tuple[Takes, Takes]

#: Fails the test that lets an epoch pass.
NEVER = RunSetup(listener=lambda _: pytest.fail("it trained"))

SCOPES: tuple[Scope, ...] = ("global", "layer")
STACKS = [
    pytest.param(
        {"type": cell, "num_layers": layers, "bidirectional": bidirectional},
        id=f"{cell}-{layers}-{'bi' if bidirectional else 'uni'}",
    )
    for cell in ("lstm", "gru")
    for layers in (1, 2, 3)
    for bidirectional in (False, True)
]
#: The first and the last; the others, a second each where files are made, with the slow tests.
CORNERS = [
    STACKS[0],
    *(pytest.param(*one.values, id=one.id, marks=pytest.mark.slow) for one in STACKS[1:-1]),
    STACKS[-1],
]


@torch.no_grad()
def random_weights(model: RecurrentClassifier) -> RecurrentClassifier:
    """Every weight and bias from a normal distribution, those of each layer of another size; none is zero."""
    generator = torch.Generator().manual_seed(3)
    for k, parameter in enumerate(model.parameters()):
        parameter.copy_(torch.randn(parameter.shape, generator=generator) * (0.2 + 0.1 * (k % 4)))
    return model


def zeroed(
    model: RecurrentClassifier, sparsity: float, scope: Scope = "global"
) -> tuple[RecurrentClassifier, ZeroMasks]:
    """A pruned copy and its masks, without any training."""
    pruned, masks = copy.deepcopy(model), ZeroMasks(groups_for(model, sparsity, scope))
    masks.begin_epoch(pruned, 0)
    return pruned, masks


def config(
    sparsity: float = 0.5, epochs: int = 4, scope: Scope = "global", ramp: float = 0.0, **training: Any
) -> PruneConfig:
    values = {"lr_scheduler": SchedulerConfig(type="constant"), "early_stopping": None, **training}
    recovery = TrainingConfig(epochs=epochs, learning_rate=0.02, batch_size=8, **values)
    return PruneConfig(
        sparsity=sparsity,
        method="unstructured",
        scope=scope,
        ramp=ramp,
        recovery=DistillConfig(copies=2, training=recovery),
    )


def pruned_by(model: RecurrentClassifier, learnable: Learnable, settings: PruneConfig, **more: Any) -> PruneResult:
    """`model` is its own teacher."""
    return prune_model(model, model, *learnable, settings, **more)


def takes(frames: int = 5) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(0).uniform(0.2, 0.8, (6, frames, 63)).astype(np.float32)


# How many.


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("sparsity", [0.0, 0.1, 1 / 3, 0.5, 0.777])
@pytest.mark.parametrize("settings", STACKS)
def test_the_zeros_are_exactly_the_sparsity_of_the_whole_model(
    tiny_model: TinyModel, settings: dict[str, Any], sparsity: float, scope: Scope
) -> None:
    pruned, masks = zeroed(random_weights(tiny_model(**settings)), sparsity, scope)
    assert count_zeros(pruned) == round(sparsity * count_parameters(pruned))
    assert sum(int(mask.sum()) for mask in masks.masks.values()) == count_zeros(pruned)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("name", ["edge", "balanced", "base", "accurate"])
def test_half_of_every_variant_is_half_of_its_parameters(normalisation: Normalisation, name: str, scope: Scope) -> None:
    model = build_model(variant(name), normalisation, 26)
    assert sum(group.zeros for group in groups_for(model, 0.5, scope)) == round(0.5 * count_parameters(model))


@pytest.mark.parametrize("settings", STACKS)
def test_every_weight_matrix_but_the_outputs_is_pruned_and_no_bias(
    tiny_model: TinyModel, settings: dict[str, Any]
) -> None:
    model = random_weights(tiny_model(**settings))
    pruned, _ = zeroed(model, 0.5, "layer")
    for name, parameter in pruned.named_parameters():
        left_alone = name.startswith("output.") or "bias" in name
        assert torch.equal(parameter, model.get_parameter(name)) == left_alone, name
        kept = parameter != 0
        assert torch.equal(parameter[kept], model.get_parameter(name)[kept])
    directions = 2 if settings["bidirectional"] else 1
    assert len(prunable_weights(model)) == 2 * (directions + settings["num_layers"] - 1) + 1


@pytest.mark.parametrize("scope", SCOPES)
def test_all_that_may_go_can_go_and_one_more_is_refused(tiny_model: TinyModel, scope: Scope) -> None:
    model = random_weights(tiny_model())
    most = sum(weight.numel() for weight in prunable_weights(model).values()) / count_parameters(model)
    pruned, _ = zeroed(model, most, scope)
    assert all(not weight.any() for weight in prunable_weights(pruned).values())
    with pytest.raises(
        ConfigError, match=r"prune\.sparsity: .* only 2368 of them can become zero.* choose at most 0\."
    ):
        groups_for(model, most + 1 / count_parameters(model), scope)


def test_the_sparsity_that_the_error_suggests_can_be_reached(tiny_model: TinyModel) -> None:
    model = tiny_model()
    with pytest.raises(ConfigError) as caught:
        groups_for(model, 0.99, "global")
    assert groups_for(model, float(str(caught.value).rpartition(" ")[2]), "global")


def test_a_sparsity_out_of_reach_is_refused_before_any_training(tiny_model: TinyModel, learnable: Learnable) -> None:
    with pytest.raises(ConfigError, match="choose at most"):
        pruned_by(tiny_model(), learnable, config(sparsity=0.99), setup=NEVER)


@pytest.mark.parametrize("sparsity", [0.3, 0.5])
@pytest.mark.parametrize("scope", SCOPES)
def test_weights_that_are_zero_already_count(tiny_model: TinyModel, sparsity: float, scope: Scope) -> None:
    """Pruning a pruned model to the same sparsity finds the same zeros, and its logits stay as they are."""
    once, masks = zeroed(random_weights(tiny_model(num_layers=2)), sparsity, scope)
    twice, again = zeroed(once, sparsity, scope)
    assert all(torch.equal(mask, again.masks[name]) for name, mask in masks.masks.items())
    np.testing.assert_array_equal(predict_logits(twice, takes()), predict_logits(once, takes()))


@pytest.mark.parametrize("settings", STACKS)
def test_pruning_weights_that_do_nothing_leaves_the_logits_alone(
    tiny_model: TinyModel, settings: dict[str, Any]
) -> None:
    model = random_weights(tiny_model(**settings))
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in prunable_weights(model).values():
            weight[torch.rand(weight.shape, generator=rng) < 0.7] = 0.0
    expected = predict_logits(model, takes())
    assert expected.std() > 0.01
    zeros = count_zeros(model) / count_parameters(model)
    np.testing.assert_array_equal(predict_logits(zeroed(model, zeros)[0], takes()), expected)
    assert not np.array_equal(predict_logits(zeroed(model, zeros + 0.1)[0], takes()), expected)


# Which.


@pytest.mark.parametrize("settings", STACKS)
def test_globally_no_weight_that_stays_is_smaller_than_one_that_goes(
    tiny_model: TinyModel, settings: dict[str, Any]
) -> None:
    model = random_weights(tiny_model(**settings))
    _, masks = zeroed(model, 0.5, "global")
    weights = prunable_weights(model)
    gone = torch.cat([weights[name][mask].abs() for name, mask in masks.masks.items()])
    kept = torch.cat([weights[name][~mask].abs() for name, mask in masks.masks.items()])
    assert kept.min() >= gone.max() > 0
    ratios = [float(mask.float().mean()) for mask in masks.masks.values()]
    assert max(ratios) - min(ratios) > 0.1  # layers of larger weights lose less


@pytest.mark.parametrize("settings", STACKS)
def test_by_layer_every_matrix_loses_the_same_part_and_its_own_least(
    tiny_model: TinyModel, settings: dict[str, Any]
) -> None:
    model = random_weights(tiny_model(**settings))
    _, masks = zeroed(model, 0.5, "layer")
    weights = prunable_weights(model)
    part = round(0.5 * count_parameters(model)) / sum(weight.numel() for weight in weights.values())
    for name, mask in masks.masks.items():
        assert abs(int(mask.sum()) - part * mask.numel()) < 1
        assert weights[name][~mask].abs().min() >= weights[name][mask].abs().max()


@pytest.mark.parametrize(
    ("total", "sizes", "expected"),
    [
        (10, [10, 10, 20], [3, 2, 5]),  # 2.5, 2.5, 5: of equal remainders the first
        (5, [2, 3, 4], [1, 2, 2]),  # 1.11, 1.67, 2.22
        (1, [1, 1, 1], [1, 0, 0]),
        (0, [3, 4], [0, 0]),
        (7, [3, 4], [3, 4]),
    ],
)
def test_shares_are_rounded_by_the_largest_remainder(total: int, sizes: Sequence[int], expected: list[int]) -> None:
    assert apportion(total, sizes) == expected


def test_equal_magnitudes_go_in_order(tiny_model: TinyModel) -> None:
    model = tiny_model()
    with torch.no_grad():
        for weight in prunable_weights(model).values():
            weight.fill_(-0.5)
            weight[0] = 0.5
    _, masks = zeroed(model, 0.5, "global")
    flat = torch.cat([mask.flatten() for mask in masks.masks.values()])
    assert flat[: round(0.5 * count_parameters(model))].all()
    assert list(masks.masks) == list(prunable_weights(model))


def test_what_is_pruned_goes_before_what_happens_to_be_zero() -> None:
    weights = {"w": torch.nn.Parameter(torch.tensor([0.0, 3.0, 0.0, 0.0]))}
    pruned = {"w": torch.tensor([False, False, False, True])}
    assert least_weights(weights, pruned, 1)["w"].tolist() == [False, False, False, True]
    assert least_weights(weights, pruned, 2)["w"].tolist() == [True, False, False, True]


# Through training.


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("settings", STACKS)
def test_the_sparsity_is_exact_after_every_step_and_in_the_result(
    tiny_model: TinyModel, learnable: Learnable, settings: dict[str, Any], scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    model = random_weights(tiny_model(**settings, hidden_size=4))
    apply = ZeroMasks.apply

    def spy(self: ZeroMasks, module: torch.nn.Module) -> None:
        apply(self, module)
        counts.append(count_zeros(module))

    monkeypatch.setattr(ZeroMasks, "apply", spy)
    result = pruned_by(model, learnable, config(epochs=2, scope=scope))
    expected = round(0.5 * count_parameters(model))
    assert counts == [expected] * 2 * (1 + 3)  # at the beginning of an epoch, and after each of its steps
    assert result.zeros == count_zeros(result.model) == expected
    assert result.sparsity == expected / count_parameters(model)


def test_adam_would_bring_zeros_back_without_the_masks(tiny_model: TinyModel, learnable: Learnable) -> None:
    """What the masks are for: gradients reach pruned weights, and momentum moves them."""
    moved: list[int] = []
    model = random_weights(tiny_model())
    pruned, masks = zeroed(model, 0.5)
    zeros = count_zeros(pruned)
    forgotten = copy.deepcopy(pruned)
    distill_model(model, forgotten, *learnable, config().recovery)
    assert count_zeros(forgotten) < 0.1 * zeros

    def spy(*_: Any) -> None:
        moved.append(count_zeros(pruned))

    handle = register_optimizer_step_post_hook(spy)
    try:
        distill_model(model, pruned, *learnable, config().recovery, projection=masks)
    finally:
        handle.remove()
    assert max(moved) < 0.1 * zeros  # the optimiser does move them, in every step
    assert count_zeros(pruned) == zeros


def test_what_stays_learns(tiny_model: TinyModel, learnable: Learnable) -> None:
    model = tiny_model(hidden_size=12)
    distill_model(model, model, *learnable, DistillConfig(alpha=0.0, training=config(epochs=12).recovery.training))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    result = pruned_by(model, learnable, config(epochs=10))
    accuracy = (predict_logits(result.model, learnable[1].x).argmax(axis=1) == learnable[1].labels).mean()
    assert accuracy == result.recovery.val_accuracy >= 8 / 9
    assert not result.model.training
    assert result.after == result.before == model.architecture
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in before.items())
    kept = result.model.dense.weight != 0
    assert not torch.equal(result.model.dense.weight[kept], model.dense.weight[kept])


# The ramp.


def test_the_ramp_is_zhu_and_guptas() -> None:
    """s_t = s_f + (s_i - s_f) (1 - (t - t0) / (n dt))^3 with s_i = 0 and t0 = 0."""
    assert [ramp_share(epoch, 4) for epoch in range(6)] == [0.0, 37 / 64, 56 / 64, 63 / 64, 1.0, 1.0]
    assert [ramp_share(epoch, 0) for epoch in range(2)] == [1.0, 1.0]
    shares = [ramp_share(epoch, 30) for epoch in range(60)]
    assert shares == sorted(shares)
    assert shares[30:] == [1.0] * 30
    steps = np.diff(shares[:31])
    assert all(np.diff(steps) < 0)  # fast at first, then ever more slowly


@pytest.mark.parametrize(("ramp", "epochs", "expected"), [(0.0, 10, 0), (0.5, 9, 4), (0.99, 10, 9), (0.5, 1, 0)])
def test_at_least_one_epoch_is_left_after_the_ramp(ramp: float, epochs: int, expected: int) -> None:
    assert config(epochs=epochs, ramp=ramp).ramp_epochs == expected < epochs


@pytest.mark.parametrize("scope", SCOPES)
def test_masks_only_grow_and_their_counts_are_the_ramps(
    tiny_model: TinyModel, learnable: Learnable, scope: Scope
) -> None:
    model = random_weights(tiny_model(num_layers=2, bidirectional=True))
    groups = groups_for(model, 0.6, scope)
    masks, history = ZeroMasks(groups, ramp_epochs=5), list[dict[str, Tensor]]()
    recovery = config(epochs=7).recovery
    student = copy.deepcopy(model)

    def keep(_: Epoch) -> None:
        history.append(masks.masks)
        assert all(not student.get_parameter(name)[mask].any() for name, mask in masks.masks.items())

    distill_model(model, student, *learnable, recovery, setup=RunSetup(listener=keep), projection=masks)
    for epoch, state in enumerate(history):
        for group in groups:
            assert sum(int(state[name].sum()) for name in group.names) == round(ramp_share(epoch, 5) * group.zeros)
    for before, after in itertools.pairwise(history):
        assert all(bool((mask <= after[name]).all()) for name, mask in before.items())
    assert not any(mask.any() for mask in history[0].values())
    assert count_zeros(student) == round(0.6 * count_parameters(model))


def test_the_best_epoch_is_one_at_the_full_sparsity(tiny_model: TinyModel, learnable: Learnable) -> None:
    """Early stopping with a patience of one epoch, which a ramp would exhaust at once."""
    model = random_weights(tiny_model())
    stopping = {"patience": 1, "min_delta": 0.9}
    settings = config(epochs=12, ramp=0.7, early_stopping=stopping)
    result = pruned_by(model, learnable, settings)
    assert len(result.recovery.history) == 10  # 8 of the ramp, one that counts, one without improvement
    assert result.recovery.best_epoch > 8
    assert result.zeros == round(0.5 * count_parameters(model))


@pytest.mark.parametrize(
    ("at", "scope", "ramp"),
    [  # every epoch with every scope and with every ramp; their other pairs are slow
        pytest.param(at, scope, ramp, marks=[pytest.mark.slow] * ((k + j + i) % 2))
        for k, at in enumerate((2, 4, 6))
        for j, scope in enumerate(SCOPES)
        for i, ramp in enumerate((0.0, 0.6))
    ],
)
def test_an_interrupted_pruning_ends_where_an_uninterrupted_one_does(
    tiny_model: TinyModel, learnable: Learnable, tmp_path: Path, scope: Scope, ramp: float, at: int
) -> None:
    model, settings = random_weights(tiny_model()), config(epochs=7, scope=scope, ramp=ramp)

    def interrupt(epoch: Epoch) -> None:
        if epoch.epoch == at:
            raise KeyboardInterrupt

    def run(**more: Any) -> dict[str, Tensor]:
        result = pruned_by(model, learnable, settings, augmentation=AugmentConfig(), seed=3, **more)
        return dict(result.model.state_dict())

    whole, resume_file = run(), tmp_path / "resume.ckpt"
    with pytest.raises(InterruptedRunError):
        run(setup=RunSetup(resume_file, interrupt))
    torch.load(resume_file, weights_only=True)
    heard: list[Epoch] = []
    resumed = run(setup=RunSetup(resume_file, heard.append))
    assert heard[0].epoch == at
    assert all(torch.equal(resumed[name], tensor) for name, tensor in whole.items())


def test_masks_go_on_from_their_state_whatever_else_has_become_zero(tiny_model: TinyModel) -> None:
    model = random_weights(tiny_model())
    pruned, masks = zeroed(model, 0.5)
    with torch.no_grad():
        for weight in prunable_weights(pruned).values():
            weight[0] = 0.0
    resumed = ZeroMasks(masks.groups)
    resumed.load_state_dict(masks.state_dict())
    resumed.begin_epoch(pruned, 1)
    assert all(torch.equal(mask, resumed.masks[name]) for name, mask in masks.masks.items())
    anew = ZeroMasks(masks.groups)
    anew.begin_epoch(pruned, 1)
    assert any(not torch.equal(mask, anew.masks[name]) for name, mask in masks.masks.items())


# What is left is a model like any other.


def test_the_pruned_model_copies_saves_and_loads_like_any_other(
    tiny_model: TinyModel, learnable: Learnable, tmp_path: Path
) -> None:
    model = random_weights(tiny_model())
    pruned = pruned_by(model, learnable, config(epochs=1)).model
    assert list(pruned.state_dict()) == list(model.state_dict())
    assert all(p.is_leaf and p.requires_grad for p in pruned.parameters())
    for module in pruned.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not hasattr(module, "parametrizations")
    save_model(pruned, tmp_path, ("a", "b", "c"))
    for other in (copy.deepcopy(pruned), load_model(tmp_path)[0]):
        assert count_zeros(other) == count_zeros(pruned)
        np.testing.assert_array_equal(predict_logits(other, takes()), predict_logits(pruned, takes()))


@pytest.mark.parametrize("standardisation", ["explicit", "fold"])
@pytest.mark.parametrize("settings", CORNERS)
def test_zeros_stay_zeros_in_the_fp32_and_the_int8_file(
    tiny_model: TinyModel, tmp_path: Path, settings: dict[str, Any], standardisation: Standardisation
) -> None:
    model, _ = zeroed(random_weights(tiny_model(**settings, hidden_size=16, dense=64)), 0.6)
    with torch.no_grad():
        model.dense.weight[5] = 0.0  # a row without any weight has no scale of its own
    fp32, int8 = tmp_path / "model.onnx", tmp_path / "model.int8.onnx"
    export_onnx(model.eval(), fp32, class_names=("a", "b", "c"), sequence_length=5, standardisation=standardisation)
    proof = quantize_onnx(fp32, int8, QuantizeConfig(min_elements=190)).proof  # all but the preprocessing's 3 x 63
    assert verify_parity(model, fp32, takes()).passed
    plain, small = initialisers(fp32), initialisers(int8)
    zeros = sum(int((weight == 0).sum()) for weight in prunable_weights(model).values())
    names = {tensor.name for tensor in proof.tensors}
    assert sum(int((plain[name] == 0).sum()) for name in names) == zeros
    for name in names:
        q = small[f"{name}_int8"]
        assert not q[(plain[name] == 0).reshape(q.shape)].any()
        assert np.isfinite(small[f"{name}_scale"]).all()


def initialisers(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}


def test_the_result_is_json(tiny_model: TinyModel, learnable: Learnable) -> None:
    model = random_weights(tiny_model())
    result = pruned_by(model, learnable, config(epochs=1, scope="layer"))
    read = json.loads(json.dumps(result.to_dict()))
    assert (read["method"], read["scope"]) == ("unstructured", "layer")
    assert read["parameters_before"] == read["parameters_after"] == count_parameters(model)
    assert read["zeros"] == count_zeros(result.model)
    assert read["sparsity"] == read["zeros"] / count_parameters(model)
    ratios = read["layer_zeros_ratio"]
    layers = {name: count_parameters(model.get_submodule(name)) for name in ratios}
    assert list(layers) == ["recurrent.0", "dense", "output"]
    assert sum(layers.values()) == count_parameters(model)
    assert sum(ratios[name] * size for name, size in layers.items()) == pytest.approx(read["zeros"])
    assert ratios["output"] == 0.0


# Settings.


def test_unstructured_says_what_it_does_where_nothing_was_said() -> None:
    bare = PruneConfig(method="unstructured")
    assert (bare.scope, bare.ramp) == ("layer", 0.5)
    said = PruneConfig(method="unstructured", scope="layer", ramp=0.0)
    assert (said.scope, said.ramp) == ("layer", 0.0)
    assert PruneConfig.model_validate(bare.model_dump()) == bare


def test_structured_has_no_scope_and_no_ramp() -> None:
    assert (PruneConfig().method, PruneConfig().scope, PruneConfig().ramp) == ("structured", None, None)
    assert PruneConfig().ramp_epochs == 0


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"scope": "global"}, ["scope:", "--set prune.scope=null"]),
        ({"ramp": 0.0}, ["ramp:", "--set prune.ramp=null"]),
        ({"scope": "layer", "ramp": 0.5}, ["scope and ramp:", "--set prune.scope=null --set prune.ramp=null"]),
    ],
)
def test_scope_or_ramp_said_with_structured_is_one_clear_error(values: dict[str, Any], named: list[str]) -> None:
    for method in ({}, {"method": "structured"}):
        with pytest.raises(ConfigError) as caught:
            build(PruneConfig, {**method, **values}, "prune")
        for part in ("prune: ", "only for method unstructured", "--method unstructured", *named):
            assert part in str(caught.value)


@pytest.mark.parametrize(
    "values", [{"method": "magic"}, {"scope": "column"}, {"ramp": 1.0}, {"ramp": -0.1}, {"ramp": math.nan}]
)
def test_settings_out_of_range_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        PruneConfig.model_validate({"method": "unstructured", **values})
