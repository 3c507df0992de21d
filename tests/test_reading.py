"""What a user names is a regular file within a limit, or one clear error; and no parser's failure is anybody else's."""

from __future__ import annotations

import os
import socket
import tracemalloc
from pathlib import Path

import pytest

from edgekit.config import read_yaml
from edgekit.errors import ConfigError, DataError, ModelFileError
from edgekit.reading import LIMIT_VARIABLE, FileKind, open_file, parsing, read_file, read_text, refuse_large

KIND = FileKind("a list of names", DataError, 1000, "save it again")


def test_a_regular_file_is_read_whole_and_text_without_its_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfone")
    assert read_file(tmp_path / "a", KIND) == b"\xef\xbb\xbfone"
    assert read_text(tmp_path / "a", KIND) == "one"
    (tmp_path / "a").write_bytes(bytes(1000))
    assert len(read_file(tmp_path / "a", KIND)) == 1000


def strange(folder: Path) -> dict[str, Path]:
    """What is no regular file, by what it is."""
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to("/dev/zero")
    server = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(folder)  # a socket's path is short
    server.bind("socket")
    os.chdir(here)
    server.close()
    (folder / "folder").mkdir()
    names = {"a pipe": "pipe", "a device": "link", "a socket": "socket", "a folder": "folder"}
    return {what: folder / name for what, name in names.items()}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name on this system")
def test_what_is_no_regular_file_is_named_and_never_waited_for(tmp_path: Path) -> None:
    for what, path in strange(tmp_path).items():
        message = f"{path}: can't be read: it is {what}; give a list of names as a regular file"
        with pytest.raises(DataError) as caught:
            read_file(path, KIND)
        assert str(caught.value) == message


def test_a_missing_file_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none: no such file; give a list of names"):
        read_file(tmp_path / "none", KIND)


def test_a_file_beyond_the_limit_is_refused_unread_and_the_message_lifts_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(50_000_001)
    tracemalloc.start()
    with pytest.raises(DataError, match=r"big: holds 51 MB, more than the 0 MB .*EDGEKIT_MAX_READ_MB=51$"):
        read_file(tmp_path / "big", KIND)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10**6
    monkeypatch.setenv(LIMIT_VARIABLE, "51")
    assert len(read_file(tmp_path / "big", KIND)) == 50_000_001
    monkeypatch.setenv(LIMIT_VARIABLE, "50")
    with pytest.raises(DataError, match="more than the 50 MB"):
        read_file(tmp_path / "big", KIND)


@pytest.mark.skipif(not Path("/proc/kallsyms").exists(), reason="no /proc here")
def test_a_file_that_is_longer_than_it_says_is_refused() -> None:
    with pytest.raises(DataError, match="more than the 0 MB"):
        read_file(Path("/proc/kallsyms"), KIND)


@pytest.mark.parametrize("said", ["0", "-1", "many", "1e3", "1.5", "9" * 13, "³"])
def test_a_limit_that_is_no_number_is_an_error(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, said)
    with pytest.raises(ConfigError, match=f"{LIMIT_VARIABLE}: expected a whole number"):
        KIND.limit()


def test_sizes_are_compared_with_the_limit_itself() -> None:
    refuse_large(1000, "x", KIND)
    with pytest.raises(DataError, match="x: would take 1 MB"):
        refuse_large(1001, "x", KIND, "would take")


class PanicException(BaseException):
    """As Rust's panics arrive in Python."""


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (ValueError("bad\nworse"), "f: can't be read as a list of names: bad; save it again"),
        (KeyError("y"), "f: can't be read as a list of names: KeyError: 'y'; save it again"),
        (SystemError("odd"), "f: can't be read as a list of names: odd; save it again"),
        (RecursionError("deep"), "f: can't be read as a list of names: deep; save it again"),
        (PanicException("rust"), "f: can't be read as a list of names: rust; save it again"),
        (StopIteration(), "f: can't be read as a list of names: StopIteration; save it again"),
        (OSError(5, "Input/output error"), "f: can't be read: Input/output error"),
        (MemoryError(), "f: takes more memory than there is; save it again, or use less of it"),
    ],
)
def test_whatever_a_parser_raises_is_the_files_fault(raised: BaseException, said: str) -> None:
    with pytest.raises(DataError) as caught, parsing("f", KIND):
        raise raised
    assert str(caught.value) == said


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), SystemExit(3), ModelFileError("ours"), GeneratorExit()])
def test_the_user_and_errors_of_our_own_pass(raised: BaseException) -> None:
    with pytest.raises(type(raised)) as caught, parsing("f", KIND):
        raise raised
    assert caught.value is raised


def test_a_file_is_closed_and_its_own_errors_pass(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    with pytest.raises(ZeroDivisionError), open_file(tmp_path / "a", KIND) as file:
        raise ZeroDivisionError
    assert file.closed


NESTED = "a: &0 [x]\n" + "".join(f"a{k}: &{k} [{', '.join([f'*{k - 1}'] * 9)}]\n" for k in range(1, 12))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: !!bool y", "can't be read as a YAML file: KeyError: 'y'; correct it"),
        ("a: !!int ''", "can't be read as a YAML file: IndexError"),
        ("a: !!float x", "can't be read as a YAML file: could not convert"),
        ("a: !!timestamp 2020-99-99", "can't be read as a YAML file: month must be"),
        ("a: !!timestamp 2020-01-01", "expected text, numbers, lists or mappings, got a date"),
        ("a: !!binary aGk=", "expected text, numbers, lists or mappings, got a bytes"),
        ("a: !!set {x, y}", "expected text, numbers, lists or mappings, got a set"),
        ("a: !!omap [x: y]", "expected text, numbers, lists or mappings, got a tuple"),
        ("a: " + "9" * 5000, "can't be read as a YAML file: Exceeds the limit"),
        ("a: " + "[" * 3000, "can't be read as a YAML file|not valid YAML"),
        ("a: " + "[" * 60 + "]" * 60, "nested more than 50 deep"),
        ("a: &x [*x]", "an alias is inside what it refers to"),
        (NESTED, "its aliases stand for more than 100,000 values"),
        ("a: 1\nb: [1\n", "not valid YAML: line 3: expected ',' or ']'"),
        ("a: 1\na: 2\n", "not valid YAML: line 2: key 'a' appears twice"),
        ("a: \0", "can't be read as a YAML file|not valid YAML"),
    ],
)
def test_whatever_yaml_holds_it_is_a_tree_or_one_error(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "me.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=said) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_settings_file_as_large_as_nobody_writes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "me.yaml").write_text("a: 1\n" * 300_000)
    with pytest.raises(ConfigError, match="holds 2 MB, more than the 1 MB"):
        read_yaml(tmp_path / "me.yaml")
