"""Public functions that are given the wrong kind of thing: one clear message, exit code 2, before anything is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgekit.bench import bench_onnx, compare_onnx
from edgekit.data import Normalisation
from edgekit.distill import distill_model
from edgekit.errors import InputError, ShapeError
from edgekit.export import export_onnx, verify_parity
from edgekit.model import VARIANTS, Architecture, RecurrentClassifier, build_model
from edgekit.prune import prune_model, ratio_for, remove_units
from edgekit.quantize import quantize_onnx
from edgekit.runtime import inspect_model, open_predictor
from edgekit.train import Takes, train_model

TinyModel = Callable[..., RecurrentClassifier]
Learnable = tuple[Takes, Takes]
NAMES = ("A", "B", "C")


class Own(nn.Module):
    """A module of the user's: the mean over time, then a layer."""

    def __init__(self, classes: int = 3, features: int = 63) -> None:
        super().__init__()
        self.head = nn.Linear(features, classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(x.mean(dim=1))
        return logits


class Answering(nn.Module):
    """A module that gives what it is told."""

    def __init__(self, answer: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor) -> Any:
        return self.answer(x)


@pytest.mark.parametrize("model", [RecurrentClassifier, Own, "edge", None, np.zeros(3)])
def test_what_is_no_module_is_neither_pruned_nor_exported(
    tmp_path: Path, tiny_model: TinyModel, learnable: Learnable, model: Any
) -> None:
    got = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
    calls: dict[str, Callable[[], Any]] = {
        "prune_model": lambda: prune_model(model, tiny_model(), *learnable),
        "export_onnx": lambda: export_onnx(model, tmp_path / "model.onnx", class_names=NAMES),
    }
    for name, call in calls.items():
        with pytest.raises(InputError, match=f"^{name}: model is {got}; expected a torch.nn.Module") as caught:
            call()
        assert caught.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_units_are_removed_from_edgekits_own_classifier_by_that_name() -> None:
    with pytest.raises(InputError, match=r"^remove_units: model is Own; expected edgekit's own RecurrentClassifier"):
        remove_units(Own(), 0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("module", [nn.LSTM(63, 8), nn.Linear(63, 3)])
def test_a_module_that_gives_no_logits_is_neither_pruned_nor_exported(
    tmp_path: Path, tiny_model: TinyModel, learnable: Learnable, module: nn.Module
) -> None:
    with pytest.raises(ShapeError, match=r"^prune_model: model, .*; expected logits"):
        prune_model(module, tiny_model(), *learnable)
    with pytest.raises(ShapeError, match=r"^export_onnx: model, .*; expected logits"):
        export_onnx(module, tmp_path / "model.onnx", class_names=NAMES, takes=learnable[0].x)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", [Own, "edge", None, np.zeros(3), lambda x: x])
def test_what_is_no_module_is_named(tiny_model: TinyModel, learnable: Learnable, module: Any) -> None:
    calls: dict[str, Callable[[], Any]] = {
        "train_model: model": lambda: train_model(module, *learnable),
        "distill_model: teacher": lambda: distill_model(module, tiny_model(), *learnable),
        "distill_model: student": lambda: distill_model(tiny_model(), module, *learnable),
        "prune_model: teacher": lambda: prune_model(tiny_model(), module, *learnable),
        "verify_parity: model": lambda: verify_parity(module, Path("model.onnx"), learnable[0].x),
    }
    for name, call in calls.items():
        with pytest.raises(InputError, match=f"^{name} is .*; expected a torch.nn.Module"):
            call()


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.LSTM(63, 8), "LSTM, gives tuple for 2 takes"),
        (nn.Linear(63, 3), r"Linear, gives shape \(2, 6, 3\)"),
        (nn.Linear(5, 3), r"Linear, fails on takes of shape \(2, 6, 63\) .*mat1 and mat2"),
        (Answering(lambda x: x.mean()), r"Answering, gives shape \(\)"),
        (Answering(lambda x: x[0, :3, :3]), r"Answering, gives shape \(3, 3\) for 2 takes"),
        (Answering(lambda x: x[:, 0].argmax(dim=1, keepdim=True)), "expected float32 logits, not classes"),
        (Answering(lambda x: x.numpy()[:, 0, :3]), "Answering, gives ndarray"),
        (Answering(lambda x: x.nosuch), "Answering, fails .*nosuch"),
    ],
)
def test_a_module_that_gives_no_logits_is_found_before_the_training(
    tiny_model: TinyModel, learnable: Learnable, module: nn.Module, words: str
) -> None:
    for call in (
        lambda: train_model(module, *learnable),
        lambda: distill_model(module, tiny_model(), *learnable),
        lambda: prune_model(tiny_model(), module, *learnable),
    ):
        with pytest.raises(ShapeError, match=words):
            call()


