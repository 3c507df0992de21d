"""Ways through the generated C for CPUs that are not here: AVX2, AVX-512 and VNNI in portable C by SIMDe (SIMD
Everywhere). What runs is the source, not what a compiler makes of it for such a CPU."""

from __future__ import annotations

import ctypes
import itertools
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from native_machines import HERE, run

from edgekit.data import canonical_takes, load_recordings
from edgekit.native import Network, read_network, reference
from edgekit.native.network import F32
from edgekit.native.program import STRICT, Goldens, golden_stream
from edgekit.native.source import VARIANTS
from edgekit.native.takes import golden_takes
from edgekit.runtime import open_predictor
from edgekit.shipped import open_box

MakeFile = Callable[..., Path]
Write = Callable[..., Path]

SLOW = pytest.mark.slow
SIMDE = Path("/usr/include/simde/x86/avx512.h")
SHIM = Path(__file__).with_name("emulated")
LETTERS = Path(__file__).resolve().parents[3] / "shared" / "data" / "asl-letters.npz"
WAYS = tuple(VARIANTS["x86_64"]["int8"])
#: cell, layers, both directions, readout: as in bench/parity_grid.py.
GRID = list(itertools.product(("lstm", "gru"), (1, 2, 3), (False, True), ("mean", "final")))


@pytest.fixture
def emulating() -> Sequence[str]:
    """The compiler and its options but for a way's. clang needs seconds for what takes gcc a minute."""
    if not SIMDE.exists():
        pytest.skip("SIMDe's headers are not installed (Debian: libsimde-dev)")
    compiler = shutil.which("clang") or shutil.which("clang-14") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("neither clang nor gcc is installed")
    return (compiler, *STRICT, "-Wno-psabi", "-O1" if "clang" in compiler else "-O0", "-isystem", str(SHIM))


def _macros(flags: Sequence[str]) -> list[str]:
    """What a compiler that knows such a CPU defines: -mavx2 to -D__AVX2__."""
    return [f"-D__{flag.removeprefix('-m').upper()}__" for flag in flags]


def _library(folder: Path, name: str, command: Sequence[str]) -> ctypes.CDLL:
    run([*command, "-shared", "-fPIC", "-o", folder / name, "model.c", "-lm"], folder)
    return ctypes.CDLL(str(folder / name))


def _answers(library: ctypes.CDLL, network: Network, x: F32) -> F32:
    """Logits float32 (takes, classes) of model_predict."""
    context, logits = (ctypes.c_char * 2**22)(), np.zeros((len(x), network.classes), np.float32)
    size = [ctypes.c_size_t(each) for each in (*x.shape[1:], network.classes)]
    for take, out in zip(np.ascontiguousarray(x), logits, strict=True):
        into, read = (one.ctypes.data_as(ctypes.c_void_p) for one in (out, take))
        assert library.model_predict(context, read, size[0], size[1], into, size[2]) == 0
    return logits


def _takes(network: Network, count: int) -> F32:
    """Real ones where they are here, as many of them, evenly spread; else made-up ones."""
    if not LETTERS.exists():
        return golden_takes(network.frames, min(count, 50))
    x = canonical_takes(load_recordings(LETTERS), network.frames.count)
    return x[np.linspace(0, len(x) - 1, min(count, len(x))).round().astype(np.int64)]


@pytest.mark.parametrize("way", [each if each == "avx512vnni" else pytest.param(each, marks=SLOW) for each in WAYS])
@pytest.mark.parametrize(
    "shape", [("lstm", (24,), False, "mean"), pytest.param(("gru", (17, 6), True, "final"), marks=SLOW)]
)
def test_vector_instructions_that_are_not_here_give_the_same_bits(
    make_file: MakeFile, write_c: Write, emulating: Sequence[str], shape: Sequence[object], way: str
) -> None:
    path = make_file(*shape, scheme="int8-weights")
    network = read_network(path)
    x = golden_takes(network.frames, 3)
    folder = write_c(path, Goldens(x, reference.predict(network, x), 0.0, "", golden_stream(network, x)))
    flags = _macros(VARIANTS["x86_64"]["int8"][way])
    run([*emulating, *flags, "-o", "test", "test.c", "model.c", "-lm"], folder)
    said = run([folder / "test"], folder)
    assert said.startswith("3 takes, largest difference of a logit 0, allowed 0")
    assert not network.streams or "steps, largest difference of a logit 0; after whole takes 0" in said


@SLOW
@pytest.mark.parametrize("way", VARIANTS["x86_64"]["fp32"])
def test_floats_agree_with_onnx_runtime_there(
    make_file: MakeFile, write_c: Write, emulating: Sequence[str], way: str
) -> None:
    path = make_file("lstm", (40,), scheme="fp32")
    x = golden_takes(read_network(path).frames, 3)
    folder = write_c(path, Goldens(x, open_predictor(path)(x), 2e-6, "", golden_stream(read_network(path), x)))
    flags = _macros(VARIANTS["x86_64"]["fp32"][way])
    run([*emulating, *flags, "-o", "test", "test.c", "model.c", "-lm"], folder)
    assert "allowed 2e-06" in run([folder / "test"], folder)


@SLOW
@pytest.mark.parametrize("way", WAYS)
def test_the_shipped_student_reads_real_takes_with_the_bits_of_plain_c(
    write_c: Write, emulating: Sequence[str], way: str
) -> None:
    path = open_box().student
    network = read_network(path)
    folder = write_c(path, Goldens(golden_takes(network.frames, 1), np.zeros((1, network.classes), np.float32), 0, ""))
    x = _takes(network, 3000)
    plain = _library(folder, "plain.so", [*emulating, *HERE["plain"][0]])
    there = _library(folder, "there.so", [*emulating, *_macros(VARIANTS["x86_64"]["int8"][way])])
    assert (_answers(there, network, x) == _answers(plain, network, x)).all()


@SLOW
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("cell", "layers", "both", "readout"), GRID)
def test_every_architecture_has_the_bits_of_plain_c_and_of_the_twin(
    make_file: MakeFile,
    write_c: Write,
    emulating: Sequence[str],
    cell: str,
    layers: int,
    both: bool,
    readout: str,
    way: str,
) -> None:
    path = make_file(cell, (33, 20, 16)[:layers], both, readout, scheme="int8-weights")
    network = read_network(path)
    x = _takes(network, 60)
    folder = write_c(path, Goldens(x[:1], np.zeros((1, network.classes), np.float32), 0, ""))
    wanted = reference.predict(network, x)
    plain = _library(folder, "plain.so", [*emulating, *HERE["plain"][0]])
    there = _library(folder, "there.so", [*emulating, *_macros(VARIANTS["x86_64"]["int8"][way])])
    assert (_answers(plain, network, x) == wanted).all()
    assert (_answers(there, network, x) == wanted).all()
