"""Setting the emulator up, in its pure parts; what is fetched and emulated for real is in test_emulator.py."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from edgekit.artifacts import fetching, sha256_bytes
from edgekit.cli import run_cli
from edgekit.device.emulator import CORES, Home, Places, find_home, part_states, remove
from edgekit.device.emulator import packages as apt_packages
from edgekit.device.emulator import setting_up as setting
from edgekit.device.emulator.emulating import chosen_onnxruntime
from edgekit.device.emulator.home import make_core_roots, tree_digest
from edgekit.device.emulator.packages import Apt, Package
from edgekit.device.emulator.places import numpy_version
from edgekit.device.emulator.wheels import make_site
from edgekit.errors import InputError

PARAGRAPHS = """Package: libc6
Version: 2.36-9
Architecture: arm64
Size: 4
SHA256: {digest}
Description: a library
 Package: not this one

Package: incomplete
Version: 1
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Of which everything is missing."""
    sites = {"1.32.0": {"a.whl": "00"}}
    return Home(Places(tmp_path / "cache"), ("qemu",), {}, "7.2", 1, "3.11", {"libc6": "2"}, {"root": "x"}, sites)


def program(folder: Path, name: str, text: str) -> None:
    """A shell script in the place of a program."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The first folder of the search path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def test_packages_are_chosen_by_name_and_described_by_the_signed_lists(tools: Path, tmp_path: Path) -> None:
    uris = "'https://somewhere/libc6_2_arm64.deb' libc6_2_arm64.deb 4 \\n'https://somewhere/tar_1.deb' tar_1.deb 9 \\n"
    program(tools, "apt-get", f'printf "{uris}"')
    (tmp_path / "shown").write_text(PARAGRAPHS.format(digest="ab" * 32))
    program(tools, "apt-cache", f"cat {tmp_path / 'shown'}")
    apt = Apt(tmp_path / "apt", "arm64", installed=False)
    assert apt.needed(["python3-minimal"], "libc6|zlib1g") == [Package("libc6", "2.36-9", 4, "ab" * 32)]


def test_sources_without_the_architecture_are_one_clear_sentence(tools: Path, tmp_path: Path) -> None:
    program(tools, "apt-get", "echo 'E: Unable to locate package python3-minimal' >&2; exit 100")
    with pytest.raises(InputError, match=r"no python3-minimal for arm64 \(E: Unable to locate package") as caught:
        Apt(tmp_path / "apt", "arm64", installed=False).needed(["python3-minimal"])
    assert "add a source that has" in str(caught.value)


def test_lists_that_could_not_be_fetched_say_why(tools: Path, tmp_path: Path) -> None:
    program(tools, "apt-get", "echo 'W: slow' >&2; echo 'E: The repository is not signed.' >&2; echo 'W: so' >&2")
    with pytest.raises(InputError, match=r"lists of packages for arm64 could not be fetched \(E: The repository is no"):
        Apt(tmp_path / "apt", "arm64", installed=False).update()


def test_a_file_that_is_here_is_not_fetched_again_and_another_one_is_removed(tools: Path, tmp_path: Path) -> None:
    content = b"deb!"
    package = Package("libc6", "2", len(content), sha256_bytes(content))
    folder = tmp_path / "downloads"
    folder.mkdir()
    wrong, right = folder / "libc6_1_arm64.deb", folder / "libc6_2_arm64.deb"
    wrong.write_bytes(b"else")
    program(tools, "apt-get", f"echo once >> {tmp_path / 'calls'}; printf 'deb!' > libc6_2_arm64.deb")
    apt = Apt(tmp_path / "apt", "arm64", installed=False)
    for _ in range(2):
        assert apt.fetch([package], folder) == [right]
    assert (tmp_path / "calls").read_text() == "once\n"
    assert not wrong.exists()


def test_what_could_not_be_fetched_is_named(tools: Path, tmp_path: Path) -> None:
    program(tools, "apt-get", "echo 'E: Could not resolve' >&2; exit 100")
    apt = Apt(tmp_path / "apt", "arm64", installed=False)
    with pytest.raises(InputError, match=r"libc6 could not be fetched \(E: Could not resolve\); run this again"):
        apt.fetch([Package("libc6", "2", 4, "ab")], tmp_path / "downloads")


