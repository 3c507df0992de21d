"""The classifier: its costs, its preprocessing, its readout, its seed, and its way to disk and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from edgekit.data import HAND_FEATURES, Normalisation, apply_normalisation
from edgekit.errors import ConfigError, ModelFileError
from edgekit.model import (
    VARIANTS,
    ModelConfig,
    Preprocess,
    RecurrentClassifier,
    build_model,
    count_parameters,
    load_model,
    predict_logits,
    save_model,
    variant,
)
from edgekit.prune import remove_units

TinyModel = Callable[..., RecurrentClassifier]
F32 = NDArray[np.float32]

SHAPES = [
    pytest.param({"type": cell, "num_layers": layers, "bidirectional": bidirectional}, id=f"{cell}-{layers}-{way}")
    for cell in ("lstm", "gru")
    for layers in (1, 2, 3)
    for bidirectional, way in ((False, "uni"), (True, "bi"))
]


def landmarks(takes: int, frames: int, features: int, seed: int = 0) -> F32:
    """Hands somewhere in the image: float32 (takes, frames, features)."""
    return np.random.default_rng(seed).uniform(0.2, 0.8, (takes, frames, features)).astype(np.float32)


# Costs.


@pytest.mark.parametrize(
    ("name", "bidirectional", "expected"),
    [
        ("edge", False, 56_346),
        ("edge", True, 105_754),
        ("accurate", True, 2_044_698),
        ("balanced", True, 336_154),
        ("base", True, None),
    ],
)
def test_the_formula_of_parameters_is_the_sum_of_the_tensors(
    normalisation: Normalisation, name: str, bidirectional: bool, expected: int | None
) -> None:
    model = build_model(variant(name, {"bidirectional": bidirectional}), normalisation, classes=26)
    tensors = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert model.architecture.parameters == tensors == count_parameters(model)
    assert expected in (None, tensors)


@pytest.mark.parametrize("pruned", [False, True], ids=["whole", "pruned"])
@pytest.mark.parametrize("readout", ["mean", "final"])
@pytest.mark.parametrize("settings", SHAPES)
def test_the_formulas_hold_for_every_stack(
    tiny_model: TinyModel, settings: dict[str, Any], readout: str, pruned: bool
) -> None:
    model = tiny_model(**settings, readout=readout, classes=5)
    if pruned:
        whole = model.architecture
        model = remove_units(model, 0.4)
        assert model.architecture.parameters < whole.parameters
    assert model.architecture.parameters == count_parameters(model)
    # Every element of a recurrent weight matrix is multiplied once a frame, of a linear one once a prediction.
    recurrent = sum(w.numel() for w in model.recurrent.parameters() if w.dim() == 2)
    linear = model.dense.weight.numel() + model.output.weight.numel()
    for frames in (1, 30):
        assert model.architecture.macs(frames) == frames * recurrent + linear


def test_the_formula_of_macs_is_what_the_matrix_products_of_the_cells_do(normalisation: Normalisation) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    model = build_model(variant("edge"), normalisation, classes=26)
    layer = model.recurrent[0]
    cell = nn.LSTMCell(layer.input_size, layer.hidden_size)  # type: ignore[arg-type]
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        state = None
        for _ in range(30):
            state = cell(torch.zeros(1, HAND_FEATURES), state)
        assert state is not None
        model.output(model.dense(state[0]))
    assert counter.get_total_flops() == 2 * model.architecture.macs(frames=30)
    assert model.architecture.macs(frames=30) == 998_400


def test_the_architecture_is_read_off_the_tensors(tiny_model: TinyModel) -> None:
    model = tiny_model(type="gru", num_layers=2, bidirectional=True, readout="final", dropout=0.1, classes=4)
    assert model.architecture.to_dict() == {
        "cell": "gru",
        "features": 63,
        "hidden_sizes": [8, 8],
        "bidirectional_first": True,
        "dense": 12,
        "classes": 4,
        "dropout": 0.1,
        "readout": "final",
    }


def test_an_unknown_variant_or_setting_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="unknown variant 'egde'; did you mean 'edge'"):
        variant("egde")
    with pytest.raises(ConfigError, match="unknown key 'hidden_sise'; did you mean 'hidden_size'"):
        variant("edge", {"hidden_sise": 32})
    assert variant("edge", {"hidden_size": 32}) == ModelConfig(type="lstm", hidden_size=32, num_layers=1)
    assert VARIANTS["edge"].hidden_size == 64


# Preprocessing.


def some_statistics(features: int, seed: int = 3) -> tuple[F32, F32]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=features).astype(np.float32), rng.uniform(0.1, 2.0, features).astype(np.float32)


def lost_first_frame(x: F32) -> None:
    x[1, 0] = 0.0


def lost_middle_and_last_frames(x: F32) -> None:
    x[0, 3:5] = 0.0
    x[2, -1] = 0.0


def no_hand_at_all(x: F32) -> None:
    x[2] = 0.0


def one_of_two_hands(x: F32) -> None:
    x[0, :4, :HAND_FEATURES] = 0.0
    x[1, :, -HAND_FEATURES:] = 0.0


def hand_without_size(x: F32) -> None:
    x[0, 2, 27:30] = x[0, 2, :3]  # the middle finger's base on the wrist


def hand_at_the_origin(x: F32) -> None:
    x[1, 0, :3] = 0.0


def nothing_special(x: F32) -> None:
    """Every frame has every hand."""


@pytest.mark.parametrize(
    "damage",
    [
        nothing_special,
        lost_first_frame,
        lost_middle_and_last_frames,
        no_hand_at_all,
        one_of_two_hands,
        hand_without_size,
        hand_at_the_origin,
    ],
)
@pytest.mark.parametrize("features", [63, 126])
@pytest.mark.parametrize("displacement", [True, False])
def test_preprocessing_is_the_twin_of_the_data_sides(
    damage: Callable[[F32], None], features: int, displacement: bool
) -> None:
    x = landmarks(3, 7, features)
    damage(x)
    normalisation = Normalisation("hand", displacement, *some_statistics(features))
    expected = apply_normalisation(x, normalisation)
    found = Preprocess(normalisation)(torch.from_numpy(x)).numpy()
    assert found.dtype == np.float32
    # float32 arithmetic in another order: a few units in the last place of the largest number.
    assert np.abs(found - expected).max() <= 1e-6 * max(1.0, float(np.abs(expected).max()))


@pytest.mark.parametrize("features", [63, 126, 10])
def test_standardisation_alone_is_the_twin_too(features: int) -> None:
    x = landmarks(3, 7, features)
    x[0, 2] = 0.0
    x[1] = 0.0
    normalisation = Normalisation("standard", True, *some_statistics(features))
    expected = apply_normalisation(x, normalisation)
    found = Preprocess(normalisation)(torch.from_numpy(x)).numpy()
    assert np.abs(found - expected).max() <= 1e-6 * max(1.0, float(np.abs(expected).max()))


def test_the_model_carries_its_preprocessing_and_shares_no_memory_with_the_given_one() -> None:
    given = Normalisation("hand", False, *some_statistics(63))
    model = build_model(ModelConfig(hidden_size=2, dense=2), given, classes=2)
    kept = Normalisation("hand", False, given.mean.copy(), given.std.copy())
    given.mean[:] = 99.0
    carried = model.normalisation
    assert (carried.kind, carried.displacement) == (kept.kind, kept.displacement)
    np.testing.assert_array_equal(carried.mean, kept.mean)
    np.testing.assert_array_equal(carried.std, kept.std)


# Readout.


@pytest.mark.parametrize("settings", SHAPES)
@pytest.mark.parametrize("readout", ["mean", "final"])
def test_the_readout_is_the_mean_or_the_final_states(
    tiny_model: TinyModel, settings: dict[str, Any], readout: str
) -> None:
    model = tiny_model(**settings, readout=readout).eval()
    x = torch.from_numpy(landmarks(4, 9, 63))
    with torch.no_grad():
        y = model.preprocess(x)
        for layer in model.recurrent:
            y, _ = layer(y)
        hidden = model.recurrent[-1].hidden_size
        # The forward direction ends in the last frame, the reverse direction in the first one.
        final = torch.cat([y[:, -1, :hidden], y[:, 0, hidden:]], dim=1)
        read = y.mean(dim=1) if readout == "mean" else final
        expected = model.output(torch.relu(model.dense(read)))
        found = model(x)
    assert found.shape == (4, 3)
    assert found.std() > 1e-3
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_the_final_readout_of_a_bidirectional_layer_is_not_its_last_output(tiny_model: TinyModel) -> None:
    model = tiny_model(bidirectional=True, readout="final").eval()
    x = torch.from_numpy(landmarks(4, 9, 63))
    with torch.no_grad():
        y, _ = model.recurrent[0](model.preprocess(x))
        naive = model.output(torch.relu(model.dense(y[:, -1])))
        assert (model(x) - naive).abs().max() > 1e-2


def test_the_reverse_direction_reads_the_whole_take(tiny_model: TinyModel) -> None:
    """Its final state has seen the first frame, which the last output's reverse half has not."""
    model = tiny_model(bidirectional=True, readout="final").eval()
    with torch.no_grad():
        model.dense.weight[:, :8] = 0.0  # nothing of the forward direction
    x = landmarks(4, 9, 63)
    changed = x.copy()
    changed[:, 0, 3:] = landmarks(4, 1, 60, seed=1)[:, 0]
    assert np.abs(predict_logits(model, x) - predict_logits(model, changed)).max() > 1e-3


