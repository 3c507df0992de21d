"""Files that lie, explode or are no files: refused before anything is allocated, by name, and nothing is written."""

from __future__ import annotations

import io
import os
import resource
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edgekit.cli import run_cli
from edgekit.data import Recordings, load_leniently, load_recordings, read_take, save_recordings
from edgekit.errors import DataError
from edgekit.reading import LIMIT_VARIABLE

Make = Callable[..., Recordings]


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


GOOD = {
    "sequences": npy(np.ones((4, 3, 63), np.float32)),
    "labels": npy(np.array([0, 0, 1, 1])),
    "class_names": npy(np.array(["A", "B"])),
}


def archive(path: Path, compression: int = zipfile.ZIP_DEFLATED, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in {**GOOD, **members}.items():
            file.writestr(f"{name}.npy", content)
    return path


def claims(shape: tuple[int, ...], size: int, dtype: str = "<f4") -> bytes:
    """An array's file of `size` zero bytes behind a header that promises `shape`."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype, "fortran_order": False, "shape": shape})
    return buffer.getvalue() + bytes(size)


@pytest.fixture
def little_memory() -> Iterator[None]:
    """300 MB of data beyond what is allocated now: more is a MemoryError."""
    used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (used + 300_000_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_DATA, before)


linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc here")


@linux
@pytest.mark.usefixtures("little_memory")
def test_a_small_archive_that_unpacks_to_gigabytes_is_refused_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name in ("labels", "class_names"):
            file.writestr(f"{name}.npy", GOOD[name])
        with file.open("sequences.npy", "w") as member:
            member.write(claims((140_000, 30, 63), 0))
            for _ in range(140):
                member.write(bytes(4 * 30 * 63 * 1000))
    assert (tmp_path / "a.npz").stat().st_size < 9_000_000
    started = time.process_time()
    with pytest.raises(DataError, match=r"unpacked, would take 1,059 MB, more than the 1,000 MB .*MAX_READ_MB=1059"):
        load_recordings(tmp_path / "a.npz")
    assert time.process_time() - started < 0.5


@linux
@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sequences": claims((10**9, 30, 63), 100)}, r"'sequences' would take 7,560,000 MB"),
        ({"sequences": claims((4, 3, 63), 100)}, r"'sequences' .*promises 3,024 bytes, 100 are there; damaged"),
        ({"sequences": claims((4, 3, 63), 4000)}, r"'sequences' .*promises 3,024 bytes, 4,000 are there"),
        ({"labels": claims((10**12,), 0, "<i8")}, r"'labels' would take 8,000,000 MB"),
        ({"class_names": claims((2,), 0, "<U500000000")}, r"'class_names' would take 4,000 MB"),
        ({"class_names": claims((2,), 16_000, "<U2000")}, "class_names holds names of more than 1000 characters"),
        ({"sequences": claims((-4, 3, 63), 0)}, r"'sequences' "),
    ],
)
def test_arrays_that_promise_what_is_not_there_are_refused_before_they_are_made(
    changes: dict[str, bytes], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_recordings(archive(tmp_path / "a.npz", **changes))
    assert str(caught.value).startswith(f"{tmp_path / 'a.npz'}: ")


HEADER = GOOD["sequences"]
DAMAGED = {
    "no parenthesis": HEADER.replace(b"63), }", b"63 , }"),
    "no brace": HEADER.replace(b"), }", b"),  "),
    "no tuple": HEADER.replace(b"(4, 3, 63)", b"'4, 3, 63'"),
    "deep": HEADER.replace(b"(4, 3, 63), }", b"(" * 13),
    "name": HEADER.replace(b"False", b"Fal53"),
    "dtype": HEADER.replace(b"<f4", b"<f3"),
    "void": HEADER.replace(b"<f4", b"|V4"),
    "version": HEADER.replace(b"\x93NUMPY\x01", b"\x93NUMPY\x03"),
    "magic": HEADER.replace(b"\x93NUMPY", b"\x93NUMPX"),
    "length": HEADER[:8] + b"\xff\xff" + HEADER[10:],
    "zero bytes": HEADER[:20] + bytes(40) + HEADER[60:],
    "no text": HEADER[:20] + b"\xff" * 40 + HEADER[60:],
    "empty": b"",
    "pickle": npy(np.full(3, None)),
    "record": npy(np.zeros(3, [("a", "f4")])),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_header_is_the_files_fault_whatever_numpy_raises(name: str, tmp_path: Path) -> None:
    (tmp_path / "A").mkdir()
    (tmp_path / "A" / "0.npy").write_bytes(DAMAGED[name])
    path = archive(tmp_path / "a.npz", sequences=DAMAGED[name])
    for call, where in (
        (lambda: load_recordings(path), path),
        (lambda: load_recordings(tmp_path), tmp_path / "A" / "0.npy"),
        (lambda: read_take(tmp_path / "A" / "0.npy"), tmp_path / "A" / "0.npy"),
    ):
        with pytest.raises(DataError) as caught:
            call()
        assert str(caught.value).startswith(f"{where}: ")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("code", [0x110000, 0x7FFFFFFF, 0xFFFFFFFF, 0xD800])
@pytest.mark.parametrize("name", ["class_names", "signer", "take_names", "labels"])
def test_characters_that_do_not_exist_are_the_files_fault(code: int, name: str, tmp_path: Path) -> None:
    good = GOOD["class_names"] if name == "class_names" else npy(np.array(["A", "A", "B", "B"]))
    path = archive(tmp_path / "a.npz", **{name: good[:-4] + code.to_bytes(4, "little")})
    with pytest.raises(DataError, match=f"a.npz: {name}"):
        load_recordings(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_compression_that_numpy_never_writes_is_refused(compression: int, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'sequences' is compressed, but not as numpy does it"):
        load_recordings(archive(tmp_path / "a.npz", compression))


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "folder"])
def test_one_long_take_among_many_short_ones_is_refused_before_they_are_padded(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A megabyte of rows whose takes, all as long as the longest, would take 160 times as much."""
    monkeypatch.setenv(LIMIT_VARIABLE, "6")
    takes = np.concatenate([np.arange(200), np.full(2000, 200)]).tolist()
    frames = np.concatenate([np.zeros(200, int), np.arange(2000)]).tolist()
    if name == "folder":
        for take in range(201):
            (tmp_path / name / "A").mkdir(parents=True, exist_ok=True)
            np.save(tmp_path / name / "A" / f"{take}.npy", np.ones((2000 if take == 200 else 1, 5), np.float32))
    elif name == "a.csv":
        rows = [f"{take},{frame},A,1,2,3,4,5" for take, frame in zip(takes, frames, strict=True)]
        (tmp_path / name).write_text("\n".join(["take,frame,label,f0,f1,f2,f3,f4", *rows]))
    else:
        columns = {"take": takes, "frame": frames, "label": ["A"] * 2200} | {f"f{k}": [1.0] * 2200 for k in range(5)}
        pq.write_table(pa.table(columns), tmp_path / name)
    with pytest.raises(DataError, match="with every take as long as the longest would take 9 MB, more than the 6 MB"):
        load_recordings(tmp_path / name)
    monkeypatch.setenv(LIMIT_VARIABLE, "9")
    assert load_recordings(tmp_path / name).sequences.shape == (201, 2000, 5)


@pytest.mark.parametrize("name", ["a.npz", "a.csv", "a.parquet", "folder", "frames"])
def test_every_layout_has_the_limit_and_the_message_lifts_it(
    name: str, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout: Any = {"folder": "takes", "frames": "frames"}.get(name)
    monkeypatch.setenv(LIMIT_VARIABLE, "1")
    big = make([0] * 40 + [1] * 40, frames=30, features=126)
    save_recordings(tmp_path / name, big, layout)
    with pytest.raises(
        DataError, match=r"more than the 1 MB that edgekit reads of one input; .*EDGEKIT_MAX_READ_MB=\d"
    ) as e:
        load_recordings(tmp_path / name)
    needed = str(e.value).rpartition("=")[2]
    monkeypatch.setenv(LIMIT_VARIABLE, str(int(needed) + 1))
    np.testing.assert_array_equal(load_recordings(tmp_path / name).sequences, big.sequences)


@linux
@pytest.mark.usefixtures("little_memory")
def test_a_parquet_file_of_one_number_a_billion_times_is_refused_unread(tmp_path: Path) -> None:
    column = pa.array(np.zeros(2_000_000, np.float32))
    chunks = pa.chunked_array([column] * 5)
    names = ["take", "frame", "label", *(f"f{k}" for k in range(10))]
    whole = pa.chunked_array([pa.array(np.zeros(2_000_000, np.int8))] * 5)
    table = pa.table([whole, whole, whole, *[chunks] * 10], names=names)
    pq.write_table(table, tmp_path / "a.parquet", compression="zstd", row_group_size=2_000_000)
    del table
    assert (tmp_path / "a.parquet").stat().st_size < 1_000_000
    with pytest.raises(DataError, match="unpacked, would take 2,040 MB"):
        load_recordings(tmp_path / "a.parquet")


@linux
@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a" * 3_000_000, "line 1: over 1,000,000 characters"),
        ("take,frame,label,f0\n" + "," * 30_000_000, "line 2: over 1,000,000 characters"),
        ("take,frame,label,f0\n1,0,A," + "9" * 200_000, "line 2: not valid CSV: field larger than field limit"),
        ('take,frame,label,f0\n1,0,"' + "A\n" * 100_000, r"not valid CSV: field larger than field limit"),
        ("take,frame,label,f0\n1,0,A,1\0", "line 2: f0 is not a number"),
        ("take,frame,label,f0\n1,0," + "A" * 2000 + ",1\n", "column 'label' holds a name of 2,000 characters"),
        ("take,frame,label," + "f" * 100_000, "a column's name has 100,000 characters"),
        ("label," + ",".join(f"c{k}" for k in range(20_000)), "unknown column 'c0'"),
        ("," * 900_000, "line 1|the file is empty|no column|no rows"),
    ],
)
def test_text_without_end_is_refused_where_it_passes_reason(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(content)
    started = time.process_time()
    with pytest.raises(DataError, match=message) as caught:
        load_recordings(tmp_path / "a.csv")
    assert len(str(caught.value)) < 1000
    assert time.process_time() - started < 5


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name on this system")
@pytest.mark.parametrize("suffix", [".npz", ".csv", ".parquet", ".npy"])
def test_pipes_and_devices_are_never_waited_for(suffix: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / f"pipe{suffix}")
    (tmp_path / f"zero{suffix}").symlink_to("/dev/zero")
    (tmp_path / f"folder{suffix}").mkdir()
    for name, what in (("pipe", "a pipe"), ("zero", "a device")):
        path = tmp_path / f"{name}{suffix}"
        for call in (load_recordings, load_leniently) if suffix != ".npy" else (read_take,):
            with pytest.raises(DataError, match=f"can't be read: it is {what}; give"):
                call(path)  # type: ignore[operator]
    if suffix == ".npy":
        with pytest.raises(DataError, match="can't be read: it is a folder"):
            read_take(tmp_path / "folder.npy")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name on this system")
def test_a_pipe_among_the_takes_is_named(tmp_path: Path) -> None:
    for name in ("A", "B"):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "0.npy", np.ones((3, 63), np.float32))
    os.mkfifo(tmp_path / "B" / "1.npy")
    with pytest.raises(DataError, match=r"B/1\.npy: can't be read: it is a pipe"):
        load_recordings(tmp_path)


