"""Every shape of model in every form: the grid of bench/parity_grid.py at sizes that take milliseconds."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from edgekit.data import fit_normalisation
from edgekit.evaluate import predict_batches
from edgekit.model import ModelConfig, RecurrentClassifier, build_model, predict_logits
from edgekit.prune import ratio_for, remove_units
from edgekit.quantize import QuantizeConfig
from edgekit.runtime import open_predictor

SCRIPT = Path(__file__).resolve().parents[2] / "bench" / "parity_grid.py"
FRAMES, CLASSES = 12, 8

#: Below the 1,024 of real files, so that small models are quantised; above the 189 numbers of the wrist's product.
MIN_ELEMENTS = 190

#: float32 sums in another order, of logits of up to about 1.
ROUNDING = 1e-5

#: A float32 difference of 1e-7 may round a hidden state to the other side of a half, once in some thousand steps: 1/255
#: of its range times a weight. A wrong gate order gives 0.04 and more.
STEP = 5e-3


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("parity_grid", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


grid = _load()


def _takes(count: int, seed: int = 0) -> np.ndarray:
    """Hands like a person's, float32 (count, FRAMES, 63); the first starts without one, the last has a gap."""
    rng = np.random.default_rng(seed)
    shapes = rng.normal(0, 0.1, (count, 1, 21, 3)) + rng.normal(0, 0.01, (count, FRAMES, 21, 3))
    shapes[:, :, 9] = shapes[:, :, 0] + [0.0, -0.2, 0.0]  # the middle finger's base: all hands of one size
    x = (shapes + 0.5).reshape(count, FRAMES, 63).astype(np.float32)
    x[0, :3] = 0.0
    x[-1, 5:8] = 0.0
    return x


def _model(cell: str, layers: int, bidirectional: bool, readout: str, pruned: bool) -> RecurrentClassifier:
    config = ModelConfig.model_validate(
        {
            "type": cell,
            "hidden_size": 16,
            "num_layers": layers,
            "bidirectional": bidirectional,
            "readout": readout,
            "dense": 32,
        }
    )
    model = build_model(config, fit_normalisation(_takes(20, 9), "hand", True), CLASSES, seed=layers).eval()
    return remove_units(model, ratio_for(model.architecture, 0.5), FRAMES) if pruned else model


#: Every second shape whole, the others pruned; the rest, a second each, with the slow tests.
SHAPES = [
    pytest.param(*shape, pruned, marks=[pytest.mark.slow] * ((k + pruned) % 2))
    for k, shape in enumerate(grid.GRID)
    for pruned in (False, True)
]


@pytest.mark.parametrize(("cell", "layers", "bidirectional", "readout", "pruned"), SHAPES)
def test_every_form_of_every_shape_computes_what_torch_computes(
    tmp_path: Path, cell: str, layers: int, bidirectional: bool, readout: str, pruned: bool
) -> None:
    """At batch 1 and 5, int8-dynamic at 1; on dequantised weights, for int8-dynamic with rounded activations, too."""
    found = grid.differences(_model(cell, layers, bidirectional, readout, pruned), tmp_path, _takes(5), MIN_ELEMENTS)
    assert found[grid.FP32] <= ROUNDING
    assert found[grid.STORED] <= ROUNDING < found[grid.STORED_LOSS]
    assert (grid.COMPUTED in found) == (cell == "lstm")
    if cell == "lstm":
        assert found[grid.COMPUTED] <= STEP


def test_int8_dynamic_is_exactly_the_documented_arithmetic_for_most_takes(tmp_path: Path) -> None:
    """Rounding to the other side of a half is rare, so half of the takes agree as fp32 does; none agrees with fp32."""
    model, takes = _model("lstm", 3, True, "final", pruned=False), _takes(20)
    grid.differences(model, tmp_path, takes, MIN_ELEMENTS)
    config = QuantizeConfig(scheme="int8-dynamic", min_elements=MIN_ELEMENTS)
    logits = predict_batches(open_predictor(tmp_path / "int8-dynamic.onnx"), takes)
    expected = grid.dynamic_logits(grid.dequantised(model, config), takes)
    assert np.median(np.abs(logits - expected).max(axis=1)) <= ROUNDING
    assert np.abs(logits - predict_logits(model, takes)).max(axis=1).min() > 10 * ROUNDING


def test_the_script_prints_one_line_a_pair(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["parity_grid.py", "--units", "4", "--takes", "3"])
    monkeypatch.setattr(grid, "GRID", grid.GRID[:1] + grid.GRID[-1:])
    grid.main()
    out = capsys.readouterr().out
    assert "4 models (half of them pruned), 3 takes" in out
    for name in (grid.FP32, grid.STORED, grid.COMPUTED, grid.STORED_LOSS, grid.COMPUTED_LOSS):
        assert out.count(name + "\n") == 1
