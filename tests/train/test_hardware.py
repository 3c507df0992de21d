"""The hardware of a run: what may be said, bf16's promises, and CUDA's where there is a GPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edgekit.data import AugmentConfig
from edgekit.errors import ConfigError, InterruptedRunError
from edgekit.model import RecurrentClassifier, predict_logits
from edgekit.prune.unstructured import ZeroMasks, groups_for
from edgekit.train import Epoch, FitResult, Hardware, RunSetup, Takes, TrainingConfig, fit, train_model
from edgekit.train.hardware import cpu_computes_bf16

TinyModel = Callable[..., RecurrentClassifier]
Learnable = tuple[Takes, Takes]
Trained = tuple[dict[str, Tensor], FitResult]

BF16 = Hardware(precision="bf16")
needs_bf16 = pytest.mark.skipif(not cpu_computes_bf16(), reason="PyTorch has no LSTM in bf16 for this CPU")
needs_cuda = pytest.mark.skipif(not torch.cuda.device_count(), reason="needs a GPU that CUDA finds")
needs_two_gpus = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs that CUDA finds")


def config(**values: Any) -> TrainingConfig:
    defaults = {"epochs": 4, "learning_rate": 0.02, "batch_size": 5, "early_stopping": None}
    return TrainingConfig.model_validate({**defaults, **values})


def trained(model: RecurrentClassifier, takes: Learnable, hardware: Hardware, **setup: Any) -> Trained:
    result = train_model(
        model, *takes, config(), augmentation=AugmentConfig(), seed=5, setup=RunSetup(hardware=hardware, **setup)
    )
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}, result


def untimed(result: FitResult) -> list[dict[str, float]]:
    return [{k: v for k, v in epoch.to_dict().items() if not k.endswith("_s")} for epoch in result.history]


def assert_same(a: Trained, b: Trained) -> None:
    assert all(torch.equal(tensor, b[0][name]) for name, tensor in a[0].items())
    assert untimed(a[1]) == untimed(b[1])


# What may be said.


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"accelerator": "gpu"}, "--accelerator gpu: expected cpu, cuda or cuda:N"),
        ({"accelerator": "cuda:"}, "expected cpu, cuda or cuda:N"),
        ({"accelerator": None}, "expected cpu, cuda or cuda:N"),
        ({"precision": "fp16"}, "--precision fp16: expected fp32 or bf16"),
        ({"accelerators": 0}, "--accelerators 0: expected a whole number from 1"),
        ({"threads": 0}, "--threads 0: expected a whole number from 1"),
        ({"threads": "2"}, "--threads 2: expected a whole number from 1"),
        (
            {"accelerator": "cuda:1", "accelerators": 2},
            "--accelerator cuda:1 is one GPU; use --accelerator cuda for the first 2",
        ),
        ({"accelerators": 2, "threads": 2}, "--threads 2: each of several CPU processes trains with 1"),
    ],
)
def test_what_can_not_be_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Hardware(**values)


@pytest.mark.parametrize(
    ("hardware", "gpus"),
    [
        (Hardware(), ()),
        (Hardware(accelerators=3), ()),
        (Hardware("cuda"), (0,)),
        (Hardware("cuda", accelerators=3), (0, 1, 2)),
        (Hardware("cuda:2"), (2,)),
    ],
)
def test_which_gpus_it_means(hardware: Hardware, gpus: tuple[int, ...]) -> None:
    assert hardware.gpus == gpus
    assert Hardware(**hardware.to_dict()) == hardware


@pytest.mark.parametrize(
    ("said", "found", "text"), [("cuda", 0, "no GPU"), ("cuda:1", 1, "1 GPU"), ("cuda:2", 2, "2 GPUs")]
)
def test_a_gpu_that_is_not_there_is_one_clear_error(
    tiny_model: TinyModel, learnable: Learnable, monkeypatch: pytest.MonkeyPatch, said: str, found: int, text: str
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: found)
    with pytest.raises(
        ConfigError, match=f"--accelerator {said}: CUDA finds {text} here; use --accelerator cpu or auto"
    ):
        trained(tiny_model(), learnable, Hardware(said))


def test_a_batch_that_can_not_be_divided_is_one_clear_error() -> None:
    with pytest.raises(ConfigError, match=r"--accelerators 3: training.batch_size 2 can't be divided"):
        Hardware(accelerators=3).check(2)


def test_nothing_is_said_of_a_gpu_that_is_not_asked_for(
    tiny_model: TinyModel, learnable: Learnable, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lightning.pytorch.accelerators.CUDAAccelerator.is_available", staticmethod(lambda: True))
    trained(tiny_model(), learnable, Hardware())  # a warning is an error here
    assert capfd.readouterr() == ("", "")


def test_what_is_set_for_a_run_is_put_back() -> None:
    def state() -> tuple[Any, ...]:
        cudnn = torch.backends.cudnn
        deterministic = torch.are_deterministic_algorithms_enabled()
        return torch.get_num_threads(), cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark, deterministic

    before = state()
    with Hardware("cuda", threads=3).applied():
        assert state() == (3, False, True, False, True)
    assert state() == before


# bf16.


def test_bf16_that_this_cpu_has_not_is_refused_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ended in a RuntimeError of PyTorch's on every CPU without AVX-512."""
    monkeypatch.setattr("edgekit.train.hardware.cpu_computes_bf16", lambda: False)
    with pytest.raises(ConfigError, match="--precision bf16: PyTorch has no LSTM in bf16 for this CPU; use fp32"):
        BF16.check(8)
    Hardware().check(8)