# Seeds and weights.


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_the_same_seed_gives_the_same_weights_whatever_the_global_random_state(tiny_model: TinyModel) -> None:
    torch.manual_seed(1)
    first = weights(tiny_model(seed=5))
    torch.manual_seed(2)
    assert same(first, weights(tiny_model(seed=5)))
    assert not same(first, weights(tiny_model(seed=6)))


def test_building_a_model_leaves_the_global_random_state_alone(tiny_model: TinyModel) -> None:
    before = torch.get_rng_state()
    tiny_model(seed=5)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("settings", SHAPES)
def test_the_weights_start_as_documented(tiny_model: TinyModel, settings: dict[str, Any]) -> None:
    model = tiny_model(**settings)
    for layer in model.recurrent:
        for name, parameter in layer.named_parameters():
            if name.startswith("weight_hh"):
                for gate in parameter.detach().split(8):
                    torch.testing.assert_close(gate @ gate.T, torch.eye(8), rtol=0, atol=1e-5)
            if name.startswith("weight_ih"):
                bound = (6.0 / (8 + parameter.shape[1])) ** 0.5  # Glorot and Bengio 2010, per gate
                assert 0.9 * bound < parameter.abs().max() <= bound
            if name.startswith("bias"):
                forget = settings["type"] == "lstm" and name.startswith("bias_ih")
                expected = torch.zeros_like(parameter)
                expected[8:16] = float(forget)
                assert torch.equal(parameter.detach(), expected)
    assert not model.dense.bias.any()
    assert not model.output.bias.any()


