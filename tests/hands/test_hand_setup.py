"""How the networks are fetched: by pip, whose place a module of that name takes, and what is said when it fails."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import psutil
import pytest

from edgekit.artifacts import fetching
from edgekit.cli import run_cli
from edgekit.errors import InputError
from edgekit.hands.fetching import REQUEST, WHEEL_BYTES, fetch_wheel
from edgekit.hands.networks import NETWORKS, make_networks, tracker_card, tracker_state
from edgekit.hands.papers import CARD, LICENSE


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a program stands that runs as `python -m pip`."""
    place = tmp_path / "path" / "pip" / "__main__.py"
    place.parent.mkdir(parents=True)
    (place.parent / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    monkeypatch.setattr(fetching, "LOOKS_EVERY_S", 0.01)
    return place


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "scratch"
    made.mkdir()
    return made


def test_without_a_network_it_says_what_to_do_elsewhere(pip: Path, folder: Path) -> None:
    log = "WARNING: Retrying (Retry(total=4)) after connection broken\\nERROR: No matching distribution found"
    pip.write_text(f"import sys\nprint('{log}', file=sys.stderr)\nsys.exit(1)\n")
    with pytest.raises(InputError) as caught:
        fetch_wheel(folder)
    said = str(caught.value)
    assert "it reached no index of packages" in said
    assert f"`pip {' '.join(REQUEST)}`" in said
    assert "`edgekit hands setup --wheel FILE.whl`" in said


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (
            "ERROR: No matching distribution found for mediapipe",
            "(ERROR: No matching distribution found for mediapipe)",
        ),
        ("ERROR: [Errno 28] No space left on device", "because a disk is full"),
        ("", "(pip said nothing)"),
    ],
)
def test_what_pip_says_last_is_kept(pip: Path, folder: Path, log: str, said: str) -> None:
    pip.write_text(f"import sys\nprint('{log}', file=sys.stderr)\nsys.exit(1)\n")
    with pytest.raises(InputError) as caught:
        fetch_wheel(folder)
    assert said in str(caught.value)


def test_another_wheel_than_the_known_one_is_refused(pip: Path, folder: Path) -> None:
    pip.write_text("import sys\nopen(sys.argv[-1] + '/mediapipe-0.10.14-other.whl', 'w').write('x')\n")
    with pytest.raises(
        InputError, match=r"mediapipe-0\.10\.14-other\.whl, as pip fetched it, has not the SHA-256 a807"
    ):
        fetch_wheel(folder)


def test_it_tells_how_much_is_here(pip: Path, folder: Path) -> None:
    """pip waits to be seen."""
    seen: list[tuple[int, int]] = []
    pip.write_text(
        "import os, sys, time\nfrom pathlib import Path\n"
        "place = Path(os.environ['TMPDIR'])\n(place / 'unpack').mkdir()\n"
        "(place / 'unpack' / 'part').write_bytes(b'x' * 999)\n"
        "while not (place / 'seen').exists(): time.sleep(0.01)\nsys.exit(1)\n"
    )

    def watch(done: int, whole: int) -> None:
        seen.append((done, whole))
        if done == 999:
            (folder / "seen").touch()

    with pytest.raises(InputError):
        fetch_wheel(folder, watch)
    assert seen[-1] == (999, WHEEL_BYTES)


def test_pip_ends_with_whoever_waits_for_it(pip: Path, folder: Path) -> None:
    pip.write_text("import time\ntime.sleep(60)\n")

    def watch(done: int, whole: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_wheel(folder, watch)
    assert [one for one in psutil.Process().children() if "pip" in one.cmdline()] == []


def test_without_pip_it_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"this Python has no pip .* --wheel FILE\.whl"):
        fetch_wheel(folder)


def test_the_state_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path))
    assert run_cli(["hands", "status", "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert (told["ready"], told["papers"], told["made"]) == (False, None, [])
    assert [one["state"] for one in told["networks"]] == ["missing", "missing"]
    (tmp_path / "hands").mkdir()
    for name in (LICENSE, CARD):
        (tmp_path / "hands" / name).touch()
    assert tracker_state()["papers"]["license"] == str(tmp_path / "hands" / LICENSE)


def test_setup_is_one_message_where_the_wheel_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tflite")
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text.whl").write_text("x")
    for name, said in (("none.whl", "no such file"), ("text.whl", "is not the wheel of mediapipe 0.10.14")):
        assert run_cli(["hands", "setup", "--wheel", str(tmp_path / name)]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()


def test_the_card_names_source_licence_and_change() -> None:
    text = tracker_card()
    assert all(one.member in text and one.sha256 in text for one in NETWORKS)
    assert "Apache License 2.0" in text
    assert "Changed by edgekit" in text


def test_pip_is_this_pythons(pip: Path, folder: Path) -> None:
    pip.write_text("import sys\nprint(sys.executable, file=sys.stderr)\nsys.exit(1)\n")
    with pytest.raises(InputError, match=os.path.basename(sys.executable)):  # noqa: PTH119
        fetch_wheel(folder)


def test_a_folder_that_refuses_is_told_before_anything_is_fetched(pip: Path, folder: Path) -> None:
    pytest.importorskip("tflite"), pytest.importorskip("onnx")
    taken = folder / "taken"
    taken.write_bytes(b"")
    with pytest.raises(InputError, match=r"taken is no folder; name a place of yours"):
        make_networks(folder=taken)
