"""Paired accuracy: the interval of a drop, enumerated and against the literature; two real files on the same takes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bench import Flips, LabelledTakes, score_accuracy
from edgekit.errors import DataError, ModelFileError, ShapeError
from edgekit.export import export_onnx
from edgekit.quantize import QuantizeConfig, quantize_onnx

pytestmark = pytest.mark.usefixtures("models_run_here")

NAMES = ("A", "B", "C")


def test_the_interval_is_tangos() -> None:
    """Airway hyper-responsiveness before and after transplantation, 1 and 7 flips of 21 (Bentur et al. 2009).

    Fagerland, Lydersen and Laake, Statistics in Medicine 33 (2014), 2850-2875, give -0.517 to -0.026.
    """
    low, high = Flips(21, 1, 7).interval()
    assert (round(low, 3), round(high, 3)) == (-0.517, -0.026)


def chances(takes: int, lost: float, gained: float) -> dict[tuple[int, int], float]:
    """Probability of every (lost, gained) that is not negligible, of independent takes that flip with these rates."""
    most = math.ceil(takes * max(lost, gained) + 8 * math.sqrt(takes * max(lost, gained)) + 8)

    def log_share(count: int, rate: float) -> float:
        return 0.0 if count == 0 else count * math.log(rate) if rate else -math.inf

    return {
        (b, c): math.exp(
            math.lgamma(takes + 1) - math.lgamma(b + 1) - math.lgamma(c + 1) - math.lgamma(takes - b - c + 1)
            + log_share(b, lost) + log_share(c, gained) + log_share(takes - b - c, 1 - lost - gained)
        )
        for b in range(min(most, takes) + 1) for c in range(min(most, takes - b) + 1)
    }  # fmt: skip


@pytest.mark.parametrize("takes", [50, 100, 275, 1000])
@pytest.mark.parametrize("drop", [0.005, 0.01, 0.02, 0.05])
@pytest.mark.parametrize("gained", [0.0, 0.003, 0.03])
def test_a_verdict_at_the_limit_itself_is_as_rare_as_it_claims(takes: int, drop: float, gained: float) -> None:
    """Nothing is drawn: all tables are enumerated. Where the true drop is the limit, no verdict is right; each may come
    in 2.5 % of all cases. A discrete score interval exceeds that by a little.
    """
    found = {"pass": 0.0, "fail": 0.0, "undecided": 0.0}
    for (b, c), chance in chances(takes, drop + gained, gained).items():
        # the score decides as the interval does (see the next test) and is quick
        score = Flips(takes, b, c).score(drop)
        found["pass" if score <= -1.959964 else "fail" if score >= 1.959964 else "undecided"] += chance
    assert sum(found.values()) == pytest.approx(1, abs=1e-6)
    assert found["pass"] < 0.03
    assert found["fail"] < 0.04


@pytest.mark.parametrize("flips", [Flips(50, 0, 0), Flips(275, 4, 1), Flips(44, 2, 7), Flips(9, 9, 0), Flips(1, 0, 1)])
def test_the_ends_of_the_interval_are_where_the_verdict_changes(flips: Flips) -> None:
    low, high = flips.interval()
    assert -1 <= low <= flips.drop <= high <= 1
    for end, inside, outside in ((high, "undecided", "pass"), (low, "undecided", "fail")):
        away = 1e-6 if outside == "pass" else -1e-6
        assert flips.judge(end - away) == inside
        assert flips.judge(end + away) == outside
        if abs(end) < 1 - 1e-6:
            assert abs(flips.score(end)) == pytest.approx(1.959964, rel=1e-4)


def test_exchanging_the_models_turns_the_interval_round() -> None:
    low, high = Flips(275, 4, 1).interval()
    assert Flips(275, 1, 4).interval() == pytest.approx((-high, -low))


def test_more_of_the_same_takes_narrow_the_interval_and_the_number_needed_decides() -> None:
    few = Flips(100, 1, 1)
    needed = few.takes_needed(0.01)
    assert needed is not None
    times = math.ceil(needed / few.takes)
    assert Flips(100 * times, times, times).judge(0.01) == "pass"
    assert Flips(100 * (times - 1), times - 1, times - 1).judge(0.01) == "undecided"
    assert Flips(300, 3, 0).takes_needed(0.01) is None
    assert Flips(275, 0, 0).takes_needed(0.0) is None


@pytest.fixture
def takes() -> LabelledTakes:
    rng = np.random.default_rng(0)
    x = rng.uniform(0.2, 0.8, (40, 30, 63)).astype(np.float32)
    return LabelledTakes(x, rng.integers(0, 3, 40), NAMES, "made-up takes", "all")


@pytest.fixture
def save(tiny_model: Callable[..., Any], tmp_path: Path) -> Callable[..., Path]:
    """(name, class_names, seed): a small random model as a file."""

    def write(name: str, class_names: tuple[str, ...] = NAMES, seed: int = 0) -> Path:
        export_onnx(tiny_model(seed=seed, classes=len(class_names)), tmp_path / name, class_names=class_names)
        return tmp_path / name

    return write


def test_a_file_against_itself_has_no_flips_and_no_difference(save: Any, takes: LabelledTakes) -> None:
    found = score_accuracy(save("m.onnx"), takes, save("same.onnx"))
    assert found.parent is not None
    assert found.parent.flips == Flips(40, 0, 0)
    assert (found.parent.max_abs_difference, found.parent.labels_changed) == (0, 0)
    assert found.accuracy == found.parent.accuracy
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["parent"]["flips"]["drop"] == 0


def test_the_flips_are_the_difference_of_the_accuracies(save: Any, takes: LabelledTakes) -> None:
    found = score_accuracy(save("m.onnx"), takes, save("other.onnx", seed=3))
    assert found.parent is not None
    assert found.parent.flips.drop == pytest.approx(found.parent.accuracy - found.accuracy, abs=1e-12)
    assert found.parent.flips.lost + found.parent.flips.gained <= found.parent.labels_changed
    assert found.outcomes is not None
    assert found.outcomes.count("1") == round(found.accuracy * 40)


def test_classes_are_compared_by_name_not_by_place(save: Any, takes: LabelledTakes) -> None:
    """Recordings that number their classes otherwise give the same figures and the same digest."""
    turned = replace(takes, labels=2 - np.asarray(takes.labels), class_names=NAMES[::-1])
    model, parent = save("m.onnx"), save("p.onnx", seed=3)
    assert score_accuracy(model, turned, parent) == score_accuracy(model, takes, parent)


def test_takes_that_one_of_the_two_does_not_know_are_left_out_of_both(save: Any, takes: LabelledTakes) -> None:
    found = score_accuracy(save("m.onnx"), takes, save("p.onnx", ("B", "A", "Z")))
    of_c = int((np.asarray(takes.labels) == 2).sum())
    assert (found.takes, found.excluded, found.excluded_classes) == (40 - of_c, of_c, ("C",))
    with pytest.raises(DataError, match="knows none of the classes"):
        score_accuracy(save("m.onnx"), takes, save("p.onnx", ("X", "Y", "Z")))


def test_int8_dynamic_is_scored_one_take_at_a_time(save: Any, takes: LabelledTakes, tmp_path: Path) -> None:
    """Warnings are errors here: a batch of takes would raise. Its outcomes don't depend on the other takes."""
    int8 = tmp_path / "int8.onnx"
    quantize_onnx(save("m.onnx"), int8, QuantizeConfig(scheme="int8-dynamic"))
    whole = score_accuracy(int8, takes, save("m.onnx"))
    half = score_accuracy(int8, replace(takes, x=takes.x[:20], labels=np.asarray(takes.labels)[:20]))
    assert whole.outcomes is not None
    assert half.outcomes == whole.outcomes[:20]
    assert whole.parent is not None
    assert whole.parent.max_abs_difference > 0


def test_what_can_not_be_scored_is_refused(save: Any, takes: LabelledTakes, lstm_file: Any) -> None:
    model = save("m.onnx")
    with pytest.raises(ShapeError, match="39 labels for 40 takes"):
        score_accuracy(model, replace(takes, labels=np.asarray(takes.labels)[1:]))
    with pytest.raises(ShapeError):
        score_accuracy(model, replace(takes, x=takes.x[:, :29]))
    with pytest.raises(ModelFileError):
        score_accuracy(lstm_file(), takes)
