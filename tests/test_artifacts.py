"""Files are whole or absent, digests see everything, and one process holds a work directory."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgekit import artifacts
from edgekit.artifacts import (
    SCHEMA_VERSION,
    append_text,
    clear_leftovers,
    fingerprint,
    json_text,
    lock,
    parse_json,
    read_manifest,
    replaced_folder,
    scratch,
    scratch_folder,
    sha256_file,
    write_bytes,
    write_json,
    write_manifest,
    write_text,
)
from edgekit.errors import ConfigError, InputError, NotFiniteError, StateError

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


def test_a_manifest_of_an_older_edgekit_is_read_in_todays_words(tmp_path: Path) -> None:
    """Accelerators were called devices; a class may be called so and stays."""
    old = {"device": "cuda", "devices": 2, "precision": None}
    new = {"accelerator": "cuda", "accelerators": 2, "precision": None}
    classes = {"device": 0.5, "devices": 1.0}

    def manifest(used: dict[str, object]) -> dict[str, object]:
        stage = {"metrics": {"hardware": used, "val_per_class": classes}}
        return {
            "schema_version": SCHEMA_VERSION,
            "options": used,
            "hardware": {"train edge": {"asked": used, "chosen": used}},
            "stages": {"train edge": stage, "quantize": {"metrics": {}}},
        }

    write_manifest(tmp_path, manifest(old))
    assert read_manifest(tmp_path) == manifest(new)
    for damaged in (None, 3, [], {"train edge": 4}, {"train edge": {"asked": "device"}}):
        write_manifest(tmp_path, {**manifest(new), "hardware": damaged})
        assert read_manifest(tmp_path)["hardware"] == damaged


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "as a manifest.*: Expecting value.* damaged"),
        (b'{"schema_version": 1, "stag', "as a manifest.*: Unterminated string.* damaged"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"schema_version": 1, "stages": {}, "options": {"seed": NaN}}', "NaN is not JSON"),
        (b'{"schema_version": 1, "stages": {}, "stages": {}}', 'key "stages" appears twice'),
        (b'{"schema_version": 1' + b"0" * 5000 + b', "stages": {}}', "is too large"),
        (b'{"schema_version": 1e999, "stages": {}}', "the number 1e999 is too large"),
        (b'{"schema_version": 1, "stages": ' + b'{"a":' * 5000 + b"0" + b"}" * 5001, "100 deep"),
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


def fail_in(workdir: Path, options: dict[str, int]) -> None:
    with lock(workdir):
        write_manifest(workdir, {**read_manifest(workdir), "options": options})
        raise ConfigError("wrong")


def test_a_new_work_directory_in_which_nothing_came_about_goes_with_the_error(tmp_path: Path) -> None:
    new, old = tmp_path / "a" / "b", tmp_path / "old"
    old.mkdir()
    for place in (new, old):
        with pytest.raises(ConfigError, match="wrong"):
            fail_in(place, {})
    assert not new.parent.exists()
    assert (old / "manifest.json").exists(), "it was there before"


def test_a_new_work_directory_that_remembers_anything_stays(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="wrong"):
        fail_in(tmp_path / "new", {"seed": 3})
    assert read_manifest(tmp_path / "new")["options"] == {"seed": 3}


def test_the_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="inside"), lock(tmp_path):
        raise RuntimeError("inside")
    with lock(tmp_path), pytest.raises(StateError), lock(tmp_path):
        pytest.fail("the lock was taken twice")


def test_a_file_in_the_place_of_the_work_directory_is_refused(tmp_path: Path) -> None:
    path = write_bytes(tmp_path / "work", b"")
    with pytest.raises(StateError, match="can't be used as a work directory"), lock(path):
        pytest.fail("a file was locked as a work directory")


def test_a_lock_is_no_way_to_empty_what_a_link_leads_to(tmp_path: Path) -> None:
    precious = write_bytes(tmp_path / "precious", b"years of work")
    workdir = tmp_path / "work"
    workdir.mkdir()
    (workdir / ".lock").symlink_to(precious)
    with pytest.raises(StateError, match=r"work/\.lock is a link, which is not followed; remove it"), lock(workdir):
        pytest.fail("a link was taken for a lock")
    (workdir / ".lock").unlink()
    (workdir / ".lock").hardlink_to(precious)
    (workdir / ".lock-holder").symlink_to(precious)
    with lock(workdir):
        pass
    assert precious.read_bytes() == b"years of work"


@pytest.mark.parametrize("write", [write_bytes, append_text])
def test_no_link_is_written_through(tmp_path: Path, write: Any) -> None:
    """One that stands where a whole file goes is replaced; one where something is added is refused."""
    precious, link = write_bytes(tmp_path / "precious", b"years of work"), tmp_path / "link"
    link.symlink_to(precious)
    with contextlib.suppress(OSError):
        write(link, b"new" if write is write_bytes else "new")
    assert precious.read_bytes() == b"years of work"
    assert link.is_symlink() == (write is append_text)


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    """A user who may do everything would lose /dev/null by `--junit /dev/null`."""
    pipe, folder, link = tmp_path / "pipe", tmp_path / "folder", tmp_path / "link"
    os.mkfifo(pipe)
    folder.mkdir()
    link.symlink_to(pipe)
    for path in (pipe, folder, link, Path("/dev/null")):
        with pytest.raises(InputError, match=r"is a (folder|device or a pipe), and a file was to be written there"):
            write_bytes(path, b"")
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_rights_are_those_of_the_umask_or_of_the_old_file(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        path = write_bytes(tmp_path / "new" / "model", b"1")
        append_text(tmp_path / "log", "1")
        with replaced_folder(tmp_path / "takes") as made:
            (made / "a").write_bytes(b"")
    finally:
        os.umask(before)
    assert [stat.S_IMODE(p.stat().st_mode) for p in (path, tmp_path / "log")] == [0o666 & ~umask] * 2
    assert [stat.S_IMODE(p.stat().st_mode) for p in (path.parent, tmp_path / "takes")] == [0o777 & ~umask] * 2
    path.chmod(0o640)
    assert stat.S_IMODE(write_bytes(path, b"2").stat().st_mode) == 0o640


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_a_place_that_refuses_is_named_and_not_the_file_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        write_bytes(tmp_path / "model.onnx", b"")
    assert (caught.value.errno, caught.value.filename) == (number, str(tmp_path / "model.onnx"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_temporary_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """With what moves it; also where the error names what was copied from elsewhere first."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for filename in (None, "{folder}/takes.npy"):
        with pytest.raises(OSError, match="No space") as caught, scratch_folder("bench") as folder:
            raise OSError(number, "No space", filename and filename.format(folder=folder))
        assert caught.value.filename == str(tmp_path)
        assert caught.value.strerror == "No space (where temporary files go; the variable TMPDIR names another place)"
    with pytest.raises(OSError, match="No space") as caught, scratch_folder("bench") as folder:
        raise OSError(number, "No space", "elsewhere/model.onnx", None, str(folder / "model0.onnx"))
    assert caught.value.filename == str(tmp_path)
    with pytest.raises(OSError, match="No space") as caught, scratch_folder("x", tmp_path / "made") as folder:
        raise OSError(number, "No space", str(folder / "takes.npy"))
    assert (caught.value.filename, caught.value.strerror) == (str(tmp_path), "No space")
    with pytest.raises(OSError, match="No space") as caught, scratch_folder("bench"):
        raise OSError(number, "No space", "elsewhere/model.onnx")
    assert caught.value.filename == "elsewhere/model.onnx"
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_folder_is_private_empty_and_gone_afterwards(tmp_path: Path) -> None:
    with scratch_folder("bench", beside=tmp_path / "x") as folder:
        assert folder.parent == tmp_path
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert [path.name for path in folder.iterdir()] == [".held"]
        (folder / "a").mkdir()
        (folder / "a" / "b").write_bytes(b"")
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_folder_that_is_cleared_away_before_it_is_held_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another process, between making the folder and holding it: it is nobody's then."""
    hold, swept = scratch._hold, []

    def hold_later(handle: int, blocking: bool) -> bool:
        if not swept:
            swept.extend(tmp_path.iterdir())
            shutil.rmtree(swept[0])
        return hold(handle, blocking)

    monkeypatch.setattr(scratch, "_hold", hold_later)
    with scratch_folder("bench", beside=tmp_path / "x") as folder:
        assert list(tmp_path.iterdir()) == [folder] == swept
        assert [entry.name for entry in folder.iterdir()] == [scratch.HELD]
    assert list(tmp_path.iterdir()) == []


