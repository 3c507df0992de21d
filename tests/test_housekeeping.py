"""What surrounds the code refers to what exists: hooks, containers, make targets, the sdist."""

from __future__ import annotations

import fnmatch
import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from longest import LONGEST

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
DOCKERFILES = sorted((ROOT / "docker").glob("*.Dockerfile"))
HOOKS = [
    hook
    for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    for hook in [{**hook, "repo": repo["repo"]} for hook in repo["hooks"]]
]


def instructions(path: Path) -> list[tuple[str, str]]:
    """Of a Dockerfile, in order."""
    lines = path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines if line and line[0] != "#")]


def copied(path: Path) -> list[str]:
    """What a Dockerfile takes from the repository."""
    return [source for word, rest in instructions(path) if word == "COPY" for source in rest.split()[:-1]]


def test_files_of_tests_that_begin_first_are_there() -> None:
    names = [path.stem for path in (ROOT / "tests").rglob("test_*.py")]
    assert [names.count(name) for name in LONGEST] == [1] * len(LONGEST)


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: str(hook["id"]))
def test_hooks_use_the_development_install_and_no_network(hook: dict[str, str]) -> None:
    assert (hook["repo"], hook["language"]) == ("local", "system")
    words = shlex.split(hook["entry"])
    assert words[0] == "python"
    if words[1] == "-m":
        assert any(re.match(rf"{words[2]}\b", need) for need in EXTRAS["dev"]), words
    else:
        assert (ROOT / words[1]).is_file()


@pytest.mark.skipif(importlib.util.find_spec("pre_commit") is None, reason="needs pre-commit")
def test_the_hooks_are_a_valid_configuration() -> None:
    command = [sys.executable, "-m", "pre_commit", "validate-config", str(ROOT / ".pre-commit-config.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_dockerfile_for_training_and_one_for_the_device() -> None:
    assert [path.name for path in DOCKERFILES] == ["device.Dockerfile", "train.Dockerfile"]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_dockerfiles_name_what_exists(path: Path) -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[0] == "!"]
    for source in copied(path):
        assert (ROOT / source).exists(), source
        assert source in allowed, f"{source} is not sent to the builder"
    text = path.read_text(encoding="utf-8")
    for extras in re.findall(r'"\.\[([\w,]+)\]"', text):
        assert set(extras.split(",")) <= set(EXTRAS)
    assert dict(instructions(path))["ENTRYPOINT"] == '["edgekit"]'
    assert "edgekit" in PROJECT["project"]["scripts"]
    version = re.search(r"^FROM python:(3\.\d+)-slim$", text, re.MULTILINE)
    assert version is not None
    assert f"Programming Language :: Python :: {version[1]}" in PROJECT["project"]["classifiers"]


def test_the_devices_container_has_no_training() -> None:
    installs = [rest for word, rest in instructions(ROOT / "docker" / "device.Dockerfile") if word == "RUN"]
    assert installs == ["pip install --no-cache-dir ."]


def test_torch_is_the_same_version_everywhere() -> None:
    (torch,) = (need for need in EXTRAS["train"] if need.startswith("torch>"))
    for name in ("Makefile", "docker/train.Dockerfile", "README.md", "docs/install.md"):
        assert f'"{torch}"' in (ROOT / name).read_text(encoding="utf-8"), name


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
@pytest.mark.slow
def test_the_package_builds_from_what_a_dockerfile_copies(path: Path, tmp_path: Path) -> None:
    for source in copied(path):
        taken = ROOT / source
        shutil.copytree(taken, tmp_path / source) if taken.is_dir() else shutil.copy(taken, tmp_path)
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", "dist"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((tmp_path / "dist").glob("edgekit-*.whl"))) == 1


def test_the_readmes_install_has_what_tests_and_docs_need() -> None:
    (line,) = re.findall(r'pip install -e "\.\[([\w,]+)\]"', (ROOT / "README.md").read_text(encoding="utf-8"))
    assert f".[{line}]" in MAKEFILE, "the same as make's"
    assert "dev" in line.split(",")
    assert "edgekit[docs]" in EXTRAS["dev"]
    assert any(need.startswith("zensical") for need in EXTRAS["docs"])


def test_make_targets_are_declared_and_described() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert targets == set(phony.split())
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert {name for name in targets if f"`make {name}`" not in page} == set()


def test_the_makefiles_pythons_are_those_that_the_project_supports() -> None:
    (versions,) = re.findall(r"^PYTHONS \?= (.*)$", MAKEFILE, re.MULTILINE)
    classifiers = [c.rpartition(" ")[2] for c in PROJECT["project"]["classifiers"] if " :: Python :: 3." in c]
    assert versions.split() == classifiers


def test_missing_pythons_are_said(tmp_path: Path) -> None:
    if shutil.which("make") is None:
        pytest.skip("needs make")
    command = ["make", "-s", "test-all", "PYTHONS=3.9999", f"VENV={tmp_path / 'venv'}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (
        0,
        "python3.9999: SKIPPED, no such interpreter on the PATH or in pyenv",
    )


def test_the_sdist_holds_all_that_tests_read() -> None:
    included = PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert {path for path in included if not (ROOT / path[1:]).exists()} == set()
    tracked = {path.name for path in ROOT.iterdir() if not path.name.startswith(".git")}
    passing = ("__pycache__", ".*cache", ".venv*", "*.egg-info", "site", "dist", "build", "edgekit-work", ".coverage*",
               "shared", "fuzz-*")  # fmt: skip
    left = {name for name in tracked if not any(fnmatch.fnmatch(name, pattern) for pattern in passing)}
    assert {f"/{name}" for name in left} - set(included) <= {"/pyproject.toml"}
