"""What reaches a terminal, and what happens where nothing can be written."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgekit.cli import run_cli
from edgekit.cli.progress import Console
from edgekit.cli.terminal import complain, say
from edgekit.errors import InputError
from edgekit.report.tables import table
from edgekit.text import MOST, plain, shortened

#: Moves the cursor, changes the title, rings, turns text around, deletes; and the 8-bit form of the first.
NASTY = "\x1b[31m\x1b]0;title\x07\x08\r\u202e\x7f\x9b31m"
SHOWN = r"\x1b[31m\x1b]0;title\x07\x08\x0d\u202e\x7f\x9b31m"


def shell(line: str, **how: object) -> subprocess.CompletedProcess[str]:
    """A line of the shell in which $edgekit is the command."""
    environment = {**os.environ, "edgekit": f"{sys.executable} -m edgekit"}
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, env=environment)


def test_control_characters_are_shown_as_numbers_and_lines_stay() -> None:
    assert plain(f"a{NASTY}b\n\tü c") == f"a{SHOWN}b\n\tü c"
    assert plain(os.fsdecode(b"caf\xe9")) == r"caf\xe9"
    assert plain("\ud800") == r"\ud800"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_tables_are_drawn_with_what_the_stream_can_write(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where that is plain ASCII, with dashes and dots; a name is escaped there as ever."""
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding))
    drawn = f"{table(['class'], [['B']])}\n A \u00b7"
    assert "\u2500" * 5 in drawn
    assert say(f"{drawn} \u4e00")
    found = written.getvalue().decode(encoding)
    plainer = drawn.replace("\u2500", "-").replace("\u00b7", ".")
    assert found == (f"{drawn} \u4e00\n" if encoding == "utf-8" else f"{plainer} \\u4e00\n")


def test_no_name_writes_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for line in (["bench", f"m{NASTY}.onnx"], ["bench", "a.onnx", NASTY], [NASTY], ["config", "--set", f"{NASTY}=1"]):
        assert run_cli(line) == 2
        out, err = capsys.readouterr()
        assert not set(NASTY) & set("\x1b\x07\x08\r\u202e\x7f\x9b") & set(out + err)
        assert r"\x1b" in err
    with Console(quiet=False, verbose=True) as console:
        console.stage(NASTY, "note", NASTY)
        console.note(NASTY)
    assert capsys.readouterr().err == f"note: {SHOWN}: {SHOWN}\n  {SHOWN}\n"


def test_class_names_and_files_are_shown_as_they_are_but_for_what_a_terminal_obeys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    takes = np.random.default_rng(0).uniform(0.2, 0.8, (8, 5, 63)).astype(np.float32)
    path = tmp_path / "hands\x1b[2J.npz"
    np.savez(path, sequences=takes, labels=np.arange(8) % 2, class_names=np.array(["A\x1b[31m", "ü"]))
    for line in (["data", "check", str(path)], ["data", "convert", str(path), str(tmp_path / "x\x1b[31m.csv")]):
        run_cli(line)
        out, err = capsys.readouterr()
        assert "\x1b" not in out + err
        assert r"\x1b[31m" in out
    run_cli(["data", "check", str(path), "--json"])
    assert path.name in json.loads(capsys.readouterr().out)["source"]


@pytest.mark.parametrize("line", ["config", "config --json", "--help", "data --help", "--version", "profiles"])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_result_that_can_not_be_written_is_exit_2(line: str) -> None:
    finished = shell(f"$edgekit {line} > /dev/full")
    assert (finished.returncode, finished.stdout) == (2, "")
    assert finished.stderr.startswith("edgekit: error: ")
    assert "No space left on device" in finished.stderr
    assert finished.stderr.count("\n") == 1


def test_a_closed_stdout_is_told_before_anything_is_done(tmp_path: Path) -> None:
    finished = shell(f"$edgekit data synth {tmp_path}/hands.npz --people 1 >&-")
    assert finished.returncode == 2
    assert finished.stderr == "edgekit: error: stdout is closed: the result has nowhere to go\n"
    assert list(tmp_path.iterdir()) == []


def test_closed_stderr_and_stdin_are_nobodys_file(tmp_path: Path) -> None:
    """The next file that a process opens gets the first free number: without stderr a model would be its place."""
    finished = shell(f"$edgekit data synth {tmp_path}/hands.npz --people 1 --takes-per-letter 2 2>&- <&-")
    assert finished.returncode == 0
    assert finished.stdout.startswith(f"{tmp_path}/hands.npz: 52 synthetic takes")
    assert shell("$edgekit bench nothing.onnx 2>&-").returncode == 2
    assert shell("$edgekit bench nothing.onnx 2>/dev/full").returncode == 2


def test_a_reader_that_has_gone_does_not_change_the_exit_code() -> None:
    assert shell("set -o pipefail; $edgekit profiles raspberry-pi | head -1").returncode == 0
    assert shell("set -o pipefail; $edgekit --help | head -1").returncode == 0
    assert shell("$edgekit data synth /dev/null/x.npz 2>&1 | true; exit ${PIPESTATUS[0]}").returncode == 2


def test_say_tells_whether_somebody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stream(io.StringIO):
        fault: OSError | None = None

        def flush(self) -> None:
            if self.fault is not None:
                raise self.fault

        def fileno(self) -> int:
            raise io.UnsupportedOperation

    stream = Stream()
    monkeypatch.setattr("sys.stdout", stream)
    assert say("a")
    assert stream.getvalue() == "a\n"
    stream.fault = BrokenPipeError()
    assert not say("b")
    stream.fault = OSError(28, "No space left on device")
    with pytest.raises(InputError, match="stdout: the result can't be written: No space left on device"):
        say("c")
    monkeypatch.setattr("sys.stderr", stream)
    complain("nobody hears this, and that is no error")
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(InputError, match="stdout is closed"):
        say("d")


def test_an_encoding_that_lacks_a_character_shows_its_number() -> None:
    finished = shell("PYTHONIOENCODING=ascii $edgekit bench ü.onnx")
    assert finished.returncode == 2
    assert finished.stderr == "edgekit: error: \\xfc.onnx: no such file\n"


def test_progress_that_nobody_reads_ends_no_work() -> None:
    program = "from edgekit.cli.progress import Console\nwith Console(quiet=False, verbose=True) as console:\n"
    program += "    for _ in range(9): console.stage('train', 'done', '1 s')\nprint('trained')"
    read, write = os.pipe()
    os.close(read)
    finished = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=write, check=False)
    os.close(write)
    assert (finished.returncode, finished.stdout) == (0, b"trained\n")


def test_a_message_that_quotes_a_damaged_file_at_length_loses_its_middle() -> None:
    assert shortened("a" * MOST) == "a" * MOST
    text = shortened("head " + "y" * 70_000 + " tail")
    assert len(text) < MOST
    assert text.startswith("head y")
    assert "characters ...] y" in text
    assert text.endswith("y tail")


def test_libraries_are_not_heard_while_edgekit_is() -> None:
    code = (
        "import os\nfrom edgekit.cli.terminal import apart_from_libraries, complain\n"
        "with apart_from_libraries():\n    os.write(2, b'libjpeg\\n')\n    complain('edgekit')\n"
        "os.write(2, b'after\\n')\ncomplain('again')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "edgekit\nafter\nagain\n"
    closed = subprocess.run(
        [sys.executable, "-c", f"import sys\nsys.stderr = None\n{code}"], capture_output=True, check=True
    )
    assert closed.stderr == b"libjpeg\nafter\n"