class Witness(nn.Module):
    """Writes down the types of a linear layer's products, in training and in validation."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(63, 3)
        self.seen: dict[bool, set[torch.dtype]] = {True: set(), False: set()}

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.inner(x.mean(dim=1))
        self.seen[self.training].add(logits.dtype)
        return logits


def test_bf16_is_for_the_products_of_training_and_the_rest_is_fp32(
    learnable: Learnable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit.train.hardware.cpu_computes_bf16", lambda: True)  # no LSTM is in it
    model, losses = Witness(), set()

    def objective(logits: Tensor, batch: tuple[Tensor, ...]) -> Tensor:
        value = nn.functional.linear(logits, logits).mean()  # a product, which autocast would make bf16
        losses.add((logits.dtype, value.dtype))
        return value

    train, validation = learnable
    source = (torch.from_numpy(train.x), torch.from_numpy(train.labels))
    fit(model, lambda _: source, validation, objective, config(), setup=RunSetup(hardware=BF16))
    assert model.seen == {True: {torch.bfloat16}, False: {torch.float32}}
    assert losses == {(torch.float32, torch.float32)}
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


@needs_bf16
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_bf16_learns_nearly_what_fp32_learns(tiny_model: TinyModel, learnable: Learnable, cell: str) -> None:
    """A product is off by up to 2^-8 = 0.4 %, so that losses of some 0.1 to 1 nats differ by far less than 0.05."""
    settings = {"type": cell, "num_layers": 2, "bidirectional": True, "dropout": 0.0}
    fp32 = trained(tiny_model(**settings), learnable, Hardware())
    bf16 = trained(tiny_model(**settings), learnable, BF16)
    assert not torch.equal(fp32[0]["output.weight"], bf16[0]["output.weight"])
    for mine, other in zip(bf16[1].history, fp32[1].history, strict=True):
        assert mine.loss == pytest.approx(other.loss, abs=0.05)
        assert mine.val_loss == pytest.approx(other.val_loss, abs=0.05)
    assert bf16[1].history[-1].loss < bf16[1].history[0].loss / 2


@needs_bf16
def test_bf16_with_the_same_seed_gives_the_same_numbers(tiny_model: TinyModel, learnable: Learnable) -> None:
    assert_same(trained(tiny_model(), learnable, BF16), trained(tiny_model(), learnable, BF16))


@needs_bf16
def test_an_interrupted_bf16_run_ends_where_an_uninterrupted_one_does(
    tiny_model: TinyModel, learnable: Learnable, tmp_path: Path
) -> None:
    def interrupt(epoch: Epoch) -> None:
        if epoch.epoch == 3:
            raise KeyboardInterrupt

    resume_file = tmp_path / "resume.ckpt"
    with pytest.raises(InterruptedRunError):
        trained(tiny_model(), learnable, BF16, resume_file=resume_file, listener=interrupt)
    heard: list[Epoch] = []
    resumed = trained(tiny_model(), learnable, BF16, resume_file=resume_file, listener=heard.append)
    assert heard[0].epoch == 3
    assert_same(resumed, trained(tiny_model(), learnable, BF16))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_fixed_number_of_threads_gives_the_same_numbers(
    tiny_model: TinyModel, learnable: Learnable, threads: int
) -> None:
    hardware, before = Hardware(threads=threads), torch.get_num_threads()
    seen: list[int] = []
    first = trained(tiny_model(), learnable, hardware, listener=lambda _: seen.append(torch.get_num_threads()))
    assert seen == [threads] * 4
    assert torch.get_num_threads() == before
    assert_same(first, trained(tiny_model(), learnable, hardware))


# CUDA.

#: cuDNN adds in another order than the CPU does, and Adam's small epsilon enlarges that step by step.
CUDA_TOLERANCE = 1e-3


@needs_cuda
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("masked", [False, True])
def test_a_gpu_learns_what_the_cpu_learns(tiny_model: TinyModel, learnable: Learnable, cell: str, masked: bool) -> None:
    found = []
    for hardware in (Hardware(), Hardware("cuda")):
        model = tiny_model(type=cell, dropout=0.0)
        projection = ZeroMasks(groups_for(model, 0.5, "layer"), ramp_epochs=1) if masked else None
        train, validation = learnable
        source = (torch.from_numpy(train.x), torch.from_numpy(train.labels))

        def loss(logits: Tensor, batch: tuple[Tensor, ...]) -> Tensor:
            return nn.functional.cross_entropy(logits, batch[1])

        result = fit(
            model,
            lambda _, source=source: source,  # type: ignore[misc]
            validation,
            loss,
            config(),
            projection=projection,
            setup=RunSetup(hardware=hardware),
        )
        assert {parameter.device.type for parameter in model.parameters()} == {"cpu"}
        found.append((predict_logits(model, validation.x), result))
    assert found[0][0] == pytest.approx(found[1][0], abs=10 * CUDA_TOLERANCE)
    for mine, other in zip(untimed(found[0][1]), untimed(found[1][1]), strict=True):
        assert mine == pytest.approx(other, abs=CUDA_TOLERANCE)


@needs_cuda
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_gpu_repeats_its_numbers_and_goes_on_where_it_was(
    tiny_model: TinyModel, learnable: Learnable, tmp_path: Path, precision: Any
) -> None:
    def interrupt(epoch: Epoch) -> None:
        if epoch.epoch == 3:
            raise KeyboardInterrupt

    hardware = Hardware("cuda", precision=precision)
    whole = trained(tiny_model(), learnable, hardware)
    assert_same(whole, trained(tiny_model(), learnable, hardware))
    resume_file = tmp_path / "resume.ckpt"
    with pytest.raises(InterruptedRunError):
        trained(tiny_model(), learnable, hardware, resume_file=resume_file, listener=interrupt)
    assert_same(trained(tiny_model(), learnable, hardware, resume_file=resume_file), whole)


SEVERAL = """
import json, sys
import numpy as np
from edgekit.data import Normalisation
from edgekit.model import ModelConfig, build_model
from edgekit.train import Hardware, RunSetup, Takes, TrainingConfig, train_model

