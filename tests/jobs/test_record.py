"""`edgekit record`: a video is the camera, lines are the answers, and a tracker sees a hand wherever it is light."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from films import FakeTracker, write_film

from edgekit.cli.screens import TextScreen, WindowScreen, choose_screen
from edgekit.data import Recordings, load_recordings, save_recordings
from edgekit.hands import Hand, Picture
from edgekit.hands.drawing import BONES, draw_hands

cv2 = pytest.importorskip("cv2")
Run = Callable[..., Any]
LIGHT = np.full((48, 64, 3), 100, np.uint8)


@pytest.fixture
def record(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """(answers, words): `edgekit record` with these lines on stdin; takes of 0.2 s after a countdown of 0.1 s."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("edgekit.jobs.record.HandTracker", FakeTracker)
    write_film(tmp_path / "camera.mp4", [LIGHT] * 100)

    def run(answers: Sequence[str], *words: str) -> Any:
        monkeypatch.setattr("sys.stdin", iter(f"{answer}\n" for answer in answers))
        given = (*words, "--text", "--seconds", "0.2", "--countdown", "0.1", "-o", "out.npz")
        camera = () if "--camera" in words else ("--camera", "camera.mp4")
        day = () if "--session" in words else ("--session", "2026-11-27")
        return cli("record", *given, *camera, *day)

    return run


def made() -> Recordings:
    return load_recordings(Path("out.npz"))


def test_takes_are_kept_thrown_away_and_written_with_who_and_when(record: Run) -> None:
    answer = record(["", "x", "", "", "", ""], "A", "B", "--takes", "1", "--signer", "anna")
    assert answer.code == 0
    found = made()
    assert [found.class_names[label] for label in found.labels] == ["A", "B"]
    assert found.lengths.tolist() == [6, 6]
    assert (str(found.signer), str(found.session)) == ("['anna' 'anna']", "['2026-11-27' '2026-11-27']")
    assert (found.hand is not None and found.hand.tolist(), found.tracker[:13]) == (["L", "L"], "edgekit.hands")
    assert found.aspect is not None
    assert found.aspect.tolist() == pytest.approx([4 / 3] * 2)
    assert "2 takes recorded, 1 thrown away" in answer.out
    assert "A, take 1 of 1: 6 frames at 30 a second, a hand in 6: Enter keeps it, x throws it away" in answer.err


def test_it_goes_on_with_what_is_missing(record: Run) -> None:
    answer = record(["", "", "q"], "A", "B", "--takes", "2", "--signer", "anna")
    assert answer.code == 130
    assert "ended by you; 3 takes missing" in answer.err
    assert made().takes == 1
    answer = record(["", ""] * 3, "A", "B", "--takes", "2", "--signer", "anna")
    assert (answer.code, made().takes) == (0, 4)
    assert record([], "A", "B", "--takes", "2", "--signer", "anna").code == 0, "nothing is missing, nothing is asked"
    others = record(["", ""], "A", "--takes", "1", "--signer", "ben")
    assert (others.code, made().takes) == (0, 5)
    later = record(["", ""], "A", "--takes", "1", "--signer", "anna", "--session", "2026-11-28")
    assert (later.code, made().takes) == (0, 6)


