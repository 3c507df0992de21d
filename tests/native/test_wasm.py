"""The WebAssembly module in Node: the C program's bits, errors for what it can't answer, and what is missing."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from test_signing import letters_and_idle_hands, predicted

from edgekit.cli import run_cli
from edgekit.errors import ConfigError, GateError
from edgekit.native import compile_model, compiling, read_network, reference, wasm
from edgekit.native.takes import golden_takes
from edgekit.report.native import compiled_text
from edgekit.results import CompileResult
from edgekit.runtime import open_predictor
from edgekit.shipped import open_box

Capture = pytest.CaptureFixture[str]
MakeFile = Callable[..., Path]
SLOW = pytest.mark.slow
TOOLS = wasm.WasmTools("clang", "clang version 14.0.6", "wasm-ld", None)

#: Answers to the takes in a file of float32 numbers, and what it says to bad input.
ASK = """
import { readFile } from "node:fs/promises";
const { load } = await import(process.argv[2]);
const model = await load();
const { buffer } = await readFile(process.argv[3]), size = model.frames * model.features;
const count = buffer.byteLength / 4 / size;
const takes = Array.from({ length: count }, (_, k) => new Float32Array(buffer, 4 * k * size, size));
const spoiled = (at, value) => takes[0].map((x, i) => (i === at ? value : x));
const answers = takes.map((take) => model.predict(take));
const bad = {
  nan: spoiled(7, NaN), infinite: spoiled(0, -Infinity), large: spoiled(size - 1, 2e15),
  short: takes[0].slice(1), list: Array.from(takes[0]),
};
const errors = {};
const empty = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]); // a module without anything in it
for (const [name, source] of Object.entries({ path: "model.wasm", empty }))
  try { await load(source); } catch (error) { errors[name] = `${error.name}: ${error.message}`; }
for (const [name, landmarks] of Object.entries(bad))
  try { model.predict(landmarks); } catch (error) { errors[name] = `${error.name}: ${error.message}`; }