LATIN = os.fsdecode(b"caf\xe9")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
@pytest.mark.parametrize("place", [f"{LATIN}/0", f"A/{LATIN}"])
@pytest.mark.parametrize("command", ["check {}", "clean {} new.npz", "clean {} new", "convert {} new.csv"])
def test_a_name_that_is_no_text_is_refused_before_anything_is_written(
    place: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under strict UTF-8, where printing such a name fails."""
    unnameable(tmp_path, place)
    monkeypatch.chdir(tmp_path)
    written = io.BytesIO()
    with io.TextIOWrapper(written, "utf-8", errors="strict", write_through=True) as strict:
        monkeypatch.setattr(sys, "stderr", strict)
        assert run_cli(["data", *command.format("in").split()]) == 2
        refused(written.getvalue().decode(), tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_so_it_is_by_a_process_of_its_own(tmp_path: Path) -> None:
    unnameable(tmp_path, f"A/{LATIN}")
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    line = [sys.executable, "-m", "edgekit", "data", "clean", "in", "new.npz"]
    done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    refused(done.stderr, tmp_path)


def unnameable(root: Path, place: str) -> None:
    """Takes of two classes below `in`, the first one called `place`."""
    for name in (place, "B/0"):
        (root / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(f"{root}/in/{name}.npy", np.ones((3, 63), np.float32))


def refused(told: str, root: Path) -> None:
    """The message names what is no text, and nothing was written."""
    assert "caf" in told
    assert "which is not text (its bytes are not UTF-8); rename it" in told
    assert "Traceback" not in told
    assert [path.name for path in root.iterdir()] == ["in"]


@pytest.mark.parametrize("target", ["new.npz", "new.csv", "new.parquet", "new"])
@pytest.mark.parametrize("command", ["convert", "clean"])
def test_what_can_not_be_told_is_not_written(
    target: str, command: str, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that is said about a conversion is known before its first byte is on the disk."""
    save_recordings(tmp_path / "a.npz", make([0, 1] * 4))

    def fail(*_: Any) -> Any:
        raise DataError("what is lost is not known")

    for module in ("formats", "cleaning"):
        monkeypatch.setattr(f"edgekit.data.{module}.told", fail)
    assert run_cli(["data", command, str(tmp_path / "a.npz"), str(tmp_path / target)]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize("name", ["a.npz", "a.csv", "a.parquet"])
def test_random_damage_is_an_error_of_ours_or_recordings_still(name: str, make: Make, tmp_path: Path) -> None:
    """Of the compressed and of the plain form: truncated, with other bytes, with a piece repeated or left out."""
    rng = np.random.default_rng(0)
    save_recordings(tmp_path / name, make([0, 0, 1, 1], features=5))
    whole = (tmp_path / name).read_bytes()
    if name == "a.npz":
        whole = archive(tmp_path / name, zipfile.ZIP_STORED, sequences=npy(np.ones((4, 3, 5)))).read_bytes()
    refused = 0
    for k in range(400):
        content = bytearray(whole)
        at, size = int(rng.integers(len(whole))), int(rng.integers(1, 40))
        if k % 4 == 0:
            content[at : at + 4] = rng.bytes(4)
        elif k % 4 == 1:
            del content[at : at + size]
        elif k % 4 == 2:
            content[at:at] = content[at : at + size]
        else:
            content[at] = int(rng.choice([0, 0xFF, 0x28, 0x7B, 0x2C, 0x22]))
        (tmp_path / name).write_bytes(content)
        try:
            load_leniently(tmp_path / name)
        except DataError as error:
            refused += "\n" not in str(error)
    assert refused > 100