def test_the_file_is_whole_after_every_take(record: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    ask = TextScreen.ask

    def look(self: TextScreen, *given: Any) -> str:
        sizes.append(made().takes if Path("out.npz").exists() else 0)
        return ask(self, *given)

    monkeypatch.setattr(TextScreen, "ask", look)
    record([""] * 6, "A", "--takes", "3")
    assert sizes == [0, 0, 1, 1, 2, 2]


def test_what_others_have_recorded_stays_as_it_was(record: Run, cli: Run) -> None:
    assert cli("data", "synth", "out.npz", "--people", "1", "--takes-per-letter", "4").code == 0
    before = made()
    names = np.array([f"letter/{k}" for k in range(before.takes)])
    save_recordings("out.npz", Recordings(**{**vars(before), "take_names": names}))
    assert record(["", ""], "wave", "--takes", "1", "--signer", "me").code == 0
    after = made()
    frames = before.sequences.shape[1]
    assert (after.sequences[: before.takes, :frames] == before.sequences).all()
    assert after.class_names == (*before.class_names, "wave")
    assert after.take_names is not None
    assert after.take_names[: before.takes].tolist() == names.tolist()
    assert after.take_names[-1] == f"recorded/{before.takes}"


def test_skipped_signs_and_the_end_of_answers_are_no_success(record: Run) -> None:
    answer = record(["s", "", ""], "A", "B", "--takes", "1")
    assert (answer.code, made().class_names) == (130, ("B",))
    assert "signs were skipped; 1 take missing" in answer.err
    answer = record([], "C", "--takes", "1")
    assert (answer.code, "ended by you; 1 take missing" in answer.err) == (130, True)
    answer = record(["what", "q"], "C")
    assert "'what' is none of these" in answer.err


def test_a_camera_that_ends_keeps_what_was_taken(record: Run) -> None:
    answer = record([""] * 30, "A", "--takes", "30")
    assert answer.code == 2
    assert "the pictures have come to an end" in answer.err
    assert made().takes > 5
    assert f"{30 - made().takes} takes missing" in answer.err


def test_takes_without_a_hand_are_thrown_away_by_themselves(record: Run, tmp_path: Path) -> None:
    write_film(tmp_path / "dark.mp4", [np.zeros_like(LIGHT)] * 20 + [LIGHT] * 20)
    answer = record(["", "", "", "q"], "A", "--takes", "1", "--camera", "dark.mp4")
    assert "A, take 1 of 1: no hand in any of 6 frames; thrown away" in answer.err
    assert answer.code in (0, 2, 130)


def test_a_full_disk_loses_nothing_where_someone_makes_room(record: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert record(["", ""], "A", "--takes", "1").code == 0
    save, full = np.savez_compressed, [True, True]

    def savez(*given: Any, **named: Any) -> None:
        if full:
            full.pop()
            raise OSError(28, "No space left on device")
        save(*given, **named)

    monkeypatch.setattr("numpy.savez_compressed", savez)
    answer = record(["", "", "", ""], "A", "--takes", "2")
    assert (answer.code, made().takes) == (0, 2)
    assert (
        answer.err.count("No space left on device: make room, or put right what it is; Enter tries again, q gives up")
        == 2
    )
    full += [True] * 9
    answer = record(["", "", "q"], "A", "--takes", "3")
    assert (answer.code, made().takes) == (2, 2)
    assert "the last take of A is lost, all before it are kept" in answer.err


def test_two_who_record_into_one_file_lose_nothing(record: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one is asked whether to keep a take, another one has written his."""
    ask, others = TextScreen.ask, []  # type: ignore[var-annotated]

    def meanwhile(self: TextScreen, text: str, *given: Any) -> str:
        if "keeps it" in text and not others:
            others.append(True)
            assert record(["", ""], "B", "--takes", "1", "--signer", "ben").code == 0
            monkeypatch.setattr("sys.stdin", iter([]))
        return ask(self, text, *given)

    monkeypatch.setattr(TextScreen, "ask", meanwhile)
    assert record(["", "", "", ""], "A", "--takes", "2", "--signer", "anna").code == 0
    found = made()
    assert found.signer is not None
    assert sorted(found.signer.tolist()) == ["anna", "anna", "ben"]
    assert set(found.class_names) == {"A", "B"}


def test_other_recordings_that_come_in_between_are_not_replaced(
    record: Run, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = TextScreen.ask

    def meanwhile(self: TextScreen, text: str, *given: Any) -> str:
        if "keeps it" in text:
            Path("out.npz").write_bytes(b"another program's")
        return ask(self, text, *given)

    monkeypatch.setattr(TextScreen, "ask", meanwhile)
    answer = record(["", "", "q"], "A", "--takes", "1")
    assert (answer.code, "the last take of A is lost" in answer.err) == (2, True)
    assert Path("out.npz").read_bytes() == b"another program's"


def test_a_place_that_refuses_is_told_before_anybody_signs(record: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *given: False)
    answer = record([], "A")
    assert (answer.code, "out.npz: can't be written: you may make no files in" in answer.err) == (2, True)
    assert "Enter records" not in answer.err


def test_a_slow_camera_is_named(record: Run, tmp_path: Path) -> None:
    write_film(tmp_path / "slow.mp4", [LIGHT] * 40, 10)
    answer = record(["", "", "q"], "A", "--takes", "1", "--camera", "slow.mp4")
    assert "2 frames at 10 a second (models read 30 a second: more light helps most cameras), a hand in 2" in answer.err


def test_ctrl_c_says_what_is_kept(record: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    track, calls = FakeTracker.track, []

    def until(self: FakeTracker, pixels: Any) -> Any:
        calls.append(1)
        if len(calls) == 9:
            raise KeyboardInterrupt
        return track(self, pixels)

    monkeypatch.setattr(FakeTracker, "track", until)
    answer = record([""] * 6, "A", "--takes", "3")
    assert (answer.code, made().takes) == (130, 1)
    assert "interrupted: 1 take of this run kept in out.npz; the same command goes on" in answer.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("A", "A"), "'A' is there twice"),
        ((" ",), "a sign has no name"),
        (("A", "--signer", "x" * 1001), "--signer holds a name of 1,001 characters"),
        (("A", "--camera", "0"), "camera 0: is not there"),
        (("A", "--camera", "none.mp4"), "none.mp4: no such file"),
        (("A", "--takes", "0"), "0"),
    ],
)
def test_bad_input_is_one_message(record: Run, words: tuple[str, ...], said: str) -> None:
    answer = record([], *words)
    assert answer.code == 2
    assert said in answer.err
    assert not Path("out.npz").exists()


def test_another_number_of_hands_or_another_file_is_refused(record: Run) -> None:
    record(["", ""], "A", "--takes", "1")
    answer = record(["", ""], "A", "--takes", "2", "--hands", "2")
    assert (answer.code, "holds 63 numbers a frame, and takes of 2 hands have 126" in answer.err) == (2, True)
    Path("out.npz").write_bytes(b"x")
    assert record(["", ""], "A").code == 2
    assert Path("out.npz").read_bytes() == b"x"


def test_json_says_what_is_there(record: Run) -> None:
    told = json.loads(record(["", ""], "A", "--takes", "1", "--signer", "me", "--json").out)
    assert (told["takes"], told["missing"], told["signer"]) == ({"A": 1}, 0, "me")


def window(keys: Sequence[int], closed: bool = False) -> Any:
    """OpenCV's windows, as a record of what was shown; keys come one after the other, then none."""
    pressed, shown = iter(keys), []
    return SimpleNamespace(
        namedWindow=lambda title: None,
        imshow=lambda title, picture: shown.append(picture),
        waitKey=lambda ms: next(pressed, -1) if ms else -1,
        getWindowProperty=lambda title, what: 0.0 if closed else 1.0,
        WND_PROP_VISIBLE=4,
        shown=shown,
    )


def look() -> tuple[Picture, list[Hand]]:
    hand = Hand(np.full((21, 3), 0.25, np.float32), "L", 0.9, 0.9)
    return Picture(0.0, np.full((120, 160, 3), 100, np.uint8)), [hand]


@pytest.mark.parametrize(
    ("key", "answer"), [(13, "go"), (32, "go"), (ord("x"), "throw"), (27, "quit"), (ord("q"), "quit")]
)
def test_a_window_shows_pictures_until_a_key_that_is_asked_for(key: int, answer: str) -> None:
    made = window([-1, -1, -1, ord("s"), -1, key])
    assert WindowScreen(made).ask("A", ("go", "throw", "quit"), look) == answer
    assert len(made.shown) == 3
    assert WindowScreen(window([], closed=True)).ask("A", ("go", "quit"), look) == "quit"


def test_the_hand_is_drawn_in_a_mirror_with_the_text_below() -> None:
    picture, hands = look()
    shown = draw_hands(picture.pixels, hands, "A, take 1")
    assert shown.shape == picture.pixels.shape
    assert (shown[30, 120] == 250).all(), "a quarter from the left is a quarter from the right"
    assert (picture.pixels == 100).all(), "the picture itself stays"
    assert (shown[-10:] < 30).any()
    assert (shown[-10:] > 100).any()
    assert {end for _, end in BONES} == set(range(1, 21))
    far = Hand(np.full((21, 3), 1e6, np.float32), "L", 0.9, 0.9)
    assert draw_hands(np.zeros((1, 1, 3), np.uint8), [far], "x").shape == (1, 1, 3)


def test_without_a_display_it_says_why_it_reads_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert isinstance(choose_screen(text=False), TextScreen)
    assert "without a window, because there is no display" in capsys.readouterr().err
    monkeypatch.setenv("DISPLAY", ":0")
    if "GUI:                           NONE" in cv2.getBuildInformation():
        assert isinstance(choose_screen(text=False), TextScreen)
        assert "this OpenCV has no windows" in capsys.readouterr().err