def test_sources_are_asked_for_the_other_architecture(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tools, "apt-get", f"touch {tmp_path}/apt/lists/somewhere_Packages")
    lists = tmp_path / "sources.list.d"
    lists.mkdir()
    (lists / "a.list").write_text("deb [arch=amd64,i386 signed-by=/k] https://somewhere stable main\n")
    (lists / "b.sources").write_text("Types: deb\nArchitectures: amd64\nSuites: stable\n")
    (lists / "c.disabled").write_text("nothing\n")
    monkeypatch.setattr(apt_packages, "SOURCES", (tmp_path / "none", lists))
    Apt(tmp_path / "apt", "arm64", installed=False).update()
    made = {path.name: path.read_text() for path in (tmp_path / "apt" / "sources").iterdir()}
    assert made == {
        "a.list": "deb [arch=arm64 signed-by=/k] https://somewhere stable main\n",
        "b.sources": "Types: deb\nArchitectures: arm64\nSuites: stable\n",
    }


@pytest.mark.parametrize(
    ("python", "onnxruntime", "numpy"),
    [
        ("3.11", "1.32.0", "2.4.6"),
        ("3.13", "1.23.2", "2.4.6"),
        ("3.10", "1.23.2", "2.2.6"),
        ("3.11", "1.17.3", "1.26.4"),
    ],
)
def test_numpy_is_one_that_this_version_was_built_for(python: str, onnxruntime: str, numpy: str) -> None:
    assert numpy_version(python, onnxruntime) == numpy


def test_the_version_that_is_meant_comes_before_newer_and_older_ones() -> None:
    assert chosen_onnxruntime({"1.9.0": {}, "1.32.0": {}, "1.33.0": {}}) == "1.32.0"
    assert chosen_onnxruntime({"1.9.0": {}, "1.21.0": {}}) == "1.21.0"
    with pytest.raises(InputError, match="run `edgekit emulator setup` again"):
        chosen_onnxruntime({})


@pytest.mark.parametrize("said", ["1.21", "latest", "1.21.0;rm", "-e.", ""])
def test_a_version_is_three_numbers(said: str) -> None:
    with pytest.raises(InputError, match=r"expected a version of three numbers, such as 1\.32\.0"):
        setting.check_version(said)


def test_other_systems_are_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(InputError, match="runs on Linux with an x86-64 processor, and this is darwin on"):
        setting.refuse_other_systems()


def test_nothing_set_up_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path))
    assert run_cli(["emulator", "status"]) == 2
    assert "the emulator is not set up; run `edgekit emulator setup` once" in capsys.readouterr().err
    assert run_cli(["emulator", "remove"]) == 0
    assert "nothing was set up there" in capsys.readouterr().out
    assert run_cli(["bench", "shipped", "--emulate", "--repeats", "5", "--workdir", str(tmp_path / "w")]) == 2
    assert "the emulator is not set up" in capsys.readouterr().err
    assert run_cli(["bench", "shipped", "--max-instructions", "5"]) == 2
    assert "add --emulate" in capsys.readouterr().err


def test_what_was_set_up_is_read_as_it_was_written(home: Home) -> None:
    home.save()
    assert find_home(home.places) == home
    home.places.state.write_text("{}")
    with pytest.raises(InputError, match="emulator"):
        find_home(home.places)


def test_what_was_changed_shows(home: Home) -> None:
    assert part_states(home) == {"root": "missing", "plugin": "missing", "onnxruntime-1.32.0": "missing"}
    place = home.places.site("1.32.0") / "pkg"
    place.mkdir(parents=True)
    (place / "a.py").write_text("1")
    digest = tree_digest(place.parent)
    (place / "__pycache__").mkdir()
    (place / "__pycache__" / "a.pyc").write_text("compiled")
    assert tree_digest(place.parent) == digest, "what Python compiles there is no change"
    assert part_states(home)["onnxruntime-1.32.0"] == "changed"
    (place / "a.py").write_text("2")
    assert tree_digest(place.parent) != digest


