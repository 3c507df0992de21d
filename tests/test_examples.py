"""The examples do what they say: from a module to a verdict, a gate that opens and shuts, letters from frames."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
LETTERS = ("A", "B")


def run(*command: object, cwd: Path, **how: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False, **how)  # type: ignore[call-overload,no-any-return]


@pytest.fixture
def model(tiny_model: Callable[..., object], tmp_path: Path) -> Path:
    """A classifier of two letters, untrained."""
    from edgekit.export import export_onnx

    path = tmp_path / "model.onnx"
    export_onnx(tiny_model(classes=2), path, class_names=LETTERS)  # type: ignore[arg-type]
    return path


@pytest.fixture
def gate(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """gate.sh in an empty folder, with this checkout's edgekit as the command of that name."""
    command = tmp_path / "bin" / "edgekit"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m edgekit "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    variables = {
        **os.environ,
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "GATE_OPTIONS": "--processes 1 --repeats 100 --time-limit 2 --seed 1",
    }
    return lambda *words: run("bash", EXAMPLES / "ci_gate" / "gate.sh", *words, cwd=tmp_path, env=variables)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_gate_opens_for_a_model_that_fits(
    gate: Callable[..., subprocess.CompletedProcess[str]], model: Path, tmp_path: Path
) -> None:
    done = gate(model)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith(f"gate: {model} fits raspberry-pi")
    assert 'failures="0"' in (tmp_path / "bench.xml").read_text(encoding="utf-8")
    assert "fits raspberry-pi" in (tmp_path / "summary.md").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_gate_shuts_for_one_that_does_not(
    gate: Callable[..., subprocess.CompletedProcess[str]], model: Path, tmp_path: Path
) -> None:
    (tmp_path / "tiny.yaml").write_text("max_model_mb: 0.001\n", encoding="utf-8")
    done = gate(model, "./tiny.yaml")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "gate: " in done.stdout
    assert "does not fit ./tiny.yaml" in done.stdout
    assert 'failures="1"' in (tmp_path / "bench.xml").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_gate_says_when_there_is_no_model(
    gate: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = gate("missing.onnx")
    assert done.returncode == 2
    assert "gate: the bench did not run (exit code 2)" in done.stdout
    assert not (tmp_path / "bench.xml").exists()
    assert gate().returncode == 1, "a model has to be named"


def test_a_stream_becomes_letters(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The model's answers are made up: what is held for ten frames is written once, doubt and flicker are not."""
    import edgekit.predict
    from edgekit.evaluate import StreamAnswer

    answers = [("A", 0.9)] * 30 + [("B", 0.9)] * 9 + [("A", 0.9)] * 5 + [("B", 0.7)] * 20 + [("A", 0.8)] * 10
    answers += [(None, 0.9)] * 12  # nobody signs
    monkeypatch.setattr(
        edgekit.predict,
        "predict_frames",
        lambda model, lines: (StreamAnswer(k, n, p) for k, (n, p) in enumerate(answers)),
    )
    monkeypatch.setattr(sys, "argv", ["letters.py", "model.onnx"])
    source = EXAMPLES / "stream" / "letters.py"
    exec(compile(source.read_text(encoding="utf-8"), str(source), "exec"), {})
    assert capsys.readouterr().out == "AA\n", "the pause of doubt between them makes it two"


def test_the_stream_runs_on_a_real_file_and_has_twenty_lines(model: Path, tmp_path: Path) -> None:
    frames = np.random.default_rng(0).random((12, 63)).tolist()
    lines = "".join(json.dumps(frame) + "\n" for frame in frames)
    source = EXAMPLES / "stream" / "letters.py"
    done = run(sys.executable, source, model, cwd=tmp_path, input=lines)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(done.stdout.strip()) <= set(LETTERS)
    assert len(source.read_text(encoding="utf-8").splitlines()) <= 20


def test_words_are_read_from_a_stream_with_lost_hands(tmp_path: Path) -> None:
    from edgekit.data import SynthConfig, canonical_takes, synthesise_hands
    from edgekit.shipped import open_box

    hands = synthesise_hands(SynthConfig(people=1, takes_per_letter=2, seed=3))
    x, names = canonical_takes(hands, 30), hands.class_names
    takes = {names[label]: take.tolist() for take, label in zip(x, hands.labels, strict=True)}
    frames = [*takes["L"], *takes["O"], *[None] * 40, *takes["W"]]
    source = EXAMPLES / "stream" / "words.py"
    lines = "".join(json.dumps(frame) + "\n" for frame in frames)
    done = run(sys.executable, source, open_box().student, cwd=tmp_path, input=lines)
    assert (done.returncode, done.stdout, done.stderr) == (0, "LO W\n", "")
    assert len(source.read_text(encoding="utf-8").splitlines()) <= 20


#: What the page uses of a browser; takes come as arguments.
BROWSER = """
const [answer, take] = [{}, {}];
globalThis.document = { getElementById: (name) => ({ answer, take })[name] };
await import(process.argv[2]);
console.log(answer.textContent);
for (const text of process.argv.slice(3)) {
  await take.onchange({ target: { files: [{ text: async () => text }] } });
  console.log(answer.textContent);
}
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_the_page_says_what_the_model_says(tmp_path: Path) -> None:
    """The page's own script, with a model of its loader's kind that takes two frames of two numbers."""
    page = (EXAMPLES / "web" / "index.html").read_text(encoding="utf-8")
    (tmp_path / "page.mjs").write_text(page.partition('<script type="module">')[2].partition("</script>")[0])
    (tmp_path / "browser.mjs").write_text(BROWSER)
    predict = "if (x.length !== 4 || x.some(Number.isNaN)) throw new RangeError('4 numbers');"
    predict += " return { label: x.some(Boolean) ? `${x}` : null, nearest: 'A' };"
    stand_in = f"{{ frames: 2, features: 2, classes: ['A', 'B'], predict(x) {{ {predict} }} }}"
    (tmp_path / "model.mjs").write_text(f"export const load = async () => ({stand_in});")
    takes = (
        "[[1, 2], [3, 4]]",
        "[[1, 2], [3, null]]",
        "[[1]]",
        "{",
        '{"a": 1}',
        "null",
        "[[[1], [2]], [[3, 4]]]",
        "[null, [3, 4]]",
    )
    takes = (*takes, "[[0, 0], null]")
    done = run("node", tmp_path / "browser.mjs", tmp_path / "page.mjs", *takes, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[:4] == ["Ready for 2 frames of 2 numbers: A, B.", "1,2,3,4", *["No answer: 4 numbers"] * 2]
    assert said[4].startswith("No answer: ")
    assert "JSON" in said[4]
    assert said[5:7] == ["No answer: expected a list of frames, each a list of numbers"] * 2
    assert said[7] == "1,2,3,4", "landmarks by landmark, as edgekit reads them elsewhere"
    assert said[8:] == ["0,0,3,4", "no sign"], (
        "a lost hand is null, as elsewhere; where nobody signs there is no letter"
    )


@pytest.mark.slow
def test_a_model_of_ones_own_becomes_a_file_with_a_verdict(tmp_path: Path) -> None:
    source = EXAMPLES / "own_model" / "own_model.py"
    done = run(sys.executable, source, "--epochs", 2, "--people", 2, "--folder", tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("verdict: pass")
    assert "synthetic takes of another day" in done.stdout
    told = [line.partition(":")[0] for line in done.stderr.splitlines()]
    assert told == ["own model", "student", "pruned to half"]
    assert (tmp_path / "own.int8.onnx").stat().st_size < 40_000