def test_labels_beyond_the_models_classes_are_found_before_the_training(
    tiny_model: TinyModel, learnable: Learnable
) -> None:
    with pytest.raises(ShapeError, match="train_model: train: labels up to 2 for a model of 2 classes"):
        train_model(Own(classes=2), *learnable)
    with pytest.raises(ShapeError, match="distill_model: train: labels up to 2 for a model of 2 classes"):
        distill_model(Own(classes=2), Own(classes=2), *learnable)
    with pytest.raises(ShapeError, match="both need the same classes"):
        distill_model(Own(classes=4), tiny_model(), *learnable)


def test_trying_a_module_leaves_it_as_it_was(learnable: Learnable) -> None:
    from edgekit.model import try_module

    module = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(378), nn.Dropout(0.5), nn.Linear(378, 3)).train()
    module[1].eval()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    torch.manual_seed(3)
    state = torch.get_rng_state()
    assert try_module(module, learnable[0].x, "model") == (2, 3)
    assert torch.equal(torch.get_rng_state(), state)
    assert [part.training for part in module] == [True, False, True, True]
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())


@pytest.mark.parametrize(
    "takes", [None, np.zeros((3, 6, 63), np.float32), (np.zeros((3, 6, 63)), np.zeros(3)), "my-signs.npz"]
)
def test_takes_of_another_kind_are_named(tiny_model: TinyModel, learnable: Learnable, takes: Any) -> None:
    for call in (
        lambda: train_model(tiny_model(), takes, learnable[1]),
        lambda: distill_model(tiny_model(), tiny_model(), learnable[0], takes),
        lambda: prune_model(tiny_model(), tiny_model(), takes, learnable[1]),
    ):
        with pytest.raises(InputError, match=r"(train|validation) is \w+; expected Takes\(x, labels\)"):
            call()


def test_takes_convert_numbers_and_refuse_the_rest() -> None:
    x = np.zeros((2, 3, 4))
    takes = Takes(x.tolist(), [0, 1])  # type: ignore[arg-type]
    assert (takes.x.dtype, takes.labels.dtype) == (np.float32, np.int64)
    assert Takes(torch.zeros(2, 3, 4), torch.tensor([0, 1])).x.dtype == np.float32  # type: ignore[arg-type]
    bad: list[tuple[Any, Any, str]] = [
        (x, [0.0, 1.0], "labels is list of float64; expected whole numbers"),
        (x, ["A", "B"], "labels is list of <U1; expected whole numbers"),
        (x, [0, -1], "labels start at -1"),
        (x.astype(str), [0, 1], "x is ndarray of <U"),
        (torch.zeros(2, 3, 4, requires_grad=True), [0, 1], "x is Tensor, not an array"),
        ([[1, 2], [3]], [0, 1], "x is list, not an array"),
        (None, [0, 1], "x is NoneType of object"),
    ]
    for values, labels, words in bad:
        with pytest.raises(ShapeError, match=words):
            Takes(values, labels)


def test_configs_of_another_kind_are_named(
    tiny_model: TinyModel, learnable: Learnable, normalisation: Normalisation
) -> None:
    config: Any = {"epochs": 3}
    model = tiny_model()
    calls: dict[str, Callable[[], Any]] = {
        "train_model: config is dict; expected a TrainingConfig": lambda: train_model(model, *learnable, config),
        "distill_model: config is dict; expected a DistillConfig": lambda: distill_model(
            model, model, *learnable, config
        ),
        "prune_model: config is dict; expected a PruneConfig": lambda: prune_model(model, model, *learnable, config),
        "quantize_onnx: config is dict; expected a QuantizeConfig": lambda: quantize_onnx("a.onnx", "b.onnx", config),
        "bench_onnx: config is dict; expected a BenchConfig": lambda: bench_onnx("a.onnx", config=config),
        "compare_onnx: config is dict; expected a CompareConfig": lambda: compare_onnx(["a.onnx", "b.onnx"], config),
        "build_model: config is dict; expected a ModelConfig": lambda: build_model(config, normalisation, 3),
    }
    for words, call in calls.items():
        with pytest.raises(InputError, match=words):
            call()


def test_the_arguments_of_build_model_are_named(normalisation: Normalisation) -> None:
    wrong: Any = "edge"
    with pytest.raises(InputError, match=r"config is str; expected a ModelConfig, such as VARIANTS\['edge'\]"):
        build_model(wrong, normalisation, 3)
    with pytest.raises(InputError, match="normalisation is str; expected a Normalisation, from fit_normalisation"):
        build_model(VARIANTS["edge"], wrong, 3)
    with pytest.raises(InputError, match="classes is str; expected a whole number"):
        build_model(VARIANTS["edge"], normalisation, wrong)
    with pytest.raises(InputError, match="classes is 0; expected at least 1"):
        build_model(VARIANTS["edge"], normalisation, 0)
    with pytest.raises(InputError, match="ratio_for: architecture is str"):
        ratio_for(wrong, 0.5)
    assert isinstance(build_model(VARIANTS["edge"], normalisation, 3).architecture, Architecture)


