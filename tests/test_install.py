"""What a device installs: the wheel's base alone, without torch, onnx and scikit-learn, runs all that a device needs.

Builds the sdist, the wheel from it, and an environment of its own: slow, but part of CI.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit
from edgekit.profiles import list_profiles
from edgekit.shipped import CONTENTS, open_box

ROOT = Path(__file__).resolve().parents[1]
#: What the training extra brings, and what no device should have to carry.
TRAINING = {"torch", "onnx", "scikit-learn", "lightning", "torch-pruning", "safetensors"}

pytestmark = pytest.mark.slow


def run(*command: object, **how: Any) -> subprocess.CompletedProcess[str]:
    """A command that has to end with exit code 0."""
    finished = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **how)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def device(packages: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that holds the wheel and what it requires, nothing else."""
    place = tmp_path_factory.mktemp("device") / "venv"
    run(sys.executable, "-m", "venv", place)
    run(place / "bin" / "python", "-m", "pip", "install", "--quiet", packages[1])
    return place / "bin"


@pytest.fixture
def brought(tiny_model: Callable[..., Any], tmp_path: Path) -> Path:
    """A folder with what someone copied over: two models made with the training extra, takes, and no work directory."""
    from edgekit.data import SynthConfig, save_recordings, synthesise_hands
    from edgekit.export import export_onnx
    from edgekit.quantize import quantize_onnx

    hands = synthesise_hands(SynthConfig(people=1, takes_per_letter=4))
    save_recordings(tmp_path / "hands.npz", hands)
    export_onnx(tiny_model(classes=26, hidden_size=24), tmp_path / "m.onnx", class_names=hands.class_names)
    quantize_onnx(tmp_path / "m.onnx", tmp_path / "m.int8.onnx")
    np.save(tmp_path / "take.npy", hands.sequences[0, : hands.lengths[0]])
    return tmp_path


def test_the_packages_hold_profiles_types_and_one_version(packages: tuple[Path, Path]) -> None:
    sdist, wheel = packages
    stem = f"edgekit-{edgekit.__version__}"
    assert (sdist.name, wheel.name) == (f"{stem}.tar.gz", f"{stem}-py3-none-any.whl")
    profiles = {f"{profile.name}.yaml" for profile in list_profiles()}
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"edgekit/_profiles/{name}" for name in profiles} | {"edgekit/py.typed"} <= names
    shipped = {*open_box().files, CONTENTS}
    assert {f"edgekit/shipped/{name}" for name in shipped} <= names
    page = (ROOT / "edgekit" / "studio").rglob("*.*")
    studio = {path.relative_to(ROOT).as_posix() for path in page if path.suffix in (".mjs", ".html", ".css", ".json")}
    assert len(studio) > 20
    assert studio <= names
    licences = {name for name in shipped if name.startswith("licenses/")}
    assert {f"{stem}.dist-info/licenses/edgekit/shipped/{name}" for name in licences} <= names
    assert not {name.partition("/")[0] for name in names} - {"edgekit", f"{stem}.dist-info"}
    assert {f"{stem}.dist-info/licenses/LICENSE"} <= names
    with tarfile.open(sdist) as archive:
        held = set(archive.getnames())
    needed = {"pyproject.toml", "README.md", "LICENSE", "Makefile", "tests/conftest.py", "tests/golden/chain.txt"}
    needed |= {f"profiles/{name}" for name in profiles} | {f"edgekit/shipped/{name}" for name in shipped}
    assert {f"{stem}/{name}" for name in needed} <= held


def test_the_base_install_brings_no_training(device: Path) -> None:
    listed = json.loads(run(device / "python", "-m", "pip", "list", "--format=json").stdout)
    assert {"edgekit", "numpy", "onnxruntime"} <= {entry["name"] for entry in listed}
    assert not TRAINING & {entry["name"].lower() for entry in listed}
    run(device / "python", "-m", "pip", "check")


@pytest.mark.parametrize(
    "line",
    [
        "bench m.int8.onnx --profile raspberry-pi --repeats 200 --json",
        "compare m.onnx m.int8.onnx --repeats 100 --json",
        "evaluate m.int8.onnx --data hands.npz --part all --json",
        "predict take.npy --model m.int8.onnx --json",
        "predict hands.npz --model m.int8.onnx --json",
        "profiles --json",
        "profiles raspberry-pi-5 --json",
        "env --json",
        "data check hands.npz --json",
        "data convert hands.npz hands.csv --json",
    ],
)
def test_a_device_runs_what_it_needs(device: Path, brought: Path, line: str) -> None:
    finished = run(device / "edgekit", *line.split(), cwd=brought)
    assert isinstance(json.loads(finished.stdout), dict)
    assert finished.stderr == ""


def test_a_device_answers_a_stream_of_frames(device: Path, brought: Path) -> None:
    frames = np.load(brought / "take.npy").tolist()
    text = "".join(f"{json.dumps(frame)}\n" for frame in frames)
    finished = run(device / "edgekit", "predict", "--model", "m.int8.onnx", cwd=brought, input=text)
    answers = [json.loads(line) for line in finished.stdout.splitlines()]
    assert [answer["frame"] for answer in answers] == list(range(9, len(frames)))


@pytest.mark.parametrize("line", ["predict take.npy --json", "evaluate --data hands.npz --part all --json"])
def test_a_device_without_a_model_asks_the_shipped_student(device: Path, brought: Path, line: str) -> None:
    finished = run(device / "edgekit", *line.split(), cwd=brought)
    assert json.loads(finished.stdout)["notes"][0].startswith(
        "no model in edgekit-work: the student that edgekit comes"
    )
    assert finished.stderr.startswith("edgekit: note: no model in edgekit-work")


def test_a_device_benches_the_shipped_student(device: Path, brought: Path) -> None:
    finished = run(device / "edgekit", "bench", "shipped", "--repeats", "200", "--json", cwd=brought)
    assert json.loads(finished.stdout)["exit_code"] == 0


def test_a_device_says_what_training_would_need(device: Path, brought: Path) -> None:
    command = [str(device / "edgekit"), "distill"]
    finished = subprocess.run(command, cwd=brought, capture_output=True, text=True, check=False)
    assert finished.returncode == 2
    assert finished.stderr == "edgekit: error: distill needs PyTorch: pip install '.[train]' in a clone of edgekit\n"


def test_the_installed_package_is_the_one_that_was_built(device: Path, brought: Path) -> None:
    code = "import edgekit, pathlib; print(edgekit.__version__, pathlib.Path(edgekit.__file__).parent)"
    version, place = run(device / "python", "-c", code, cwd=brought).stdout.split()
    assert version == edgekit.__version__
    assert Path(place).is_relative_to(device.parent)
    assert run(device / "edgekit", "--version", cwd=brought).stdout == f"edgekit {version}\n"