const again = Array.from(model.predict(takes[0]).logits);
const { frames, features, classes } = model;
const logits = answers.map((answer) => Array.from(answer.logits)), labels = answers.map((answer) => answer.label);
const nearest = answers.map((answer) => answer.nearest);
console.log(JSON.stringify({ frames, features, classes, logits, labels, nearest, errors, again }));
"""


@pytest.fixture(scope="session")
def tools() -> wasm.WasmTools:
    """clang, wasm-ld and Node; where one is missing tests skip, and say what."""
    try:
        found = wasm.find_wasm_tools()
    except ConfigError as error:
        pytest.skip(str(error))
    if found.node is None:
        pytest.skip("Node of 18 or newer is not installed")
    return found


@pytest.fixture(scope="session")
def module(tools: wasm.WasmTools, tmp_path_factory: pytest.TempPathFactory) -> CompileResult:
    """The shipped student in integers, once."""
    target = tmp_path_factory.mktemp("wasm") / "letters"
    return compile_model(open_box().student, target, name="letters", machine="wasm32")


def _ask(result: CompileResult, takes: NDArray[np.float32], scratch: Path) -> dict[str, Any]:
    (scratch / "ask.mjs").write_text(ASK, encoding="utf-8")
    (scratch / "takes").write_bytes(takes.tobytes())
    assert result.library is not None
    command = ["node", scratch / "ask.mjs", result.library.with_suffix(".mjs"), scratch / "takes"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_the_module_gives_the_bits_of_the_c_program(module: CompileResult, tmp_path: Path) -> None:
    """Integers: those of the numpy twin, which are those of every way through the C program."""
    network = read_network(module.source)
    x = golden_takes(network.frames, 6, seed=5)
    told = _ask(module, x, tmp_path)
    wanted = reference.predict(network, x)
    assert (np.array(told["logits"], np.float32) == wanted).all()
    assert told["nearest"] == [network.class_names[k] for k in wanted.argmax(axis=1)]
    assert told["again"] == told["logits"][0], "a refusal leaves nothing behind"
    assert (told["frames"], told["features"], told["classes"]) == (30, 63, list(network.class_names))


def test_the_module_says_what_predict_makes_of_its_logits(module: CompileResult, tmp_path: Path) -> None:
    takes = letters_and_idle_hands()
    told = _ask(module, takes, tmp_path)
    assert told["labels"] == predicted(np.array(told["logits"], np.float32), takes)
    assert told["labels"][-1] is None, "without a hand"
    assert 20 < told["labels"].count(None) < len(takes) - 20, "idle hands and letters"
    assert None not in told["nearest"]


def test_what_it_cant_answer_is_an_exception(module: CompileResult, tmp_path: Path) -> None:
    told = _ask(module, golden_takes(read_network(module.source).frames, 1), tmp_path)
    assert told["errors"] == {
        "path": "TypeError: load: expected a URL or bytes",
        "empty": "Error: load: a module that edgekit compile did not write",
        "nan": "RangeError: landmarks: NaN or infinity in the landmarks",
        "infinite": "RangeError: landmarks: NaN or infinity in the landmarks",
        "large": "RangeError: landmarks: a number is too large: beyond 1e15, or too far from the mean for float32",
        "short": "RangeError: landmarks: 1889 numbers; expected 30 frames of 63",
        "list": "TypeError: landmarks: expected a Float32Array",
    }


def test_the_lines_of_the_page_run(module: CompileResult, tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "native.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"```js\n(.*?)```", page, re.DOTALL)
    (tmp_path / "model.mjs").write_text(f'export * from "{module.folder}/letters.mjs";', encoding="utf-8")
    take = "const landmarks = new Float32Array(30 * 63).fill(0.5);"
    shown = "console.log(label, nearest, logits.length);"
    (tmp_path / "page.mjs").write_text(f"{take}\n{lines}\n{shown}", encoding="utf-8")
    done = subprocess.run(["node", str(tmp_path / "page.mjs")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch("null [A-Z] 26\n", done.stdout), "21 landmarks in one place are no sign"


def test_a_module_is_not_said_to_lack_streams_for_its_layers(module: CompileResult) -> None:
    assert "stream: none in a module" in compiled_text(module)


def test_one_small_file_holds_the_weights(module: CompileResult) -> None:
    assert sorted(path.name for path in module.folder.iterdir()) == ["letters.mjs", "letters.wasm", "test.mjs"]
    assert module.library is not None
    content = module.library.read_bytes()
    assert module.weight_bytes < len(content) == module.library_bytes <= 100_000
    assert len((module.folder / "letters.mjs").read_text(encoding="utf-8").splitlines()) <= 40
    compiled = subprocess.run(
        ["node", "-e", f"WebAssembly.compile(require('fs').readFileSync('{module.library}')).then(m =>"
         " console.log(JSON.stringify(WebAssembly.Module.imports(m))))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(compiled.stdout) == [], "it needs nothing of its host"


@pytest.mark.parametrize(
    ("shape", "scheme"),
    [
        (("lstm", (5,), True, "mean", "standard", 10), "fp32"),
        pytest.param(("gru", (17, 6), True, "final", "hand", 126), "fp32", marks=SLOW),
        pytest.param(("gru", (17, 6), True, "final", "hand", 126), "int8-weights", marks=SLOW),
        pytest.param(("lstm", (5, 33, 16), True, "mean", "standard", 10), "int8-weights", marks=SLOW),
        pytest.param(("lstm", (40,), False, "mean", "hand+displacement", 63), "int8-dynamic", marks=SLOW),
        pytest.param(("gru", (64,), False, "mean", "hand+displacement", 63), "fp32", marks=SLOW),
    ],
)
def test_every_kind_of_model(
    make_file: MakeFile, tools: wasm.WasmTools, tmp_path: Path, shape: Sequence[Any], scheme: str
) -> None:
    result = compile_model(make_file(*shape, scheme=scheme), tmp_path / "out", name="module", machine="wasm32")
    assert result.node == tools.node
    network = read_network(result.source)
    x = golden_takes(network.frames, 4, seed=5)
    got = np.array(_ask(result, x, tmp_path)["logits"], np.float32)
    if network.arithmetic == "int8":
        assert (got == reference.predict(network, x)).all()
    else:
        assert np.abs(got - open_predictor(result.source)(x)).max() <= 2e-6


def test_a_module_that_computes_something_else_is_not_written(
    make_file: MakeFile, tools: wasm.WasmTools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def off(*given: Any) -> dict[str, str]:
        start = "const expected = new Float32Array([\n    "
        return {file: text.replace(start, f"{start}9.0, ") for file, text in real(*given).items()}

    real = compiling.module_files
    monkeypatch.setattr(compiling, "module_files", off)
    path = make_file("lstm", (5,), kind="standard", features=10)
    with pytest.raises(
        GateError, match=r"model\.wasm, made with .* 3 takes, largest difference of a logit \d.*nothing"
    ):
        compile_model(path, tmp_path / "out", machine="wasm32")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("there", [(), ("clang",), ("wasm-ld",)])
def test_what_is_missing_is_named(
    there: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}" if name in there else None)
    target = tmp_path / "out"
    assert run_cli(["compile", "shipped", "--target", "wasm32", "-o", str(target)]) == 2
    missing = " and ".join(name for name in ("clang", "wasm-ld") if name not in there)
    assert capfd.readouterr().err == (
        f"edgekit: error: --target wasm32 needs clang and wasm-ld; not on the PATH: {missing}. Install LLVM's:"
        " `apt-get install clang lld`, or `brew install llvm lld`\n"
    )
    assert not target.exists()


@pytest.mark.parametrize("version", ["clang version 12.0.1", "", "Apple clang version 15.0.0"])
def test_a_clang_that_knows_no_webassembly_is_refused(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(wasm, "answer_of", lambda command: version)
    monkeypatch.setattr(wasm, "works", lambda command: not version.startswith("Apple"))
    told = re.escape(f"--target wasm32: /usr/bin/clang ({version or 'no version'}) can't make WebAssembly with vectors")
    with pytest.raises(ConfigError, match=told):
        wasm.find_wasm_tools()


def test_without_node_the_module_is_written_and_that_is_said(
    make_file: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    def build(tools: Any, network: Any, scripts: Any, folder: Path, name: str) -> Path:
        (folder / f"{name}.wasm").write_bytes(b"\0asm")
        return folder / f"{name}.wasm"

    monkeypatch.setattr(compiling, "find_wasm_tools", lambda: TOOLS)
    monkeypatch.setattr(compiling, "build_module", build)
    target = tmp_path / "out"
    assert run_cli(["compile", str(make_file()), "--target", "wasm32", "-o", str(target)]) == 0
    said = capfd.readouterr().out
    assert f"{target / 'model.wasm'}: 0.0 KB with the weights" in said
    assert (
        f"note: no Node of 18 or newer found, so the module has not run; with one: node {target / 'test.mjs'}" in said
    )