def test_removing_takes_everything(home: Home) -> None:
    home.save()
    size = home.places.state.stat().st_size
    assert remove(home.places) == size
    assert not home.places.folder.exists()
    assert remove(home.places) == 0


def test_each_core_sees_its_own_kernel_and_the_same_libraries(home: Home) -> None:
    make_core_roots(home.places)
    make_core_roots(home.places)
    for core in CORES:
        root = home.places.core_root(core.cpu)
        assert (root / "usr").readlink() == Path("../../root/usr")
        info = (root / "proc/cpuinfo").read_text()
        assert info.count(f"CPU part\t: 0x{core.part:x}\n") == 4
        assert ("asimddp" in info) == (core.name == "Cortex-A76")
        assert (root / "sys/devices/system/cpu/possible").read_text() == "0-3\n"


def test_the_guest_sees_nothing_of_this_environment(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies on its stack would move what it executes."""
    monkeypatch.setenv("SECRET", "x" * 1000)
    assert set(home.environment) == {"PATH"}
    command = home.command(CORES[0], "1.32.0", Path("counts"))
    assert command[command.index("-U") + 1] == "PATH"
    assert command[:5] == ["qemu", "-L", str(home.places.core_root("cortex-a53")), "-cpu", "cortex-a53"]


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a program stands that runs as `python -m pip`."""
    place = tmp_path / "path" / "pip" / "__main__.py"
    place.parent.mkdir(parents=True)
    (place.parent / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    monkeypatch.setattr(fetching, "LOOKS_EVERY_S", 0.01)
    return place


def wheel(path: Path, **files: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def test_wheels_are_asked_for_64_bit_arm_and_unzipped(pip: Path, tmp_path: Path) -> None:
    wheel(tmp_path / "made.whl", module="x")
    pip.write_text(
        "import shutil, sys\n"
        f"open({str(tmp_path / 'asked')!r}, 'w').write(' '.join(sys.argv[1:]))\n"
        f"shutil.copy({str(tmp_path / 'made.whl')!r}, sys.argv[-1] + '/numpy-1.whl')\n"
    )
    found = make_site(tmp_path / "site", "3.11", "1.21.0")
    assert list(found) == ["numpy-1.whl"]
    assert (tmp_path / "site" / "module").read_text() == "x"
    asked = (tmp_path / "asked").read_text()
    assert asked.startswith("download onnxruntime==1.21.0 numpy==2.4.6 --no-deps --only-binary=:all:")
    assert "--platform manylinux_2_28_aarch64" in asked
    assert "--abi cp311" in asked


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("onnxruntime-1.32.0-cp311-cp311-manylinux_2_28_aarch64.whl", "has not the SHA-256 2303372a"),
        ("other.whl", "other.whl is no wheel"),
    ],
)
def test_wheels_that_are_not_what_they_should_be_are_refused(pip: Path, tmp_path: Path, name: str, said: str) -> None:
    pip.write_text(f"import sys\nopen(sys.argv[-1] + '/{name}', 'w').write('x')\n")
    with pytest.raises(InputError, match=said):
        make_site(tmp_path / "site", "3.11", "1.32.0")
    assert not (tmp_path / "site").exists()


def test_a_version_that_no_index_has_says_which_to_name(pip: Path, tmp_path: Path) -> None:
    pip.write_text("import sys\nprint('ERROR: No matching distribution found', file=sys.stderr)\nsys.exit(1)\n")
    with pytest.raises(InputError, match=r"could not fetch ONNX Runtime 9\.9\.9 .*`edgekit emulator setup --onnxr"):
        make_site(tmp_path / "site", "3.11", "9.9.9")


def test_tools_that_are_missing_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="not on the PATH: apt-get, apt-cache, dpkg-deb"):
        setting._make_root(Places(tmp_path / "cache"), setting.Progress())
    assert not (tmp_path / "cache").exists()


def test_an_emulator_of_the_users_own_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGEKIT_QEMU", "/mine/qemu-aarch64")
    found: Any = setting._find_emulator(Places(tmp_path), setting.Progress())
    assert found == (["/mine/qemu-aarch64"], {}, [])