rng = np.random.default_rng(0)
takes = Takes(rng.random((20, 6, 4), np.float32), np.arange(20) % 3)
normalisation = Normalisation("standard", False, np.zeros(4, np.float32), np.ones(4, np.float32))
model = build_model(ModelConfig(hidden_size=8, dense=8, dropout=0.0), normalisation, classes=3)
hardware = Hardware("cuda", accelerators=int(sys.argv[1]))
config = TrainingConfig(epochs=3, batch_size=8, early_stopping=None)
result = train_model(model, takes, takes, config, setup=RunSetup(hardware=hardware))
print(json.dumps([[epoch.loss, epoch.val_loss] for epoch in result.history]))
"""


@needs_two_gpus
def test_two_gpus_learn_what_one_learns() -> None:
    """In processes of their own: this one has used CUDA in other tests, and can't be forked any more."""
    import json
    import subprocess
    import sys

    found = [
        subprocess.run(
            [sys.executable, "-c", SEVERAL, accelerators], capture_output=True, text=True, timeout=300, check=True
        )
        for accelerators in ("1", "2")
    ]
    assert [done.stderr for done in found] == ["", ""]
    one, two = (json.loads(done.stdout) for done in found)
    for mine, other in zip(one, two, strict=True):
        assert mine == pytest.approx(other, abs=CUDA_TOLERANCE)
