"""`edgekit studio`: what it prints, what it needs, the package that it unpacks, the page that it writes."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from edgekit.cli import run_cli
from edgekit.errors import InputError, ModelFileError
from edgekit.studio import assets as assets_module
from edgekit.studio import assets_state, export_page, make_assets
from edgekit.studio.assets import FILES, LOCK, PACKAGE, PAPERS, find_asset, locked
from edgekit.studio.exporting import PAGE

Said = pytest.CaptureFixture[str]


def packed(path: Path, **files: bytes) -> Path:
    """An npm package with these files in dist/."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


@pytest.fixture
def small_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of small files, which is the one that is asked for."""
    files = {name: name.encode() for name in FILES}
    package = packed(tmp_path / "small.tgz", **files)
    monkeypatch.setattr(assets_module, "FILES", {k: hashlib.sha256(v).hexdigest() for k, v in files.items()})
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    monkeypatch.setattr(assets_module, "locked", lambda: ("1.2.3", integrity))
    return package


def test_the_lock_file_names_versions_and_digests_and_no_place() -> None:
    version, integrity = locked()
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert len(base64.b64decode(integrity.removeprefix("sha512-"))) == 64
    text = LOCK.read_text(encoding="utf-8")
    assert "resolved" not in text
    assert "http" not in text
    asked = json.loads(LOCK.with_name("package.json").read_text(encoding="utf-8"))["dependencies"]
    assert asked == {PACKAGE: version}


def test_the_package_is_unpacked_once_with_its_licence(small_package: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    assert make_assets(small_package, folder) is True
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILES, *PAPERS])
    assert find_asset("ort.wasm.min.mjs", folder).read_bytes() == b"ort.wasm.min.mjs"
    assert "MIT License" in (folder / "LICENSE").read_text(encoding="utf-8")
    assert make_assets(tmp_path / "not there", folder) is False, "what is there is not made again"
    (folder / "ort.wasm.min.mjs").write_bytes(b"changed")
    with pytest.raises(ModelFileError, match=r"not the file that setup puts there; run `edgekit studio setup` once"):
        find_asset("ort.wasm.min.mjs", folder)


def test_another_package_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    folder, other = tmp_path / "cache", packed(tmp_path / "other.tgz", x=b"")
    with pytest.raises(InputError, match=r"is not onnxruntime-web 1\.30\.0: its SHA-512 is another one"):
        make_assets(other, folder)
    with pytest.raises(InputError, match="no such file"):
        make_assets(tmp_path / "missing.tgz", folder)
    assert not folder.exists()


def test_a_package_without_a_file_is_refused(
    small_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = packed(tmp_path / "less.tgz", x=b"")
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    monkeypatch.setattr(assets_module, "locked", lambda: ("1.2.3", integrity))
    with pytest.raises(InputError, match=r"has no ort\.wasm\.min\.mjs"):
        make_assets(package, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_npm_fetches_it_or_says_why_not(small_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(InputError, match=r"npm is not here .* `npm pack onnxruntime-web@1\.2\.3` makes a \.tgz file"):
        make_assets(None, tmp_path / "cache")
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error offline' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda name: str(npm))
    with pytest.raises(InputError, match=r"npm could not fetch onnxruntime-web 1\.2\.3 \(npm error offline\)"):
        make_assets(None, tmp_path / "cache")
    npm.write_text(f'#!/bin/sh\ncp "{small_package}" "$6/"\n')
    assert make_assets(None, tmp_path / "cache") is True


def test_what_is_not_set_up_is_named_with_its_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Said, models_run_here: None
) -> None:
    pytest.importorskip("starlette")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    assert run_cli(["studio", "--port", "0"]) == 2
    assert "palm_detection_full.onnx: missing; run `edgekit hands setup` once" in capsys.readouterr().err
    monkeypatch.setattr("edgekit.studio.app.find_network", lambda network: tmp_path)
    assert run_cli(["studio", "--port", "0"]) == 2
    assert "ort.wasm.min.mjs: missing; run `edgekit studio setup` once" in capsys.readouterr().err
    assert not (tmp_path / "edgekit-work").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("setup --port 1", "setup only puts onnxruntime-web in place; leave out --port"),
        ("setup --export page", "leave out --export"),
        ("--package x.tgz", "--package goes with setup"),
        ("--export page --port 1", "--export serves nothing; leave out --port"),
        ("--json", "the studio has no result; leave out --json"),
        ("--port 70000", "70000"),
        ("serve", "'serve' is not 'setup'"),
        ("--model missing.onnx", "missing.onnx: no such file"),
        ("--export .", "holds something already"),
    ],
)
def test_bad_usage_is_one_message(
    words: str, said: str, tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").write_text("")
    assert run_cli(["studio", *words.split()]) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert told.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.usefixtures("ready", "models_run_here")
def test_the_exported_page_is_whole_and_says_so(tmp_path: Path, capsys: Said) -> None:
    assert run_cli(["studio", "--export", str(tmp_path / "page"), "--workdir", str(tmp_path / "work")]) == 0
    assert re.search(r"page: \d+ files, \d\d\.\d+ MB, with .*student\.int8\.onnx\n", capsys.readouterr().out)
    folder = tmp_path / "page"
    index = (folder / "index.html").read_text(encoding="utf-8")
    assert 'content="static"' in index
    assert "connect-src 'self'" in index
    told = json.loads((folder / "api" / "studio.json").read_text(encoding="utf-8"))
    assert told["model"]["names"][0] == "A"
    for name in ("ort/LICENSE", "licences/hand-tracker/LICENSE.txt", "licences/model/asl-letters.txt", "api/palm.onnx"):
        assert (folder / name).is_file()
    named = set(re.findall(r'(?:from|src=|href=|URL\()\s*"(\./[^"]+)"', "\n".join(
        path.read_text(encoding="utf-8") for path in [folder / "index.html", *folder.glob("*.mjs")]
    )))  # fmt: skip
    assert {name for name in named if not (folder / name).exists()} == set()
    with pytest.raises(InputError, match="holds something already"):
        export_page(folder, tmp_path / "work")


def test_nothing_is_exported_without_the_networks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models_run_here: None
) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ModelFileError, match="missing; run `edgekit"):
        export_page(tmp_path / "page", tmp_path / "work")
    assert list(tmp_path.iterdir()) == []


def test_the_pages_code_is_short_and_refers_to_nothing_outside() -> None:
    for path in PAGE.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:", text), path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), path.name
        assert len(text.splitlines()) < 300
        assert max(map(len, text.splitlines())) <= 120 or path.suffix in (".svg", ".html"), path.name


@pytest.mark.slow
@pytest.mark.usefixtures("ready")
def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edgekit", "studio", "--port", "0"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "PYTHONUNBUFFERED": "1"})  # fmt: skip
    assert process.stdout is not None
    found = re.fullmatch(r"studio: http://127\.0\.0\.1:(\d+)/#token=\S+\n", process.stdout.readline())
    assert found is not None
    connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=20)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    connection.close()
    process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    assert process.wait(timeout=30) == 130
    assert time.monotonic() - begin < 20
    assert process.stdout.read().endswith("Ctrl-C ends it\n")
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.stdout.close()
    process.stderr.close()


def test_the_state_names_every_file(tmp_path: Path) -> None:
    state = assets_state(tmp_path)
    assert (state["ready"], state["setup"]) == (False, "edgekit studio setup")
    assert {one["name"]: one["state"] for one in state["files"]} == dict.fromkeys(FILES, "missing")
