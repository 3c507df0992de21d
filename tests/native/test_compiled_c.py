"""The C that is written: warnings are errors, integer arithmetic gives the same bits on every way through it."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from native_machines import CROSS, HERE, available, run

from edgekit.native import read_network, reference
from edgekit.native.program import STRICT, Goldens, golden_stream
from edgekit.native.takes import golden_takes
from edgekit.runtime import open_predictor

MakeFile = Callable[..., Path]
Write = Callable[..., Path]
Need = Callable[[str], str]

SLOW = pytest.mark.slow
MORE = ("aarch64-dotprod", "armv7-neon")
#: cell, hidden, both, readout, preprocessing, features: widths that leave a rest of every kind, and each layout.
SHAPES = {
    "lstm": ("lstm", (40,), False, "mean", "hand+displacement", 63),
    "gru-both": ("gru", (17, 6), True, "final", "hand", 126),
    "lstm-deep": ("lstm", (5, 33, 16), True, "mean", "standard", 10),
    "gru": ("gru", (64,), False, "mean", "hand+displacement", 63),
    "small": ("lstm", (5,), True, "mean", "standard", 10),
}


def _goldens(path: Path, fp32: bool) -> Goldens:
    network = read_network(path)
    network = network.in_float() if fp32 else network
    x = golden_takes(network.frames, 3)
    if network.arithmetic == "int8":
        return Goldens(x, reference.predict(network, x), 0.0, "", golden_stream(network, x))
    return Goldens(x, open_predictor(path)(x), 2e-6, "", golden_stream(network, x))


@pytest.fixture
def written(make_file: MakeFile, write_c: Write) -> Callable[..., Path]:
    """(shape, scheme): a folder with model.c and the test program of such a file."""

    def write(shape: str, scheme: str) -> Path:
        path = make_file(*SHAPES[shape], scheme=scheme)
        return write_c(path, _goldens(path, scheme == "fp32"))

    return write


def _check(folder: Path, compiler: str, flags: tuple[str, ...], *, start: tuple[str, ...] = ()) -> str:
    program = folder / "test"
    run([compiler, *STRICT, *flags, "-o", program, "test.c", "model.c", "-lm"], folder)
    return run([*start, program], folder)


@pytest.mark.parametrize("way", [pytest.param(each, marks=SLOW) if each == "sse2" else each for each in HERE])
@pytest.mark.parametrize("shape", ["lstm", pytest.param("gru-both", marks=pytest.mark.slow)])
def test_integers_give_the_same_bits_whatever_the_cpu_has(
    written: Callable[..., Path], need: Need, shape: str, way: str
) -> None:
    flags = available(way)
    said = _check(written(shape, "int8-weights"), need("gcc"), ("-O1", *flags))
    assert said.startswith("3 takes, largest difference of a logit 0, allowed 0")


@pytest.mark.parametrize("way", ["plain", "avx512vnni"])
def test_floats_agree_with_onnx_runtime(written: Callable[..., Path], need: Need, way: str) -> None:
    assert "allowed 2e-06" in _check(written("lstm", "fp32"), need("gcc"), ("-O1", *available(way)))


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("way", HERE)
@pytest.mark.parametrize("scheme", ["fp32", "int8-weights"])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_on_every_way_with_both_compilers(
    written: Callable[..., Path], need: Need, shape: str, scheme: str, way: str, compiler: str
) -> None:
    _check(written(shape, scheme), need(compiler), ("-O3", *available(way)))


@pytest.mark.parametrize(
    ("shape", "scheme", "way"),
    [("lstm-deep", "int8-weights", "avx2"), pytest.param("gru", "fp32", "plain", marks=SLOW)],
)
def test_clang_takes_it_too(written: Callable[..., Path], need: Need, shape: str, scheme: str, way: str) -> None:
    _check(written(shape, scheme), need("clang"), ("-O1", *available(way)))


@pytest.mark.parametrize(
    ("shape", "scheme", "way"),
    [
        ("small", "int8-weights", "avx2"),
        pytest.param("small", "fp32", "sse2", marks=SLOW),
        *(
            pytest.param(*each, marks=pytest.mark.slow)
            for each in itertools.product(SHAPES, ("fp32", "int8-weights"), ("plain", "avx512vnni", "avx2"))
        ),
    ],
)
def test_sanitizers_find_nothing(written: Callable[..., Path], need: Need, shape: str, scheme: str, way: str) -> None:
    checked = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", *available(way))
    _check(written(shape, scheme), need("gcc"), checked)


@pytest.mark.parametrize(
    "machine", [each if each in ("aarch64", "armv7") else pytest.param(each, marks=SLOW) for each in CROSS]
)
def test_other_machines_compute_the_same(written: Callable[..., Path], need: Need, machine: str) -> None:
    cross = CROSS[machine]
    folder = written("lstm", "int8-weights")
    start = (need(cross.emulator), *cross.cpu)
    said = _check(folder, need(cross.compiler), ("-O2", "-static", *cross.flags), start=start)
    assert said.startswith("3 takes, largest difference of a logit 0, allowed 0")


@pytest.mark.slow
@pytest.mark.parametrize("machine", CROSS)
@pytest.mark.parametrize("scheme", ["fp32", "int8-weights"])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_on_other_machines(
    written: Callable[..., Path], need: Need, shape: str, scheme: str, machine: str
) -> None:
    cross = CROSS[machine]
    start = (need(cross.emulator), *cross.cpu)
    _check(written(shape, scheme), need(cross.compiler), ("-O3", "-static", *cross.flags), start=start)


def test_the_test_program_fails_for_other_weights(written: Callable[..., Path], need: Need) -> None:
    folder = written("lstm", "int8-weights")
    text = (folder / "model.c").read_text(encoding="utf-8")
    start = text.index("= {", text.rindex("const signed char ek_l0f_w[")) + 4
    number = text[start:].partition(",")[0]
    changed = f"    {int(number) - 60 if int(number) > 0 else int(number) + 60}"
    (folder / "model.c").write_text(text[:start] + changed + text[start + len(number) :], encoding="utf-8")
    run([need("gcc"), *STRICT, "-O1", "-o", "test", "test.c", "model.c", "-lm"], folder)
    with pytest.raises(AssertionError, match="largest difference"):
        run([folder / "test"], folder)


def test_random_bytes_never_bring_it_down(written: Callable[..., Path], need: Need) -> None:
    """Any 4 bytes are a float: a fuzz run under the sanitizers, through a library."""
    folder = written("small", "int8-weights")
    library = folder / "fuzzed.so"
    flags = ("-O1", "-shared", "-fPIC", "-fsanitize=undefined", "-fno-sanitize-recover=all", "-DEK_PORTABLE")
    run([need("gcc"), *STRICT, *flags, "-o", library, "model.c", "-lm"], folder)
    predict = ctypes.CDLL(str(library)).model_predict
    context, logits = (ctypes.c_char * 2**20)(), (ctypes.c_float * 5)()
    rng = np.random.default_rng(0)
    statuses = set()
    for turn in range(300):
        take = rng.integers(0, 256, (12, 10, 4), dtype=np.uint8).view(np.float32)[..., 0].copy()
        if turn % 2:  # finite numbers of every size
            take = np.where(np.abs(take) < 10.0 ** rng.integers(-40, 39), take, 0).astype(np.float32)
        size = [ctypes.c_size_t(each) for each in (12, 10, 5)]
        pointer = take.ctypes.data_as(ctypes.c_void_p)
        status = predict(context, pointer, size[0], size[1], logits, size[2])
        statuses.add(status)
        if status == 0:
            assert np.isfinite(list(logits)).all()
    assert statuses == {0, 3, 4}
