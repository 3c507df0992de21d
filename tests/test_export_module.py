"""Modules of the user's as ONNX: proven, described, and taken by quantize and bench."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import own_modules
import pytest
import torch
from own_modules import made
from torch import Tensor, nn

from edgekit.bench import BenchConfig, bench_onnx
from edgekit.errors import ConfigError, GateError, InputError, ShapeError
from edgekit.evaluate import predict_batches
from edgekit.export import TOLERANCE, export_onnx
from edgekit.model import RecurrentClassifier, count_parameters, predict_logits
from edgekit.quantize import quantize_onnx
from edgekit.runtime import inspect_model, open_predictor

NAMES = ("A", "B", "C")
TinyModel = Callable[..., RecurrentClassifier]


def takes(count: int = 5, frames: int = 6) -> Any:
    return np.random.default_rng(1).uniform(0.2, 0.8, (count, frames, 63)).astype(np.float32)


class Answering(nn.Module):
    """A module that answers with what a function makes of its takes."""

    def __init__(self, answer: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor) -> Tensor:
        return self.answer(x)


@pytest.mark.parametrize("name", own_modules.ALL)
def test_the_file_computes_what_the_module_computes(tmp_path: Path, name: str) -> None:
    module = made(name)
    result = export_onnx(module, tmp_path / "own.onnx", class_names=NAMES, takes=takes())
    assert result.parity is not None
    assert result.parity.passed
    predictor = open_predictor(tmp_path / "own.onnx")
    for count in (1, 3):
        expected = predict_logits(module, takes(count))
        assert np.abs(predict_batches(predictor, takes(count)) - expected).max() <= TOLERANCE * max(
            1.0, np.abs(expected).max()
        )


@pytest.mark.parametrize("name", ["lstm-2-both", "gru-3-one", "zero states", "final states", "convolved"])
def test_recurrent_weights_are_plain_and_zeros_are_not_computed(name: str) -> None:
    """One node a layer, its weights initializers, no initial state: nothing that a device would compute for nothing."""
    proto = onnx.load_from_string(export_onnx(made(name), None, class_names=NAMES, takes=takes()).content)
    known = {tensor.name for tensor in proto.graph.initializer}
    recurrent = [node for node in proto.graph.node if node.op_type in ("LSTM", "GRU")]
    assert recurrent
    assert all(set(node.input[1:3]) <= known and len(node.input) <= 4 for node in recurrent)
    assert not any(node.op_type == "ConstantOfShape" for node in proto.graph.node)
    assert not any(node.doc_string for node in proto.graph.node)


def test_initial_states_that_are_not_zero_stay() -> None:
    class Learned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.start = nn.Parameter(torch.full((1, 1, 8), 0.7))
            self.gru, self.head = nn.GRU(63, 8, batch_first=True), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.head(self.gru(x, self.start.expand(-1, x.size(0), -1).contiguous())[0][:, -1])
            return logits

    result = export_onnx(Learned(), None, class_names=NAMES, takes=takes())
    (gru,) = [node for node in onnx.load_from_string(result.content).graph.node if node.op_type == "GRU"]
    assert len(gru.input) == 6
    assert result.parity is not None
    assert result.parity.passed


def test_quantize_and_bench_take_the_file(tmp_path: Path) -> None:
    module = own_modules.Last(63, 3, "lstm", 2, True).eval()
    source, target = tmp_path / "own.onnx", tmp_path / "own.int8.onnx"
    export_onnx(module, source, class_names=NAMES, sequence_length=30, features=63, trained_on="made up")
    quantized = quantize_onnx(source, target)
    assert quantized.metadata is not None
    assert (quantized.metadata.class_names, quantized.metadata.scheme) == (NAMES, "int8-weights")
    assert not quantized.proof.left_float
    assert target.stat().st_size < 0.5 * source.stat().st_size
    bench = bench_onnx(target, config=BenchConfig(repeats=20, processes=1, warmup=2))
    assert bench.verdict in ("pass", "unknown", "fail")


def test_the_file_says_what_is_known(tmp_path: Path) -> None:
    module = made("gru-2-one")
    export_onnx(module, tmp_path / "own.onnx", class_names=list(NAMES), takes=takes(), trained_on="made up")
    info = inspect_model(tmp_path / "own.onnx")
    metadata = info.metadata
    assert metadata is not None
    assert (metadata.class_names, metadata.sequence_length, metadata.features) == (NAMES, 6, 63)
    assert (metadata.preprocessing, metadata.trained_on, metadata.scheme) == ("own", "made up", "fp32")
    assert (metadata.parameters, metadata.macs) == (count_parameters(module), 0)
    assert info.ir_version <= 9
    assert info.opsets[""] == 17
    assert info.inputs[0].name == "landmarks"


def test_exporting_leaves_the_module_alone_and_gives_the_same_bytes(capfd: pytest.CaptureFixture[str]) -> None:
    module = made("residual").train()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    first, second = (export_onnx(module, None, class_names=NAMES, takes=takes()) for _ in range(2))
    assert first.content == second.content
    assert module.training
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    assert capfd.readouterr() == ("", "")


def test_what_it_reads_has_to_be_said(tiny_model: TinyModel) -> None:
    with pytest.raises(ConfigError, match="what this module reads is not known: give takes"):
        export_onnx(made("gru-1-one"), None, class_names=NAMES, sequence_length=6)
    with pytest.raises(ShapeError, match=r"export_onnx: takes: shape \(5, 6, 63\); expected \(any, 30, any\)"):
        export_onnx(made("gru-1-one"), None, class_names=NAMES, sequence_length=30, takes=takes())
    with pytest.raises(ShapeError, match=r"fails on takes of shape \(2, 6, 5\)"):
        export_onnx(made("gru-1-one"), None, class_names=NAMES, sequence_length=6, features=5)
    with pytest.raises(ConfigError, match="features: 0; expected a whole number of 1 to 100,000"):
        export_onnx(made("gru-1-one"), None, class_names=NAMES, sequence_length=6, features=0)
    with pytest.raises(ConfigError, match="for modules of your own"):
        export_onnx(tiny_model(), None, class_names=NAMES, features=63)
    with pytest.raises(ConfigError, match="standardisation is of edgekit's own classifier"):
        export_onnx(made("gru-1-one"), None, class_names=NAMES, takes=takes(), standardisation="fold")
    with pytest.raises(ConfigError, match="2 different names for 3 outputs"):
        export_onnx(made("gru-1-one"), None, class_names=("A", "B"), takes=takes())


def first_take_decides(x: Tensor) -> Tensor:
    """What tracing can't see: another way for takes that are positive."""
    return x.sum(dim=1)[:, :3] if bool((x[0] < 0).any()) else x.mean(dim=1)[:, :3] - 1.0


