"""Each command on a finished work directory: what goes to stdout, what to stderr, and the lines of the pages."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.data import Recordings, SynthConfig, save_recordings, synthesise_hands
from edgekit.device.emulator.places import Places

Cli = Callable[..., Any]

#: Every command that has a result, on what `chain` left; {} are filled in. All are up to date or only look.
COMMANDS = {
    "run": "run --workdir={work}",
    "data check": "data check {data}",
    "data clean": "data clean {data} {new}",
    "data convert": "data convert {data} {new}",
    "data synth": "data synth {new} --people=1 --takes-per-letter=2",
    "train": "train accurate --workdir={work}",
    "distill": "distill --workdir={work}",
    "prune": "prune --workdir={work}",
    "quantize": "quantize --workdir={work}",
    "quantize MODEL": "quantize {work}/model.onnx --output={new}",
    "step": "step {work}/model.int8.onnx --output={new}",
    "bench": "bench --workdir={work} --repeats=100 --processes=1",
    "compare": "compare {work}/model.onnx {work}/model.int8.onnx --workdir={work} --repeats=20 --processes=1",
    "evaluate": "evaluate --workdir={work}",
    "predict": "predict {data} --model={work}/model.int8.onnx",
    "profiles": "profiles",
    "profiles NAME": "profiles raspberry-pi",
    "env": "env",
    "config": "config --workdir={work}",
}


@pytest.fixture(scope="module")
def hands() -> Recordings:
    """One person's letters, four takes of each."""
    return synthesise_hands(SynthConfig(people=1, takes_per_letter=4))


@pytest.fixture
def command(chain: Any, tmp_path: Path, hands: Recordings, name: str) -> list[str]:
    data = tmp_path / "hands.npz"
    save_recordings(data, hands)
    suffix = {"data synth": ".npz", "data clean": ".csv", "data convert": ".csv"}.get(name, ".onnx")
    return COMMANDS[name].format(work=chain.workdir, data=data, new=tmp_path / f"new{suffix}").split()


@pytest.mark.parametrize("name", COMMANDS)
def test_json_is_all_that_stands_on_stdout(cli: Cli, command: list[str], name: str) -> None:
    answer = cli(*command, "--json")
    assert answer.code == 0, answer.err
    assert isinstance(answer.json, dict)
    assert "NaN" not in answer.out
    assert "Infinity" not in answer.out


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("run", "quantize")])
def test_results_go_to_stdout_and_progress_to_stderr(cli: Cli, command: list[str], name: str) -> None:
    answer = cli(*command)
    assert answer.code == 0
    assert answer.out.strip()
    assert "\x1b" not in answer.out + answer.err, "no colours and no cursor movements where there is no terminal"
    for line in answer.err.splitlines():
        assert line.startswith(("= ", "> ", "  ")), line
        assert line not in answer.out


@pytest.mark.parametrize("name", ["train", "distill", "prune", "bench", "compare"])
def test_quiet_leaves_stderr_empty(cli: Cli, command: list[str], name: str) -> None:
    answer = cli(*command, "--quiet")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.strip()


def test_verbose_shows_every_epoch_and_quiet_none(cli: Cli, tmp_path: Path, tiny: tuple[str, ...]) -> None:
    options = ("train", "edge", f"--workdir={tmp_path / 'work'}", *tiny, "--set=training.epochs=2", "--force")
    assert re.findall(r"epoch \d/2", cli(*options, "-v").err) == ["epoch 1/2", "epoch 2/2"]
    plain = cli(*options)
    assert re.findall(r"epoch \d/2", plain.err) == []
    assert plain.err.splitlines()[0] == "> train edge: --force"
    silent = cli(*options, "--quiet")
    assert silent.err == ""
    assert "epoch" in silent.out, "the result still says which epoch was the best"


def test_nothing_outside_the_work_directory_is_written(
    cli: Cli, tmp_path: Path, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("train", "edge", *tiny).code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["edgekit-work"], "the default, in the current folder"


ROOT = Path(__file__).resolve().parents[2]
PAGES = [path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))]
#: Commands that use what is there. Those that train have tests of their own.
USING = r"edgekit (bench|compare|data|evaluate|predict|profiles|env|config)\b"
#: Files that a reader brings, and that are not made here.
BROUGHT = (
    "other.onnx", "main.json", "models/accurate", "student/model.onnx", "mine.onnx", "training.yaml", "--model native",
    "model.int8.onnx native",
)  # fmt: skip
LINES = sorted(
    {
        line.partition(" > ")[0]
        for page in PAGES
        for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
        for line in block.splitlines()
        if re.match(USING, line) and not any(name in line for name in BROUGHT)
    }
)
#: A bench says the same in a tenth of the time.
QUICKLY = {"bench": ("--processes", "1", "--repeats", "200"), "compare": ("--processes", "1", "--repeats", "50")}


def test_the_pages_have_lines_to_run() -> None:
    assert {line.split()[1] for line in LINES} == {
        "bench", "compare", "data", "evaluate", "predict", "profiles", "env", "config",
    }  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_the_pages_lines_run_after_the_chain(
    chain: Any, cli: Cli, take: Path, hands: Recordings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    """All but those that train; takes, recordings, tables and models are there, as a reader would have them."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(chain.workdir, "edgekit-work")
    for name in ("model.onnx", "model.int8.onnx"):
        shutil.copy(Path("edgekit-work", name), name)
    if "--out-of-fold" in line:
        hands = synthesise_hands(SynthConfig(people=1, takes_per_letter=12))
    for name in ("my-signs.npz", "theirs.npz"):
        save_recordings(Path(name), hands)
    Path("my-recordings", "A").mkdir(parents=True)
    shutil.copy(take, Path("my-recordings", "A"))
    shutil.copy(take, "my-take.npy")
    numbers = [",".join(map(str, np.random.default_rng(k).uniform(0.2, 0.8, 63))) for k in range(12)]
    Path("theirs.csv").write_text("".join(f"{k},{row},{'AB'[k % 2]}\n" for k, row in enumerate(numbers)))
    if "--emulate" in line and not Places().state.is_file():
        pytest.skip("the emulator is not set up: edgekit emulator setup")
    _, command, *words = shlex.split(line, comments=True)
    answer = cli(command, *words, *QUICKLY.get(command, ()))
    assert answer.code == 0, answer.err
    assert answer.out.strip()