@pytest.mark.parametrize("path", [None, 3, b"model.onnx", ["model.onnx"], nn.Linear(1, 1)])
def test_what_is_no_path_is_named(tmp_path: Path, tiny_model: TinyModel, path: Any) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: quantize_onnx(path, tmp_path / "b.onnx"),
        lambda: quantize_onnx(tmp_path / "a.onnx", path),
        lambda: bench_onnx(path),
        lambda: compare_onnx([path, path]),
        lambda: inspect_model(path),
        lambda: open_predictor(path),
    ]
    if path is not None:
        calls.append(lambda: export_onnx(tiny_model(), path, class_names=NAMES))
    for call in calls:
        with pytest.raises(InputError, match=f" is {type(path).__name__}; expected "):
            call()


def test_one_path_is_not_a_list_of_letters() -> None:
    with pytest.raises(InputError, match=r"only model\.onnx; give a list of two files or more, ONNX or compiled"):
        compare_onnx("model.onnx")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"class_names": "ABC"}, "class_names: 'ABC'; expected a list of names"),
        ({"class_names": [0, 1, 2]}, "expected a list of names"),
        ({"class_names": ["A", "B"]}, "2 different names for 3 outputs"),
        ({"class_names": NAMES, "sequence_length": 200_000_000}, "200000000; expected a whole number of 1 to 100,000"),
        ({"class_names": NAMES, "sequence_length": 30.0}, "30.0; expected a whole number"),
        ({"class_names": NAMES, "sequence_length": True}, "True; expected a whole number"),
    ],
)
def test_what_an_export_can_not_write_is_named(tiny_model: TinyModel, settings: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        export_onnx(tiny_model(), None, **settings)


def test_an_export_takes_paths_and_names_as_people_have_them(tmp_path: Path, tiny_model: TinyModel) -> None:
    result = export_onnx(tiny_model(), str(tmp_path / "model.onnx"), class_names=list(NAMES))
    assert result.metadata.class_names == NAMES
    assert quantize_onnx(str(tmp_path / "model.onnx"), str(tmp_path / "int8.onnx")).target == tmp_path / "int8.onnx"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_model_with_numbers_that_are_none_is_neither_exported_nor_pruned(
    tmp_path: Path, tiny_model: TinyModel, learnable: Learnable, value: float
) -> None:
    model = tiny_model()
    with torch.no_grad():
        model.dense.weight[0, :2] = value
    words = "1?2 of the [0-9]+ numbers of dense.weight are NaN or infinite"
    with pytest.raises(InputError, match=words):
        export_onnx(model, tmp_path / "model.onnx", class_names=NAMES)
    with pytest.raises(InputError, match=words):
        prune_model(model, tiny_model(), *learnable)
    assert list(tmp_path.iterdir()) == []


def test_a_teacher_whose_logits_are_not_finite_teaches_nothing(tiny_model: TinyModel, learnable: Learnable) -> None:
    def answer(x: Tensor) -> Tensor:
        logits = x[:, 0, :3].clone()
        logits[3:] = float("nan")
        return logits

    with pytest.raises(ShapeError, match="teacher's logits are NaN or infinite for 15 of 18 takes"):
        distill_model(Answering(answer), tiny_model(), *learnable)


def test_arrays_of_another_kind_are_named_by_the_bench() -> None:
    from edgekit.bench.run import choose_takes

    for takes, words in (
        ([[1.0, 2.0], [3.0]], "unequal length"),
        (3.0, r"shape \(\)"),
        ([["a"]], "type <U1"),
        ([[None]], "type object"),
    ):
        with pytest.raises(ShapeError, match=words):
            choose_takes(takes)  # type: ignore[arg-type]


def test_a_module_that_can_not_learn_is_refused_before_training(tiny_model: TinyModel, learnable: Learnable) -> None:
    frozen = tiny_model().requires_grad_(False)
    for name, learn in (
        ("train_model: model", lambda: train_model(frozen, *learnable)),
        ("distill_model: student", lambda: distill_model(tiny_model(), frozen, *learnable)),
        ("prune_model: model", lambda: prune_model(frozen, tiny_model(), *learnable)),
    ):
        with pytest.raises(InputError, match=f"{name}, .*, has no parameter with requires_grad"):
            learn()


@pytest.mark.parametrize("module", [torch.nn.LazyLinear(3), torch.nn.Linear(63, 3, device="meta")])
def test_a_module_without_numbers_is_refused(module: torch.nn.Module, learnable: Learnable, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="prune_model: model: weight, bias have no numbers yet; load its weights"):
        prune_model(module, module, *learnable)
    with pytest.raises(InputError, match="export_onnx: model: weight, bias have no numbers yet"):
        export_onnx(module, tmp_path / "m.onnx", class_names=("A", "B", "C"), sequence_length=6, features=63)