def test_only_what_bears_the_name_and_is_held_by_nobody_is_cleared_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part, apart = f".edgekit-{'0' * 16}.part", f"edgekit-bench-{'0' * 16}"
    for name in (apart, f".edgekit-{'1' * 16}.part", "edgekit-work", "edgekit-bench-x", f".edgekit-{'z' * 16}.part"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".held").write_bytes(b"")
    (tmp_path / part).write_bytes(b"half")
    (tmp_path / f".edgekit-{'2' * 16}.part").symlink_to(tmp_path / "edgekit-work")
    young = tmp_path / f"edgekit-bench-{'3' * 16}"
    young.mkdir()
    monkeypatch.setattr(scratch, "_cleared", set())
    with scratch_folder("bench", beside=tmp_path / "x") as mine:
        kept = {"edgekit-work", "edgekit-bench-x", f".edgekit-{'z' * 16}.part", f".edgekit-{'2' * 16}.part"}
        assert {path.name for path in tmp_path.iterdir()} == kept | {mine.name, young.name}
        clear_leftovers(tmp_path, again=True)
        assert mine.exists(), "held by this very process"
    assert (tmp_path / "edgekit-work" / ".held").exists()
    os.utime(young, (0, 0))
    clear_leftovers(tmp_path, again=True)
    assert not young.exists()


