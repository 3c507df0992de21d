"""Every error class owns its exit code, and the worst of several codes is DESIGN.md's."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path

import pytest

from edgekit import errors
from edgekit.errors import EdgekitError, did_you_mean, missing_extra, worst
from edgekit.workdir.extras import needs_extra

ROOT = Path(__file__).resolve().parents[1]

#: DESIGN.md, "Exit codes".
EXIT_CODES = {
    "EdgekitError": 1,
    "NotFiniteError": 1,
    "InputError": 2,
    "DataError": 2,
    "ModelFileError": 2,
    "ShapeError": 2,
    "ConfigError": 2,
    "StateError": 2,
    "MissingExtraError": 2,
    "ConstraintError": 3,
    "WeakEvidenceError": 4,
    "GateError": 5,
    "InterruptedRunError": 130,
}


def test_every_error_class_owns_the_exit_code_of_the_design() -> None:
    found = {
        name: kind.exit_code
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, EdgekitError)
    }
    assert found == EXIT_CODES


def test_errors_of_wrong_input_can_be_caught_as_one_kind() -> None:
    for name, code in EXIT_CODES.items():
        assert issubclass(getattr(errors, name), errors.InputError) == (code == 2)


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((), 0),
        ((0, 0), 0),
        ((0, 4), 4),
        ((4, 3), 3),
        ((3, 5), 5),
        ((5, 2), 2),
        ((2, 1), 1),
        ((1, 130), 130),
        ((0, 3, 5, 4), 5),
    ],
)
def test_worst_exit_code_is_2_before_5_before_3_before_4(codes: tuple[int, ...], expected: int) -> None:
    for order in itertools.permutations(codes):
        assert worst(order) == expected


def test_worst_knows_every_code_that_an_error_owns() -> None:
    for code in EXIT_CODES.values():
        assert worst([code, 0]) == code


def test_a_close_name_is_suggested_and_far_ones_are_listed() -> None:
    known = ["latency_p95_ms", "size_mb"]
    assert did_you_mean("latency_p95", known) == "; did you mean 'latency_p95_ms'?"
    assert did_you_mean("zebra", known) == "; known: latency_p95_ms, size_mb"
    assert did_you_mean("zebra", []) == ""


def test_every_extra_that_a_message_may_name_exists() -> None:
    said = re.compile(r"'\.\[(\w+)\]'|missing_extra\([^()]*\"(\w+)\"\)")
    named = {a or b for path in (ROOT / "edgekit").rglob("*.py") for a, b in said.findall(path.read_text("utf-8"))}
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert {"onnx", "train", "parquet"} <= named <= set(extras)
    assert {extra for _, extra in needs_extra.NAMES.values()} <= set(extras)
    assert [package.partition(">")[0] for package in extras["onnx"]] == ["onnx"]


def test_a_missing_extra_says_how_to_install_it() -> None:
    error = missing_extra("distill", "PyTorch", "train")
    assert str(error) == "distill needs PyTorch: pip install '.[train]' in a clone of edgekit"
    assert error.exit_code == 2
