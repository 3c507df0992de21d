"""The command line in this process, and one tiny chain that is made once a session."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.cli import run_cli

#: Small enough for seconds; every stage is the real one. The latency table's repeats are no setting: see `quick_table`.
TINY = (
    "--preset=quick", "--threads=1",
    "--set=synth.people=2", "--set=synth.takes_per_letter=4",
    "--set=model.hidden_size=16", "--set=model.num_layers=1",
    "--set=student.hidden_size=24", "--set=student.dense=48",
    "--set=augmentation.mirror=0", "--set=augmentation.aspect_min=1.33", "--set=augmentation.aspect_max=1.34",
    "--set=training.epochs=1", "--set=training.learning_rate=0.01",  # else one epoch of few takes teaches it nothing
    "--set=distill.training.epochs=2", "--set=distill.copies=1",
    "--set=prune.recovery.training.epochs=1", "--set=bench.repeats=120", "--set=bench.warmup=5",
    "--set=bench.processes=1", "--set=bench.min_time_s=0.05",
    "--set=gates.max_accuracy_drop=0.5",  # few takes: a smaller drop can't be told from none
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What a command returned and wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout as JSON; fails where anything else stands there."""
        return json.loads(self.out)


Cli = Callable[..., Answer]


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Cli:
    """Runs `edgekit ARGUMENTS` in this process; stdout and stderr as the process wrote them."""

    def run(*arguments: object) -> Answer:
        capfd.readouterr()
        code = run_cli([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Answer(code, out, err)

    return run


@pytest.fixture(scope="session")
def quick_table() -> Iterator[None]:
    """The closing table with few latency samples: nobody reads these."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgekit.jobs.scores.LATENCY_PROCESSES", 1)
        patch.setattr("edgekit.jobs.scores.LATENCY_REPEATS", 5)
        yield


@pytest.fixture
def no_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dry runs that do not train a few batches first, to tell how long a stage will take."""
    monkeypatch.setattr("edgekit.stages.guess.Guesses._pace", lambda *anything: None)
    for study in ("tune", "search"):
        monkeypatch.setattr(f"edgekit.{study}.guess.guess_s", lambda left, job: 60.0 * len(left))


@dataclass(frozen=True)
class Chain:
    """What `edgekit run` left in a fresh work directory. Tests read it and leave it as it is."""

    workdir: Path
    code: int
    out: str
    err: str

    @property
    def int8(self) -> Path:
        """The file for the device."""
        return self.workdir / "model.int8.onnx"

    @property
    def manifest(self) -> Any:
        """As JSON."""
        return json.loads((self.workdir / "manifest.json").read_text())

    @property
    def report(self) -> Any:
        """As JSON."""
        return json.loads((self.workdir / "report.json").read_text())


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory, quick_table: None) -> Chain:
    """`edgekit run`, once."""
    workdir = tmp_path_factory.mktemp("chain") / "work"
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_cli(["run", f"--workdir={workdir}", *TINY])
    return Chain(workdir, code, out.getvalue(), err.getvalue())


@pytest.fixture
def tiny() -> tuple[str, ...]:
    """The options of `chain`."""
    return TINY


@pytest.fixture
def take(tmp_path: Path) -> Path:
    """One take `.npy` (20, 63) of made-up landmarks."""
    path = tmp_path / "take.npy"
    np.save(path, np.random.default_rng(0).uniform(0.2, 0.8, (20, 63)).astype(np.float32))
    return path


@pytest.fixture
def snapshot() -> Callable[[Path], dict[str, bytes | None]]:
    """(folder): every entry below it, files with their content."""

    def take_snapshot(folder: Path) -> dict[str, bytes | None]:
        return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}

    return take_snapshot
