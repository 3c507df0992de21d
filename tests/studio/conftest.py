"""What tests of the studio share: the page under Node.js, a server that runs, and reasons to skip."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgekit.hands import NETWORKS, state_of
from edgekit.studio import Studio, assets_state, open_studio
from edgekit.studio.assets import assets_folder
from edgekit.studio.exporting import PAGE

NODE = shutil.which("node")
SERVER = all(importlib.util.find_spec(name) for name in ("starlette", "uvicorn"))
NETWORKS_READY = all(state_of(network) == "ready" for network in NETWORKS)
ASSETS_READY = assets_state()["ready"]

Page = Callable[..., Any]


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """(task, what it needs): the answer of a part of the page under Node.js; see harness.mjs."""
    if NODE is None:
        pytest.skip("needs Node.js")
    folder = tmp_path_factory.mktemp("page")
    for path in PAGE.glob("*.mjs"):
        shutil.copy(path, folder)
    if ASSETS_READY:
        (folder / "ort").symlink_to(assets_folder())

    def ask(task: str, **needs: Any) -> Any:
        request = json.dumps({"task": task, **needs})
        harness = Path(__file__).with_name("harness.mjs")
        command = [NODE, str(harness), str(folder)]
        done = subprocess.run(command, input=request, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask


@pytest.fixture
def ready() -> None:
    """Skips where networks or onnxruntime-web are not set up, or the server's packages are missing."""
    if not SERVER:
        pytest.skip("needs starlette and uvicorn: pip install '.[studio]'")
    if not NETWORKS_READY:
        pytest.skip("`edgekit hands setup` was not run")
    if not ASSETS_READY:
        pytest.skip("`edgekit studio setup` was not run")


@pytest.fixture
def blank_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Files of networks and of onnxruntime-web that hold nothing, for tests of the server alone."""
    if not SERVER:
        pytest.skip("needs starlette and uvicorn: pip install '.[studio]'")
    empty = tmp_path / "blank.onnx"
    empty.write_bytes(b"blank")
    monkeypatch.setattr("edgekit.studio.app.find_network", lambda network: empty)
    monkeypatch.setattr("edgekit.studio.app.find_asset", lambda name: empty)


@pytest.fixture
def studio(blank_files: None, models_run_here: None, tmp_path: Path) -> Iterator[Studio]:
    """A server that runs, with an empty work directory `work` and the shipped student."""
    with open_studio(tmp_path / "work") as opened:
        yield opened
