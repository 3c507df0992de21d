"""Any teacher: a file or a function of the user's, checked against the data before hours of training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import helper
from torch import nn

from edgekit.errors import ConfigError, EdgekitError, InputError, ModelFileError, ShapeError
from edgekit.export import export_onnx
from edgekit.model import predict_logits
from edgekit.teacher import load_teacher
from edgekit.workdir.options import is_foreign

TinyModel = Callable[..., Any]
NAMES = ("A", "B", "C")
X = np.random.default_rng(0).uniform(0.2, 0.8, (5, 30, 63)).astype(np.float32)

MODELS = """
import torch
from torch import nn

class Linear(nn.Module):
    def __init__(self, outputs=3, names=None, softmax=False):
        super().__init__()
        torch.manual_seed(1)
        self.layer = nn.Linear(30 * 63, outputs)
        self.softmax = softmax
        if names:
            self.class_names = names

    def forward(self, x):
        y = self.layer(x.flatten(1))
        return y.softmax(1) if self.softmax else y

def plain(): return Linear()
def reversed_names(): return Linear(names=["C", "B", "A"])
def more(): return Linear(4, names=["X", "A", "B", "C"])
def strangers(): return Linear(names=["A", "B", "Cc"])
def four(): return Linear(4)
def probabilities(): return Linear(softmax=True)
class Pair(Linear):
    def forward(self, x):
        return super().forward(x), x
def pair(): return Pair()
def sequence(): return nn.Linear(63, 3)
def narrow(): return nn.Sequential(nn.Flatten(), nn.Linear(20 * 63, 3))
def broken(): raise RuntimeError("weights.pt is missing")
def number(): return 3
def needs_one(size): return Linear()
def bad_names(): return Linear(names="ABC")
def short_names(): return Linear(names=["A", "B"])
def exploded():
    model = Linear()
    nn.init.constant_(model.layer.weight, float("inf"))
    return model
instance = Linear()
"""


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The working directory of a user with a module of models; yields its name."""
    import sys

    name = f"my_models_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield name
    sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("said", "foreign"), [("accurate", False), ("x.onnx", True), ("my.models:make", True), ("onnx", False)]
)
def test_variants_are_told_from_files_and_functions(said: str, foreign: bool) -> None:
    assert is_foreign(said) is foreign


def test_a_file_teaches_what_it_computes_with_its_classes_in_the_datas_order(
    tiny_model: TinyModel, tmp_path: Path
) -> None:
    model = tiny_model(classes=4).eval()
    path = tmp_path / "teacher.onnx"
    exported = export_onnx(model, path, class_names=("B", "X", "C", "A"))
    teacher = load_teacher(str(path), X, NAMES)
    assert predict_logits(teacher.module, X) == pytest.approx(predict_logits(model, X)[:, [3, 0, 2]], abs=1e-5)
    assert (teacher.form, teacher.path, teacher.digest, teacher.names) == ("ONNX", path, exported.sha256, "own")
    assert teacher.parameters == model.architecture.parameters
    assert "classes matched by its own names" in teacher.describe()


def test_a_foreign_file_counts_its_weights_and_is_taken_in_the_datas_order(save_onnx: Any) -> None:
    weight = np.random.default_rng(0).standard_normal((30 * 63, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Flatten", ["landmarks"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weight"], ["logits"]),
    ]
    path = save_onnx(nodes, {"landmarks": ["batch", 30, 63]}, {"weight": weight})
    teacher = load_teacher(str(path), X, NAMES)
    assert predict_logits(teacher.module, X) == pytest.approx(X.reshape(5, -1) @ weight, rel=1e-4, abs=1e-4)
    assert (teacher.parameters, teacher.names) == (weight.size, "assumed")
    assert "data's order" in teacher.describe()


