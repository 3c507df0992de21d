"""Files are whole or absent, digests see everything, and one process holds a work directory."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgekit import artifacts
from edgekit.artifacts import (
    SCHEMA_VERSION,
    fingerprint,
    lock,
    read_manifest,
    sha256_file,
    write_bytes,
    write_json,
    write_manifest,
)
from edgekit.errors import StateError

HOLDER = """
import sys
from pathlib import Path
from edgekit.artifacts import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_what_is_written_is_what_is_read_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "model.bin"
    assert write_bytes(path, b"\x00\r\n\xff") == path
    assert path.read_bytes() == b"\x00\r\n\xff"
    assert [p.name for p in path.parent.iterdir()] == ["model.bin"]
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("broken", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str, error: BaseException
) -> None:
    path = write_bytes(tmp_path / "model.bin", b"old")

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(os if broken == "fsync" else Path, broken, fail)
    with pytest.raises(type(error)):
        write_bytes(path, b"new and longer")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["model.bin"]


def test_a_reader_never_sees_a_part_of_the_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_bytes(tmp_path / "model.bin", b"old")
    seen: list[bytes] = []
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (seen.append(path.read_bytes()), sync(handle))[0])
    write_bytes(path, b"new")
    assert seen == [b"old"]
    assert path.read_bytes() == b"new"


def test_json_round_trip_and_nan_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", {"b": [1, 0.1], "a": "ü"})
    assert json.loads(path.read_bytes()) == {"b": [1, 0.1], "a": "ü"}
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"b": float("nan")})
    assert json.loads(path.read_bytes())["a"] == "ü"


def test_the_digest_of_a_file_is_sha256_also_above_one_chunk(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    path = write_bytes(tmp_path / "a", content)
    assert sha256_file(path) == hashlib.sha256(content).hexdigest() == artifacts.sha256_bytes(content)


def test_the_digest_of_a_folder_changes_with_names_contents_and_places(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write_bytes(folder / "A" / "0.npy", b"x")
    write_bytes(folder / "B" / "0.npy", b"y")
    digests = [sha256_file(folder)]
    (folder / "B").rename(folder / "C")
    digests.append(sha256_file(folder))
    (folder / "C" / "0.npy").write_bytes(b"z")
    digests.append(sha256_file(folder))
    (folder / "C" / "0.npy").rename(folder / "A" / "1.npy")
    digests.append(sha256_file(folder))
    (folder / "A" / "1.npy").unlink()
    digests.append(sha256_file(folder))
    assert len(set(digests)) == len(digests)


def test_the_digest_of_a_folder_depends_on_nothing_but_its_files(tmp_path: Path) -> None:
    for place, names in (("one", "ab"), ("other", "ba")):
        for name in names:
            write_bytes(tmp_path / place / name, name.encode())
    assert sha256_file(tmp_path / "one") == sha256_file(tmp_path / "other")


def test_a_fingerprint_ignores_key_order_and_sees_every_value() -> None:
    assert fingerprint({"a": 1, "b": {"c": 2, "d": 3}}) == fingerprint({"b": {"d": 3, "c": 2}, "a": 1})
    assert fingerprint({"a": [1, 2]}) != fingerprint({"a": [2, 1]})
    assert fingerprint({"a": 1}) != fingerprint({"a": 1.5})
    assert fingerprint({"a": Path("x")}) == fingerprint({"a": Path("x")}) != fingerprint({"a": Path("y")})


def test_a_new_work_directory_has_an_empty_manifest(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) == {"schema_version": SCHEMA_VERSION, "options": {}, "stages": {}}
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_comes_back_as_written(tmp_path: Path) -> None:
    manifest = {"schema_version": SCHEMA_VERSION, "options": {"seed": 3}, "stages": {"train edge": {"sha256": "ab"}}}
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "damaged"),
        (b'{"schema_version": 1, "stag', "damaged"),
        (b"\xff\xfe", "damaged"),
        (b"[]", "not a manifest"),
        (b"{}", "not a manifest"),
        (b'{"schema_version": 1, "stages": []}', "not a manifest"),
        (b'{"schema_version": 2, "stages": {}}', "schema_version 2, this edgekit reads 1"),
        (b'{"stages": {}}', "schema_version None"),
    ],
)
def test_a_damaged_or_newer_manifest_is_refused_and_kept(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / artifacts.MANIFEST
    path.write_bytes(content)
    with pytest.raises(StateError, match=expected) as caught:
        read_manifest(tmp_path)
    assert str(caught.value).startswith(str(path))
    assert path.read_bytes() == content


@contextlib.contextmanager
def holder(workdir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the work directory until its stdin is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(workdir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_work_directory_has_one_process_and_the_second_is_told_which(tmp_path: Path) -> None:
    with holder(tmp_path / "work") as process:
        with pytest.raises(StateError, match=f"in use by process {process.pid}; .*--workdir"), lock(tmp_path / "work"):
            pytest.fail("two processes hold one work directory")
        with lock(tmp_path / "other"):
            pass


def test_a_killed_process_leaves_no_lock_behind(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.kill()
        process.wait()
        with lock(tmp_path):
            assert (tmp_path / ".lock-holder").read_text() == str(os.getpid())


def test_the_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="inside"), lock(tmp_path):
        raise RuntimeError("inside")
    with lock(tmp_path), pytest.raises(StateError), lock(tmp_path):
        pytest.fail("the lock was taken twice")


def test_a_file_in_the_place_of_the_work_directory_is_refused(tmp_path: Path) -> None:
    path = write_bytes(tmp_path / "work", b"")
    with pytest.raises(StateError, match="can't be used as a work directory"), lock(path):
        pytest.fail("a file was locked as a work directory")
