"""What compiled models call an answer: the label of `edgekit predict`, or nothing where nobody signs."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from native_machines import run
from numpy.typing import NDArray

from edgekit.data import NOTHING, Mix
from edgekit.evaluate import sign_scores, takes_with_hand
from edgekit.native import read_network, reference
from edgekit.native.network import Network
from edgekit.native.program import STRICT, Goldens, golden_stream
from edgekit.native.signing import NOBODY, UNKNOWN, signed_classes
from edgekit.native.source import header, source
from edgekit.native.takes import golden_takes
from edgekit.predict import open_labels, without_hand
from edgekit.runtime import Rejection, Score, open_predictor
from edgekit.shipped import open_box

F32 = NDArray[np.float32]
MakeFile = Callable[..., Path]
Need = Callable[[str], str]
PAGE = Path(__file__).resolve().parents[2] / "docs" / "native.md"


class InC:
    """A compiled library's own functions. features: of a frame."""

    def __init__(self, library: Path, features: int) -> None:
        c = ctypes.CDLL(str(library))
        self._label, self._seen, self._features = c.model_label, c.model_hand_seen, features
        self._label.restype = ctypes.c_char_p

    def label(self, logits: F32, hand: bool) -> str | None:
        told = self._label(logits.ctypes.data_as(ctypes.c_void_p), int(hand))
        return None if told is None else told.decode()

    def hand_seen(self, take: F32) -> bool:
        assert take.shape[1] == self._features
        return bool(self._seen(take.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(len(take))))


@pytest.fixture
def in_c(make_file: MakeFile, need: Need, tmp_path: Path) -> Callable[..., InC]:
    """(names, rule, features): the functions of such a model, without optimisation, so that it takes little time."""

    def build(names: Sequence[str] = "ABCDE", rule: Rejection | None = None, features: int = 63) -> InC:
        kind = "hand+displacement" if features in (63, 126) else "standard"
        network = read_network(make_file(features=features, kind=kind))
        return _compiled(replace(network, class_names=tuple(names), no_sign=rule), need("gcc"), tmp_path)

    return build


def _logits(count: int) -> F32:
    """From sure to even, and far from zero either way."""
    rng = np.random.default_rng(0)
    scale, shift = rng.uniform(0, 30, (count, 1)), rng.uniform(-60, 60, (count, 1))
    return (scale * rng.standard_normal((count, 5)) + shift).astype(np.float32)


@pytest.mark.parametrize(("score", "threshold"), [("energy", 3.0), ("energy", -20.0), ("probability", 0.6)])
def test_the_rule_in_c_is_the_rule_in_numpy(in_c: Callable[..., InC], score: Score, threshold: float) -> None:
    """For answers that are no nearer to the threshold than float32 can tell."""
    model, logits = in_c(rule=Rejection(score, threshold)), _logits(4000)
    above = sign_scores(logits, score) - np.float32(threshold)
    clear = np.abs(above) > (1e-6 if score == "probability" else 1e-5)
    assert clear.mean() > 0.99
    wanted = [("ABCDE"[row.argmax()] if high >= 0 else None) for row, high in zip(logits, above, strict=True)]
    got = [model.label(row, True) for row in logits]
    assert 300 < got.count(None) < 3700, "both kinds are there"
    assert [one for one, sure in zip(got, clear, strict=True) if sure] == [
        one for one, sure in zip(wanted, clear, strict=True) if sure
    ]
    assert model.label(logits[0], False) is None, "no hand was seen"


def test_without_a_rule_only_a_missing_hand_is_no_sign_and_a_class_of_ones_own_stays(in_c: Callable[..., InC]) -> None:
    model = in_c(names=("A", "no_sign", "C", "D", "E"))
    best = np.eye(5, dtype=np.float32)
    assert [model.label(row, True) for row in best] == ["A", "no_sign", "C", "D", "E"]
    assert [model.label(row, False) for row in best] == [None, "no_sign", None, None, None]


@pytest.mark.parametrize("features", [63, 126, 225, 10])
def test_hands_are_seen_where_python_sees_them(in_c: Callable[..., InC], features: int) -> None:
    """Of a whole body, a face alone is no hand; of numbers that nobody knows, every take counts."""
    model, takes = in_c(features=features), np.zeros((3, 4, features), np.float32)
    takes[1, 2, 0], takes[2, 3, -1] = 1.0, -1e-20
    assert [model.hand_seen(take) for take in takes] == takes_with_hand(takes).tolist()


