"""Integer sums at their largest: every weight and every number at its limit, in every way through the C."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from native_machines import CROSS, HERE, available, run

from edgekit.native import reference
from edgekit.native.network import Cell, Dense, Direction, Frames, Matrix, Network, Recurrent
from edgekit.native.program import STRICT, Goldens, golden_program, golden_stream
from edgekit.native.reading import MAX_FEATURES, MAX_UNITS
from edgekit.native.source import header, source

Need = Callable[[str], str]
SLOW = pytest.mark.slow
#: An odd number of eights, so that Arm's 16 columns at once have a rest.
INPUTS, UNITS, FRAMES = 136, 40, 4


def _matrix(rows: int, columns: int, signs: np.random.Generator) -> Matrix:
    """Weights of 127 in size: rows of one sign, rows of the other, and rows of both."""
    codes = np.full((rows, columns), 127, np.int8)
    codes[1::3] = -127
    codes[2::3] *= signs.choice(np.array([-1, 1], np.int8), (len(codes[2::3]), columns))
    return Matrix.of_codes(codes, np.full(rows, 1e-4, np.float32))


def _network(cell: Cell) -> Network:
    signs = np.random.default_rng(1)
    gates = (4 if cell == "LSTM" else 3) * UNITS
    bias = np.full(gates, 6.0, np.float32)  # h is driven to 1 or -1
    one = Direction(_matrix(gates, INPUTS, signs), _matrix(gates, UNITS, signs), bias, np.zeros(gates, np.float32))
    wide = Dense(_matrix(70, UNITS, signs), np.zeros(70, np.float32), relu=True)
    last = Dense(_matrix(5, 70, signs), np.zeros(5, np.float32), relu=False)
    layers = (Recurrent(cell, UNITS, (one,)),)
    frames = Frames(FRAMES, INPUTS, 0, False, None, None)
    return Network(frames, layers, "mean", (wide, last), tuple("ABCDE"), "int8-weights", "0" * 64)


def _takes() -> np.ndarray:  # type: ignore[type-arg]
    """Frames of codes 127, -127 and both; sizes around the limit of a light group (4 x 64.5 in each four); zeros."""
    x = np.zeros((3, FRAMES, INPUTS), np.float32)
    x[0, :2], x[0, 2] = 1.0, -1.0
    x[0, 3] = np.where(np.arange(INPUTS) % 2, 1.0, -1.0)
    for t, code in enumerate((63, 64, 65, 66)):
        x[1, t] = code
        x[1, t, :8] = -127.0
    x[2, 0] = 1e15
    x[2, 1, 5] = 1e-38
    return x


def _check(cell: Cell, folder: Path, compiler: str, flags: tuple[str, ...], start: tuple[str, ...] = ()) -> None:
    network, x = _network(cell), _takes()
    h = reference._last_layer(network, x)[0][0]
    assert np.abs(np.rint(h * 127)).max() == 127, "h is not at its limit"
    goldens = Goldens(x, reference.predict(network, x), 0.0, "", golden_stream(network, x))
    assert len(set(goldens.logits[0].tolist())) > 2
    texts = {"model.c": source(network, "model"), "model.h": header(network, "model")}
    for name, text in {**texts, "test.c": golden_program(goldens, "model")}.items():
        (folder / name).write_text(text, encoding="utf-8")
    run([compiler, *STRICT, "-O1", *flags, "-o", "test", "test.c", "model.c", "-lm"], folder)
    said = run([*start, "./test"], folder)
    assert said.startswith("3 takes, largest difference of a logit 0, allowed 0")
    assert "steps, largest difference of a logit 0; after whole takes 0" in said


@pytest.mark.parametrize(
    "way", [each if each in ("plain", "avx2") else pytest.param(each, marks=SLOW) for each in HERE]
)
def test_the_largest_sums_are_exact(tmp_path: Path, need: Need, way: str) -> None:
    _check("LSTM", tmp_path, need("gcc"), available(way))


@pytest.mark.parametrize("cell", ["LSTM", pytest.param("GRU", marks=SLOW)])
@pytest.mark.parametrize("machine", [each if each == "aarch64" else pytest.param(each, marks=SLOW) for each in CROSS])
def test_the_largest_sums_are_exact_on_other_machines(tmp_path: Path, need: Need, machine: str, cell: Cell) -> None:
    cross = CROSS[machine]
    start = (need(cross.emulator), *cross.cpu)
    _check(cell, tmp_path, need(cross.compiler), ("-static", *cross.flags), start)


@SLOW
def test_sanitizers_find_no_overflow(tmp_path: Path, need: Need) -> None:
    for way in ("plain", "avx2"):
        checked = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", *available(way))
        _check("GRU", tmp_path, need("gcc"), checked)


def test_a_sum_of_the_widest_matrix_stays_in_32_bits() -> None:
    """Of 128 too large codes, as VNNI has them, too."""
    widest = max(2 * MAX_UNITS, MAX_FEATURES)
    assert 255 * 127 * widest + 128 * 127 * widest < 2**31