STEPS = ("filled", "named", "moved", "in place")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("existed", [True, False])
def test_a_folder_is_the_old_or_the_new_one_wherever_the_process_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, existed: bool
) -> None:
    """The states that `kill -9` can leave, made by hand; the next run clears up."""
    path, beside = tmp_path / "takes", tmp_path / f".edgekit-{'0' * 16}.part"
    if existed:
        write_bytes(path / "old.npy", b"old")
    write_bytes(beside / ".held", b"")
    write_bytes(beside / "new" / "new.npy", b"new")
    reached = STEPS.index(step)
    if reached >= 1:
        write_bytes(beside / "target", b"takes")
    if reached >= 2 and existed:
        path.rename(beside / "old")
    if reached >= 3:
        (beside / "new").rename(path)
    monkeypatch.setattr(scratch, "_cleared", set())
    clear_leftovers(tmp_path)
    expected = {"new.npy"} if reached == 3 else {"old.npy"} if existed else set()
    assert {p.name for p in tmp_path.glob("takes/*")} == expected
    assert {p.name for p in tmp_path.iterdir()} == ({"takes"} if expected else set())


@pytest.mark.parametrize("error", [OSError(28, "full"), KeyboardInterrupt()])
@pytest.mark.parametrize("at", [1, 2])
def test_a_folder_that_can_not_be_put_in_place_is_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, at: int
) -> None:
    path, calls, rename = tmp_path / "takes", [0], Path.rename
    write_bytes(path / "old.npy", b"old")

    def fail(self: Path, target: Path) -> Path:
        calls[0] += 1
        done = rename(self, target)
        if calls[0] == at:
            raise error
        return done

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(type(error)), replaced_folder(path) as made:
        (made / "new.npy").write_bytes(b"new")
    assert [p.name for p in path.iterdir()] == [["old.npy"], ["new.npy"]][at - 1]
    assert [p.name for p in tmp_path.iterdir()] == ["takes"]


def test_strict_json_both_ways() -> None:
    assert parse_json(json_text({"a": [1, 0.5, None, "ü\x1b\ud800"]})) == {"a": [1, 0.5, None, "ü\x1b\ud800"]}
    assert "\x1b" not in json_text("\x1b")
    with pytest.raises(NotFiniteError, match=r"^rows\[1\]\.low is -inf, which JSON can't hold"):
        json_text({"rows": [{"low": 1.0}, {"low": float("-inf")}]})
    assert parse_json("[" * 100 + "]" * 100)
    for text, reason in {
        "[" * 101 + "]" * 101: "100 deep",
        "[" * 100_000: "100 deep",
        "[NaN]": "NaN is not JSON",
        "-Infinity": "-Infinity is not JSON",
        "1e400": "1e400 is too large",
        "9" * 21: "too large",
        "9" * 5000: r"99999999\.\.\. of 5000 characters is too large",
        '{"a": 1, "\\u0061": 2}': 'key "a" appears twice',
        "": "Expecting value",
        "[1] 2": "Extra data",
    }.items():
        with pytest.raises(ValueError, match=reason) as caught:
            parse_json(text)
        assert len(str(caught.value)) < 200


def test_text_that_is_no_unicode_is_written_all_the_same(tmp_path: Path) -> None:
    assert write_text(tmp_path / "a", os.fsdecode(b"caf\xe9")).read_bytes() == b"caf\xe9"
    assert write_text(tmp_path / "a", "\ud800").read_bytes() == b"\\ud800"


def test_only_two_modules_and_programs_of_their_own_know_how_json_is_written() -> None:
    root = Path(artifacts.__file__).parents[1]
    knowing = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if re.search(r"^\s*(import json|from json)\b", path.read_text(), re.MULTILINE)
    }
    programs = {"measure/worker.py", "runtime/child.py"}  # started as files, they import nothing of edgekit
    assert knowing == {"artifacts/strict_json.py", "artifacts/digests.py"} | programs
    for name in knowing:
        calls = re.findall(r"json\.dumps?\((?:[^()]|\([^()]*\))*\)", (root / name).read_text())
        assert all("allow_nan=False" in call or "json.dumps(twice)" in call for call in calls), name