class Listed(nn.Module):
    """Keeps a layer where torch does not look."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(63, 3)]
        self.head = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.layers[0](x[:, -1]))
        return logits


@pytest.mark.parametrize(
    ("module", "error", "words"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(378, 3), nn.Softmax(dim=1)), ShapeError, "gives probabilities"),
        (Answering(lambda x: x[:, 0, :3] / 0.0), ShapeError, "gives NaN or infinity on takes of finite numbers"),
        (Answering(lambda x: torch.linalg.svd(x[:, :3, :3])[1]), ConfigError, "Answering, can't be exported: .*svd"),
        (Answering(lambda x: x[:, 0, :3] + x.mean(dim=0)[0, :3].detach().sum().item()), GateError, "differ from torch"),
        (
            Answering(lambda x: x[:, 0, :3] + x.new_zeros(len(x), 3)),
            GateError,
            r"x.size\(0\) stays open, len\(x\) does",
        ),
        (
            Answering(first_take_decides),
            GateError,
            r"torch says: Converting a tensor to a Python boolean .* \(test_export_module.py, line \d+\)",
        ),
        (
            Answering(lambda x: torch.from_numpy(x.numpy()[:, -1, :3] + 1)),
            ConfigError,
            r"Answering, can't be exported: torch can't follow the takes to the logits; .* NumPy .*module.py, line",
        ),
        (Listed(), ConfigError, "Listed, can't be exported: .* none of its parameters; keep layers in nn.ModuleList"),
    ],
)
def test_what_can_not_be_exported_is_one_message_and_no_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], module: nn.Module, error: type[InputError], words: str
) -> None:
    with pytest.raises(error, match=words):
        export_onnx(module, tmp_path / "own.onnx", class_names=NAMES, takes=takes())
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("name", ["spectral_norm", "orthogonal", "weight_norm"])
def test_weights_that_are_computed_are_plain_numbers_in_the_file(name: str) -> None:
    """Computed once and not for every take; the module keeps its parametrisation."""
    module = own_modules.Last(63, 3).eval()
    getattr(nn.utils.parametrizations, name)(module.dense)
    plain = export_onnx(own_modules.Last(63, 3), None, class_names=NAMES, takes=takes())
    assert export_onnx(module, None, class_names=NAMES, takes=takes()).nodes == plain.nodes
    assert nn.utils.parametrize.is_parametrized(module.dense)
    assert predict_logits(module, takes()).shape == (5, 3)


def test_a_projection_is_named() -> None:
    class Projected(own_modules.Last):
        def __init__(self) -> None:
            super().__init__(63, 3)
            self.recurrent = nn.LSTM(63, 20, 2, batch_first=True, proj_size=12)

    with pytest.raises(ConfigError, match="export_onnx: model: recurrent has proj_size 12; layers with a projection"):
        export_onnx(Projected(), None, class_names=NAMES, takes=takes())


class Attending(nn.Module):
    """Attention, which torch computes in an operation of its own that ONNX does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(63, 3, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x)[0].mean(1)[:, :3]