# Predictions.


def test_predictions_do_not_depend_on_the_batch_size(tiny_model: TinyModel) -> None:
    model = tiny_model()
    x = landmarks(7, 5, 63)
    whole = predict_logits(model, x)
    assert whole.shape == (7, 3)
    assert whole.dtype == np.float32
    for batch_size in (1, 3, 7):
        np.testing.assert_allclose(predict_logits(model, x, batch_size), whole, rtol=0, atol=1e-6)


def test_predicting_uses_no_dropout_and_restores_every_modules_mode(tiny_model: TinyModel) -> None:
    model = tiny_model(dropout=0.9).train()
    model.dense.eval()
    x = landmarks(4, 5, 63)
    np.testing.assert_array_equal(predict_logits(model, x), predict_logits(model, x))
    modes = {name: module.training for name, module in model.named_modules()}
    assert modes.pop("dense") is False
    assert all(modes.values())


def test_modes_are_restored_when_the_model_fails(tiny_model: TinyModel) -> None:
    model = tiny_model().train()
    with pytest.raises(RuntimeError):
        predict_logits(model, landmarks(2, 5, 60))
    assert all(module.training for module in model.modules())


# To disk and back.


@pytest.mark.parametrize("settings", SHAPES)
def test_a_saved_model_comes_back_bit_for_bit(tiny_model: TinyModel, tmp_path: Path, settings: dict[str, Any]) -> None:
    model = tiny_model(**settings, readout="final", dropout=0.25)
    paths = save_model(model, tmp_path / "model", ("A", "B", "Ü"))
    assert [path.name for path in paths] == ["model.safetensors", "model.json"]
    loaded, class_names = load_model(tmp_path / "model")
    assert class_names == ("A", "B", "Ü")
    assert loaded.architecture == model.architecture
    assert (loaded.preprocess.kind, loaded.preprocess.displacement) == ("hand", True)
    assert same(weights(loaded), weights(model))
    assert not loaded.training
    x = landmarks(4, 5, 63)
    np.testing.assert_array_equal(predict_logits(loaded, x), predict_logits(model, x))


def test_saving_twice_gives_the_same_bytes(tiny_model: TinyModel, tmp_path: Path) -> None:
    for name in ("one", "other"):
        save_model(tiny_model(), tmp_path / name, ("A", "B", "C"))
    for name in ("model.safetensors", "model.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def edit_json(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "model.json"
        description = json.loads(path.read_text())
        change(description)
        path.write_text(json.dumps(description))

    return damage


def truncate(name: str, keep: int) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:keep]) and None


def replace(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


DAMAGES = {
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "no description": lambda folder: (folder / "model.json").unlink(),
    "truncated weights": truncate("model.safetensors", 2000),
    "empty weights": truncate("model.safetensors", 0),
    "weights that are text": replace("model.safetensors", b"hello, this is no tensor file at all"),
    "truncated description": truncate("model.json", 40),
    "empty description": truncate("model.json", 0),
    "description that is no text": replace("model.json", b"\xff\xfe\x00"),
    "description that is a list": replace("model.json", b"[]"),
    "no class names": edit_json(lambda d: d.pop("class_names")),
    "too few class names": edit_json(lambda d: d["class_names"].pop()),
    "no preprocessing": edit_json(lambda d: d.pop("preprocessing")),
    "other width": edit_json(lambda d: d["architecture"].update(dense=13)),
    "other cell": edit_json(lambda d: d["architecture"].update(cell="gru")),
    "unknown cell": edit_json(lambda d: d["architecture"].update(cell="cnn")),
    "unknown key": edit_json(lambda d: d["architecture"].update(depth=3)),
    "no layers": edit_json(lambda d: d["architecture"].update(hidden_sizes=[])),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_model_is_one_clear_error(tiny_model: TinyModel, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "model"
    save_model(tiny_model(), folder, ("A", "B", "C"))
    DAMAGES[name](folder)
    with pytest.raises(ModelFileError, match="train") as caught:
        load_model(folder)
    assert str(folder) in str(caught.value)


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no such file"):
        load_model(tmp_path / "absent")