def test_goldens_say_what_is_signed_and_leave_out_what_rounding_decides() -> None:
    network = replace(_student(), no_sign=Rejection("energy", 5.0))
    logits = np.zeros((5, 26), np.float32)
    logits[:, 3] = (9.0, 2.0, 5.0, 9.0, 9.0)
    logits[3, 4] = 9.0
    logits[2] -= 30 * (np.arange(26) != 3)  # its energy is 5
    takes = np.ones((5, 30, 63), np.float32)
    takes[4] = 0
    assert signed_classes(network, takes, logits, 0.01) == (3, NOBODY, UNKNOWN, UNKNOWN, NOBODY, NOBODY)
    assert signed_classes(replace(network, no_sign=None), takes, logits, 0.0)[1:] == (3, 3, UNKNOWN, NOBODY, NOBODY)


def test_a_program_that_names_another_class_fails_its_own_test(
    make_file: MakeFile, need: Need, write_c: Callable[..., Path]
) -> None:
    path = make_file(scheme="int8-weights")
    network = read_network(path)
    x = golden_takes(network.frames, 3)
    logits = reference.predict(network, x)
    called = signed_classes(network, x, logits, 0.0)
    wrong = (NOBODY, *called[1:])
    for told, said in ((called, 0), (wrong, 1)):
        folder = write_c(path, Goldens(x, logits, 0.0, "", golden_stream(network, x), told))
        run([need("gcc"), *STRICT, "-DEK_PORTABLE", "-o", "test", "test.c", "model.c", "-lm"], folder)
        done = subprocess.run([str(folder / "test")], capture_output=True, text=True, check=False)
        assert done.returncode == said, done.stdout
        assert ("1 takes are called otherwise than they should" in done.stdout) == bool(said)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shipped student's library, once."""
    compiler, folder = shutil.which("gcc"), tmp_path_factory.mktemp("student")
    if compiler is None:
        pytest.skip("gcc is not installed")
    _compiled(read_network(open_box().student), compiler, folder)
    return folder


def test_the_shipped_student_in_c_says_what_predict_says(student: Path) -> None:
    """Letters, idle hands and nothing at all."""
    model, takes = InC(student / "libmodel.so", 63), letters_and_idle_hands()
    logits = open_predictor(open_box().student)(takes)
    got = [model.label(row, model.hand_seen(take)) for row, take in zip(logits, takes, strict=True)]
    assert got == predicted(logits, takes)
    assert got[-1] is None
    assert 20 < got.count(None) < len(got) - 20, "both kinds are there"


@pytest.mark.parametrize("which", [0, 1])
def test_the_programs_of_the_page_call_an_empty_picture_no_sign(student: Path, which: int, tmp_path: Path) -> None:
    """A take without a hand; a camera that shows nothing, seven times."""
    text = re.findall(r"```c\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[which]
    head = '#include "model.h"\n#include <stdio.h>\n#include <stdlib.h>\n'
    camera = "static int left = 7;\nstatic void camera_frame(float *to) { (void)to; if (!left--) exit(0); }\n"
    declared = "static float landmarks[MODEL_FRAMES * MODEL_FEATURES];\n"
    logits = "" if "float logits" in text else "static float logits[MODEL_CLASSES];\n"
    program = f"{head}{camera if which else ''}{declared}{logits}int main(void) {{\n{text}\nreturn 0; }}\n"
    (tmp_path / "page.c").write_text(program, encoding="utf-8")
    flags = ("-std=c99", "-Wall", "-Werror", f"-I{student}", f"-L{student}", f"-Wl,-rpath,{student}")
    run(["gcc", *flags, "page.c", "-lmodel", "-o", "page"], tmp_path)
    assert run([tmp_path / "page"], tmp_path) == "no sign\n" * (7 if which else 1)


def _write(network: Network, folder: Path) -> None:
    (folder / "model.c").write_text(source(network, "model"), encoding="utf-8")
    (folder / "model.h").write_text(header(network, "model"), encoding="utf-8")


def _compiled(network: Network, compiler: str, folder: Path) -> InC:
    _write(network, folder)
    flags = (*STRICT, "-DEK_PORTABLE", "-O0", "-shared", "-fPIC")
    run([compiler, *flags, "-o", "libmodel.so", "model.c", "-lm"], folder)
    return InC(folder / "libmodel.so", network.frames.features)


def _student() -> Network:
    return read_network(open_box().student)


def letters_and_idle_hands() -> F32:
    """float32 (105, 30, 63): 52 that sign, 52 that don't, and one without a hand."""
    signs = tuple(range(26))
    x, labels = Mix((*signs, *[NOTHING] * 26)).new_takes(104, 30, 0, 0)
    return np.concatenate([x[np.argsort(labels)], np.zeros((1, 30, 63), np.float32)])


def predicted(logits: F32, takes: F32) -> list[str | None]:
    """What `edgekit predict` makes of the shipped student's logits (takes, classes)."""
    hands = takes_with_hand(takes)
    named = open_labels(open_box().student).named(logits)
    return [(answer if hand else without_hand(answer))[0] for answer, hand in zip(named, hands, strict=True)]