def test_attention_is_exported(tmp_path: Path) -> None:
    result = export_onnx(Attending(), tmp_path / "own.onnx", class_names=NAMES, takes=takes())
    assert result.parity is not None
    assert result.parity.passed


def test_random_answers_are_not_blamed_on_the_exporter(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="answers otherwise in a second run on the same takes"):
        export_onnx(
            Answering(lambda x: torch.dropout(x, 0.5, True)[:, -1, :3]),
            tmp_path / "own.onnx",
            class_names=NAMES,
            takes=takes(),
        )
    assert not (tmp_path / "own.onnx").exists()


def test_a_module_that_writes_into_its_takes_is_exported_and_the_takes_stay(tmp_path: Path) -> None:
    given = takes()
    result = export_onnx(
        Answering(lambda x: x.add_(1.0)[:, -1, :3]), tmp_path / "own.onnx", class_names=NAMES, takes=given
    )
    assert result.parity is not None
    assert result.parity.passed
    assert np.array_equal(given, takes())
    assert open_predictor(tmp_path / "own.onnx")(given) == pytest.approx(given[:, -1, :3] + 1.0)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64])
def test_other_types_of_weights_are_named(kind: torch.dtype) -> None:
    class Converting(own_modules.Last):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.to(kind))

    name = str(kind).removeprefix("torch.")
    with pytest.raises(InputError, match=rf"weight_ih_l0 and \d+ more parameters are {name}; .*float\(\)"):
        export_onnx(Converting(63, 3).to(kind), None, class_names=NAMES, takes=takes())


def test_what_is_around_a_module_is_taken_off() -> None:
    module = made("gru-1-one")
    plain = export_onnx(module, None, class_names=NAMES, takes=takes()).content
    assert export_onnx(nn.DataParallel(module), None, class_names=NAMES, takes=takes()).content == plain


def test_masks_of_infinity_are_no_damage() -> None:
    class Masked(Attending):
        def forward(self, x: Tensor) -> Tensor:
            hidden = x.abs().sum(-1) == 0
            return self.attention(x, x, x, key_padding_mask=hidden)[0].mean(1)[:, :3]

    result = export_onnx(Masked(), None, class_names=NAMES, takes=takes())
    assert result.parity is not None
    assert result.parity.passed


class Squeezing(nn.Module):
    """Gives (classes,) for a single take."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.output = nn.LSTM(63, 8, batch_first=True), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.output(self.lstm(x)[0][:, -1:])
        return logits.squeeze()


def test_a_module_that_squeezes_a_single_take_away_is_one_message(tmp_path: Path) -> None:
    """It was an AxisError of numpy's."""
    words = r"gives shape \(5,\) for 1 take; expected logits, a tensor \(batch, classes\)"
    with pytest.raises(ShapeError, match=words):
        export_onnx(
            Squeezing().eval(), tmp_path / "m.onnx", class_names=tuple("ABCDE"), sequence_length=30, features=63
        )
