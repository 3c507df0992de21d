"""The rule of `--scheme auto`: accurate enough, not slower, then the smallest; fp32 where nothing pays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bench import CompareConfig
from edgekit.export import export_onnx
from edgekit.quantize import ChainQuantizeConfig, QuantizeConfig, quantize_onnx
from edgekit.quantize.choosing import RULE, Candidate, Limits, candidates_for, choose, measure_and_choose
from edgekit.quantize.gates import GatesConfig
from edgekit.results import Int8Loss, SchemeTrial, read_figures
from edgekit.results.choice import SchemeChoice

FP32 = SchemeTrial("fp32", 114_000, 26e-6)
LIMITS = Limits(GatesConfig(), ChainQuantizeConfig())


def loss(lost: int, gained: int = 0, takes: int = 1000) -> Int8Loss:
    """Of so many takes that flip."""
    return Int8Loss(takes, 0.97, 0.97 - (lost - gained) / takes, 0.01, 0.1, lost + gained, lost, gained)


def tried(scheme: str, size: int, ratio: float = 1.0, lost: int = 0, speed: str = "same") -> SchemeTrial:
    """A candidate whose time over fp32's is known to 2 %."""
    found = loss(lost)
    return SchemeTrial(
        scheme, size, 26e-6 * ratio, ratio=ratio, ratio_low=ratio - 0.02, ratio_high=ratio + 0.02, speed=speed,
        loss=found, gate=LIMITS.gate(found), refused=LIMITS.refuse(found, speed),
    )  # fmt: skip


INT8, DYNAMIC, INT4 = tried("int8-weights", 35_600), tried("int8-dynamic", 36_000), tried("int4-weights", 23_000)


@pytest.mark.parametrize(
    ("trials", "chosen", "words"),
    [
        ((INT8, DYNAMIC, INT4), "int4-weights", "the smallest form that is accurate enough"),
        ((INT8, DYNAMIC, tried("int4-weights", 23_000, lost=4)), "int8-weights", "the smallest form"),
        ((INT8, tried("int8-dynamic", 36_000, 0.8, speed="faster")), "int8-dynamic", "about as small as int8-weights"),
        ((INT8, tried("int8-dynamic", 38_000, 0.8, speed="faster")), "int8-weights", "the smallest form"),
        ((INT8, tried("int8-dynamic", 36_000, 0.97)), "int8-weights", "the smallest form"),
        ((tried("int8-weights", 35_600, 1.3, speed="undecided"),), "int8-weights", "the only form"),
        ((tried("int8-weights", 35_600, 1.1, speed="slower"), DYNAMIC), "int8-dynamic", "the only form"),
        (
            (tried("int8-weights", 35_600, lost=30), tried("int8-dynamic", 36_000, 1.2, speed="slower")),
            "fp32",
            "int8-weights does not pass the accuracy gate, int8-dynamic is slower than fp32",
        ),
        ((tried("int8-weights", 120_000),), "fp32", "no other form pays: int8-weights is no smaller"),
    ],
    ids=["smallest", "lossy", "faster tie", "no tie", "not surely faster", "undecided", "slower", "none", "larger"],
)
def test_the_rule(trials: tuple[SchemeTrial, ...], chosen: str, words: str) -> None:
    choice = choose((FP32, *trials), {"cpu_model": "a CPU"}, 64)
    assert choice.scheme == chosen
    assert words in choice.reason
    assert choice.rule == RULE
    assert choice.trials == (FP32, *trials)


def test_a_choice_comes_back_from_json_as_it_was() -> None:
    choice = choose((FP32, INT8, INT4), {"cpu_model": "a CPU"}, 64)
    assert read_figures(SchemeChoice, choice.to_dict()) == choice


@pytest.mark.parametrize(
    ("found", "refused"),
    [
        (loss(0), ""),
        (loss(3), ""),
        (loss(4), "loses more than 0.3 points"),
        (loss(1, takes=300), ""),
        (loss(30), "does not pass the accuracy gate"),
        (loss(0, takes=5), "does not pass the accuracy gate"),
    ],
)
def test_what_a_form_may_lose(found: Int8Loss, refused: str) -> None:
    """One take of few is no evidence that rounding hurts; no loss on five takes is none that it does not."""
    assert LIMITS.refuse(found, "same") == refused
    assert bool(LIMITS.gate(found)) == ("gate" in refused)


def test_a_gru_has_no_int8_arithmetic() -> None:
    assert candidates_for("lstm") == ("int8-weights", "int8-dynamic", "int4-weights")
    assert candidates_for("gru") == ("int8-weights", "int4-weights")


def test_files_are_timed_in_turns_on_validation_takes(tiny_model: Callable[..., Any], tmp_path: Path) -> None:
    """Whatever this machine says, the trials are of these files and the choice follows from them by the rule."""
    fp32, int8 = tmp_path / "fp32.onnx", tmp_path / "int8.onnx"
    export_onnx(tiny_model(dense=30), fp32, class_names=("A", "B", "C"))
    quantize_onnx(fp32, int8, QuantizeConfig(min_elements=200))
    x = np.random.default_rng(0).uniform(0.2, 0.8, (70, 30, 63)).astype(np.float32)
    config = CompareConfig(repeats=30, processes=1, warmup=1, shapes={"another": (1,)})
    found = measure_and_choose(fp32, {"int8-weights": Candidate(int8, loss(0))}, x, LIMITS, config)
    reference, trial = found.trials
    assert (reference.scheme, trial.scheme, found.takes) == ("fp32", "int8-weights", 64)
    assert (reference.size_bytes, trial.size_bytes) == (fp32.stat().st_size, int8.stat().st_size)
    assert trial.latency_low_s is not None
    assert trial.latency_high_s is not None
    assert 0 < trial.latency_low_s <= trial.latency_p50_s <= trial.latency_high_s
    assert trial.ratio is not None
    assert trial.speed in ("faster", "slower", "same", "undecided")
    assert found == replace(choose(found.trials, found.machine, 64), machine=found.machine)
    assert found.machine["onnxruntime"]
