"""What the ONNX files have to pass before they count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import EdgekitError, GateError, WeakEvidenceError
from edgekit.evaluate import Flips
from edgekit.quantize import QuantizeConfig
from edgekit.quantize.gates import GatesConfig, check_gates, int8_loss, least_lossy_standardisation
from edgekit.results import Parity
from edgekit.train import Takes


def figures(difference: float, takes: int, lost: int, gained: int = 0) -> tuple[Parity, Flips]:
    """What the gates look at."""
    return Parity(difference, 64, 1e-5), Flips(takes, lost, gained)


@pytest.mark.parametrize(
    ("difference", "takes", "lost", "gained"), [(0.0, 275, 0, 40), (1e-5, 275, 2, 0), (1e-7, 125, 0, 0)]
)
def test_limits_themselves_pass_and_so_does_a_better_int8_file(
    difference: float, takes: int, lost: int, gained: int
) -> None:
    check_gates(GatesConfig(), *figures(difference, takes, lost, gained))


@pytest.mark.parametrize(
    ("difference", "takes", "lost", "words"),
    [
        (1.1e-5, 275, 0, ("1.1e-05", "1.0e-05", "64 takes")),
        (float("nan"), 275, 0, ("nan", "1.0e-05")),
        (
            0.0,
            275,
            20,
            ("7.27 points lost on 275", "4.76 to 10.97 lost with 95 %", "allowed 2.0", "gates.max_accuracy_drop"),
        ),
    ],
)
def test_beyond_a_limit_is_exit_5_with_figure_limit_and_advice(
    difference: float, takes: int, lost: int, words: tuple[str, ...]
) -> None:
    with pytest.raises(GateError) as caught:
        check_gates(GatesConfig(), *figures(difference, takes, lost))
    assert caught.value.exit_code == 5
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("takes", "lost", "gained", "more"),
    [
        (5, 0, 0, "(about 120 more if none of their answers flips either)"),
        (124, 0, 0, "(about 1 more if none of their answers flips either)"),
        (275, 5, 0, "more if flips stay as frequent)"),
        (5000, 101, 0, "more if flips stay as frequent)"),
    ],
)
def test_an_interval_that_holds_the_limit_is_exit_4(takes: int, lost: int, gained: int, more: str) -> None:
    """However few flips were seen: no flip of five takes is no proof of anything."""
    with pytest.raises(WeakEvidenceError) as caught:
        check_gates(GatesConfig(), *figures(0.0, takes, lost, gained))
    assert caught.value.exit_code == 4
    for word in ("2.0 points allowed", "at most 3.0", f"on {takes} validation takes", more, "gates.max_accuracy_drop"):
        assert word in str(caught.value)


def test_the_gate_decides_as_a_bench_does_but_for_the_margin() -> None:
    """The interval may reach further than the loss itself; a loss beyond the limit passes on no number of takes."""
    gates = GatesConfig()
    furthest = gates.max_accuracy_drop + gates.accuracy_drop_margin
    codes = set()
    for takes in (5, 60, 125, 275, 600, 100_000):
        for lost in (0, 1, 3, 20, takes // 40, takes // 10):
            flips = Flips(takes, min(lost, takes), 0)
            try:
                check_gates(gates, *figures(0.0, takes, flips.lost))
                code = 0
            except EdgekitError as error:
                code = error.exit_code
            passes = flips.drop <= gates.max_accuracy_drop and flips.judge(furthest) == "pass"
            expected = 0 if passes else 5 if flips.judge(gates.max_accuracy_drop) == "fail" else 4
            assert code == expected, flips
            codes.add(code)
    assert codes == {0, 4, 5}


def test_a_file_loses_nothing_against_itself(chain: Any) -> None:
    x = np.random.default_rng(0).uniform(0.2, 0.8, (8, 30, 63)).astype(np.float32)
    takes = Takes(x, np.arange(8))
    names = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    loss = int8_loss(chain.int8, chain.int8, takes, names)
    assert (loss.flips, loss.changed, loss.max_abs_difference) == (Flips(8, 0, 0), 0, 0.0)
    other = int8_loss(chain.int8.with_name("model.onnx"), chain.int8, takes, names)
    assert 0 < other.mean_abs_difference <= other.max_abs_difference
    assert other.fp32_accuracy - other.int8_accuracy == pytest.approx(other.to_dict()["accuracy_drop"])


def test_the_standardisation_that_costs_least_is_chosen_among_those_with_parity(chain: Any) -> None:
    """The smallest INT8 difference wins, as the manifest of the chain tells."""
    figures = chain.report["quantization"]
    trials = figures["standardisation_trials"]
    passing = {n: t for n, t in trials.items() if t["parity"] <= GatesConfig().max_parity_difference}
    assert set(trials) == {"fold", "explicit"}
    assert figures["standardisation"] == min(passing, key=lambda name: passing[name]["int8_mean_abs_difference"])


def test_a_way_without_parity_is_not_chosen_however_small_its_int8_loss(
    chain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgekit.quantize import gates

    losses = iter([0.001, 0.5])
    parities = iter([1.0, 1e-7])

    class Figure:
        def __init__(self, **values: float) -> None:
            self.__dict__.update(values)

    monkeypatch.setattr(gates, "verify_parity", lambda *_: Figure(max_abs_difference=next(parities)))
    monkeypatch.setattr(gates, "quantize_onnx", lambda *_: None)
    monkeypatch.setattr(gates, "int8_loss", lambda *_: Figure(mean_abs_difference=next(losses)))
    takes = Takes(np.zeros((1, 30, 63), np.float32), np.zeros(1, np.int64))

    def export(path: Path, name: str) -> Any:
        return None

    chosen, trials = least_lossy_standardisation(export, QuantizeConfig(), GatesConfig(), takes, ("A",))
    assert chosen == "explicit"
    assert trials["fold"].int8_mean_abs_difference < trials["explicit"].int8_mean_abs_difference