def test_a_fixed_batch_of_one_is_run_take_by_take_and_a_larger_one_refused(save_onnx: Any) -> None:
    nodes = [
        helper.make_node("Flatten", ["landmarks"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weight"], ["logits"]),
    ]
    weight = {"weight": np.ones((30 * 63, 3), np.float32)}
    single = save_onnx(nodes, {"landmarks": [1, 30, 63]}, weight, name="single.onnx")
    assert predict_logits(load_teacher(str(single), X, NAMES).module, X).shape == (5, 3)
    eight = save_onnx(nodes, {"landmarks": [8, 30, 63]}, weight, name="eight.onnx")
    with pytest.raises(ConfigError, match="fixed batch of 8"):
        load_teacher(str(eight), X, NAMES)


@pytest.mark.parametrize(
    ("factory", "columns"), [("plain", [0, 1, 2]), ("reversed_names", [2, 1, 0]), ("more", [1, 2, 3])]
)
def test_a_function_makes_a_teacher_whose_names_are_matched(models: str, factory: str, columns: list[int]) -> None:
    teacher = load_teacher(f"{models}:{factory}", X, NAMES)
    inner = teacher.module.inner
    assert isinstance(inner, nn.Module)
    with torch.no_grad():
        expected = inner(torch.from_numpy(X)).numpy()[:, columns]
    assert np.array_equal(predict_logits(teacher.module, X), expected)
    assert teacher.form == "PyTorch"
    assert not teacher.module.training


def test_probabilities_teach_what_their_logits_would_have_taught(models: str) -> None:
    """log softmax(z) is z but for a constant a take, so every softmax of it, at any temperature, is the same."""
    soft, plain = (load_teacher(f"{models}:{name}", X, NAMES) for name in ("probabilities", "plain"))
    assert soft.probabilities
    assert not plain.probabilities
    difference = predict_logits(soft.module, X) - predict_logits(plain.module, X)
    assert np.ptp(difference, axis=1) == pytest.approx(0.0, abs=1e-5)


def test_the_digest_is_of_the_weights(models: str) -> None:
    first, again = (load_teacher(f"{models}:plain", X, NAMES) for _ in range(2))
    assert first.digest == again.digest
    assert first.digest != load_teacher(f"{models}:reversed_names", X, NAMES).digest
    with torch.no_grad():
        # Of another length: Python takes bytecode of the same second and length for that of the new text.
        Path(f"{models}.py").write_text(MODELS.replace("manual_seed(1)", "manual_seed(22)"))
    import importlib
    import sys

    importlib.invalidate_caches()
    del sys.modules[models]
    assert load_teacher(f"{models}:plain", X, NAMES).digest != first.digest


@pytest.mark.parametrize(
    ("factory", "error", "message"),
    [
        ("strangers", ConfigError, "does not know C of the data's classes; did you mean 'Cc'?"),
        ("four", ConfigError, "4 outputs for 3 classes of the data, and it has no class names"),
        ("sequence", ShapeError, "expected logits (takes, classes)"),
        ("narrow", ShapeError, "fails on takes of shape (5, 30, 63) (takes, time, features): RuntimeError"),
        ("broken", ConfigError, "the function failed: RuntimeError: weights.pt is missing (",),
        ("needs_one", ConfigError, "the function failed: TypeError"),
        ("number", ConfigError, "returned int, expected a torch.nn.Module"),
        ("instance", ConfigError, "is Linear, expected a function that returns the module"),
        ("bad_names", ConfigError, "class_names are 'ABC'; expected a list of names"),
        ("short_names", ConfigError, "2 different class names for 3 outputs"),
        ("exploded", ShapeError, "not finite"),
        ("plainn", ConfigError, "did you mean 'plain'?"),
        ("pair", ShapeError, "can't take the data: Pair gives tuple; expected logits alone"),
        ("not a name", ConfigError, "expected MODULE:FUNCTION"),
    ],
)  # fmt: skip
def test_a_function_that_makes_no_fitting_teacher_is_one_clear_message(
    models: str, factory: str, error: type[EdgekitError], message: str
) -> None:
    with pytest.raises(error) as caught:
        load_teacher(f"{models}:{factory}", X, NAMES)
    assert message in str(caught.value)
    assert f"{models}:{factory}" in str(caught.value)
    assert isinstance(caught.value, InputError)


def test_a_module_that_is_not_there_or_does_not_load_is_named(models: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no module 'nowhere' in"):
        load_teacher("nowhere:make", X, NAMES)
    with pytest.raises(ConfigError, match=r"say nowhere:make$"):
        load_teacher("nowhere.py:make", X, NAMES)
    with pytest.raises(ConfigError, match=r"say nowhere:make, in the folder models$"):
        load_teacher("models/nowhere.py:make", X, NAMES)
    (tmp_path / f"{models}_bad.py").write_text("import torch\n1 / 0\n")
    with pytest.raises(ConfigError, match=r"importing .* failed: ZeroDivisionError: .*_bad.py, line 2"):
        load_teacher(f"{models}_bad:make", X, NAMES)


def test_a_file_that_can_not_take_the_data_is_refused(tiny_model: TinyModel, tmp_path: Path) -> None:
    path = tmp_path / "short.onnx"
    export_onnx(tiny_model(), path, class_names=NAMES, sequence_length=20)
    with pytest.raises(ShapeError, match=r"can't take the data: landmarks: shape \(5, 30, 63\)"):
        load_teacher(str(path), X, NAMES)
    with pytest.raises(ModelFileError, match="no such file"):
        load_teacher(str(tmp_path / "missing.onnx"), X, NAMES)
