"""`edgekit live` as a maker runs it: streams, videos, interruptions, and what is said of them."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.cli.terminal import Line
from edgekit.data import SynthConfig, canonical_takes, synthesise_hands
from edgekit.stepping import write_step_model

Cli = Callable[..., Any]
Stream = Callable[..., Any]


@pytest.fixture(scope="module")
def low() -> list[str]:
    """LOW by a synthetic hand, which leaves the picture then: lines of a stream."""
    hands = synthesise_hands(SynthConfig(people=1, takes_per_letter=2, seed=3))
    x, names = canonical_takes(hands, 30), hands.class_names
    takes = {names[label]: take for take, label in zip(x, hands.labels, strict=True)}
    return [json.dumps(frame.tolist()) for letter in "LOW" for frame in takes[letter]] + ["null"] * 40


@pytest.fixture
def stream(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stream:
    """(lines, *arguments): `edgekit live` with these lines as its stdin, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(lines: Any, *arguments: object) -> Any:
        monkeypatch.setattr("sys.stdin", iter(lines))
        return cli("live", *arguments)

    return run


def events(answer: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.out.splitlines()]


def test_a_log_has_a_line_an_event_and_the_text_at_the_end(stream: Stream, low: list[str]) -> None:
    answer = stream(low)
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert [line.split("s  ")[1].split(" 0.")[0] for line in lines if "s  " in line] == [
        *("hand found", "letter L", "letter ended L", "letter O", "letter ended O", "letter W"),
        *("letter ended W", "hand lost", "word ended LOW"),
    ]
    assert "text: LOW" in lines
    assert "stdin: 130 frames in 4.3 s, 90 with a hand, 3 letters" in lines
    assert "the student that edgekit comes with answers" in answer.err


def test_programs_get_a_line_of_json_an_event(stream: Stream, low: list[str]) -> None:
    answer = stream(low, "--json")
    found = events(answer)
    letters = [event for event in found if event["event"] == "letter"]
    assert [(event["label"], event["text"]) for event in letters] == [("L", "L"), ("O", "LO"), ("W", "LOW")]
    assert set(letters[0]) == {"event", "frame", "time_s", "label", "probability", "text"}
    assert letters[0]["time_s"] == pytest.approx(letters[0]["frame"] / 30, abs=1e-3)
    end = found[-1]
    assert (end["event"], end["frames"], end["with_hand"], end["letters"], end["text"]) == ("end", 130, 90, 3, "LOW")
    assert (end["tracker"], end["steps"], end["interrupted"]) == (None, False, False)
    assert end["classifier"]["median_ms"] > 0
    assert end["source_rate"] == pytest.approx(30)


def test_a_step_model_is_used_where_one_is(stream: Stream, low: list[str], chain: Any, tmp_path: Path) -> None:
    copy = tmp_path / "work"
    shutil.copytree(chain.workdir, copy)
    (copy / "model.int8.step.onnx").unlink(missing_ok=True)
    assert events(stream(low, "--json", "--workdir", copy))[-1]["steps"] is False
    write_step_model(copy / "model.int8.onnx", copy / "model.int8.step.onnx")
    assert events(stream(low, "--json", "--workdir", copy))[-1]["steps"] is True


def test_every_kind_of_no_hand_is_a_lost_hand(stream: Stream, low: list[str]) -> None:
    nothing = ["null", "[]", json.dumps([0] * 63), '{"landmarks": null}', ""] * 8
    answer = stream([*low[:90], *nothing], "--json")
    assert answer.code == 0
    assert [event["event"] for event in events(answer)][-3:] == ["hand lost", "word ended", "end"]


def test_a_stream_without_any_hand_is_exit_2_as_a_video_is(stream: Stream) -> None:
    """A script that reads on must not take it for an empty text."""
    answer = stream(["null"] * 9)
    assert (answer.code, answer.out.splitlines()[0]) == (2, "text: none")
    told = "edgekit: error: stdin: no hand is found in any of 9 frames; see what the tracker before it writes\n"
    assert answer.err.endswith(told)
    as_json = stream(["null"] * 9, "--json")
    assert (as_json.code, events(as_json)[-1]["event"], events(as_json)[-1]["with_hand"]) == (2, "end", 0)


def test_hand_and_aspect_of_a_line_are_taken_out(stream: Stream, low: list[str]) -> None:
    """The same word by the other hand in a wide picture, at the times of a camera that drops every third frame."""
    lines = []
    for k, line in enumerate(low):
        values = json.loads(line)
        if values is not None:
            points = np.array(values).reshape(21, 3)
            points[:, 0] = 0.5 - (points[:, 0] - 0.5) * (4 / 3) / (16 / 9)
            points[:, 2] *= (4 / 3) / (16 / 9)
            values = points.ravel().tolist()
        if k % 3:
            lines.append(json.dumps({"landmarks": values, "time_s": k / 30, "hand": "R", "aspect": 16 / 9}))
    answer = stream(lines, "--json")
    assert events(answer)[-1]["text"] == "LOW"
    assert events(answer)[-1]["source_rate"] == pytest.approx(20, rel=0.02)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[1, 2", "line 4: expected a JSON list of 63 numbers"),
        ("[1, 2]", "line 4: expected 63 numbers, got 2"),
        ('{"landmarks": null, "time_s": 1}', "line 4: either every line has a time_s, or none"),
    ],
)
def test_a_broken_line_is_one_message_with_its_number(stream: Stream, low: list[str], line: str, said: str) -> None:
    answer = stream([low[0], "", low[1], line], "--json")
    assert answer.code == 2
    assert f"edgekit: error: {said}" in answer.err
    assert "Traceback" not in answer.err


def test_what_was_read_before_a_broken_line_is_told(stream: Stream, low: list[str]) -> None:
    answer = stream([*low, "broken"])
    assert answer.code == 2
    assert "text: LOW" in answer.out
    assert answer.err.splitlines()[-1].startswith("edgekit: error: line 131: ")


def test_times_that_go_back_are_one_message(stream: Stream) -> None:
    answer = stream([json.dumps({"landmarks": None, "time_s": t}) for t in (1, 2, 1.5)])
    assert answer.code == 2
    assert "line 3: time_s 1.5 is before 2" in answer.err


def test_an_empty_stream_is_an_error(stream: Stream) -> None:
    assert "the stream holds no frame" in stream([]).err


def test_ctrl_c_ends_with_the_summary_and_130(stream: Stream, low: list[str]) -> None:
    def interrupted() -> Iterator[str]:
        yield from low[:80]
        raise KeyboardInterrupt

    answer = stream(interrupted(), "--json")
    assert answer.code == 130
    end = events(answer)[-1]
    assert (end["event"], end["interrupted"], end["frames"], end["text"]) == ("end", True, 80, "LOW")
    assert events(answer)[-2]["event"] == "word ended"


def test_slow_and_fast_streams_are_named(stream: Stream, low: list[str]) -> None:
    assert "1.0 frames a second: each was read as a held hand" in stream(low[:20], "--rate", "1").err
    assert "60 frames a second: 30 of them were read" in stream(low[:20], "--rate", "60").err


def test_two_sources_and_a_pictures_rate_are_refused(cli: Cli) -> None:
    assert "two sources" in cli("live", "--camera", "0", "--video", "a.mp4").err
    answer = cli("live", "--video", "a.mp4", "--rate", "30")
    assert (answer.code, "leave out --rate" in answer.err) == (2, True)


def test_a_terminal_has_one_line_that_is_written_over(
    stream: Stream, low: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", "20")
    stream(low)
    shown, _, rest = screen.getvalue().partition("\n")
    turns = [turn.rstrip() for turn in shown.split("\r")]
    assert any(turn.startswith("W   ") and turn.endswith("| LOW") for turn in turns)
    assert turns[-1] == "no hand  | LOW"
    assert max(map(len, shown.split("\r"))) < 20
    assert rest.startswith("text: LOW\n")


def test_a_shorter_line_leaves_nothing_of_the_longer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stdout", screen)
    line = Line()
    assert all(line.show(text) for text in ("abc", "abc", "a"))
    line.leave()
    assert screen.getvalue() == "\rabc\ra  \n"


class OneHand:
    """A tracker that sees the hands that it was given, as a right hand in a picture of another shape does."""

    def __init__(self, takes: list[Any]) -> None:
        self.takes = iter(takes)

    def track(self, picture: Any) -> list[Any]:
        from edgekit.hands import Hand

        values = json.loads(next(self.takes))
        return [] if values is None else [Hand(np.array(values, np.float32).reshape(21, 3), "L", 0.9, 0.9)]


@pytest.fixture
def film(tmp_path: Path) -> Callable[..., Path]:
    pytest.importorskip("cv2", reason="no OpenCV")
    from films import grey, write_film

    return lambda frames, rate=30.0: write_film(tmp_path / "film.mp4", [grey(1)[0]] * frames, rate)


def test_a_video_is_read_through_the_tracker(
    cli: Cli, film: Callable[..., Path], low: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit.hands.HandTracker", lambda num_hands: OneHand(low))
    answer = cli("live", "-m", "shipped", "--video", film(len(low)), "--json")
    assert answer.code == 0, answer.err
    end = events(answer)[-1]
    assert (end["text"], end["with_hand"], end["frames"]) == ("LOW", 90, 130)
    assert end["tracker"]["median_ms"] > 0


def test_a_camera_that_goes_away_leaves_what_was_read(
    cli: Cli, film: Callable[..., Path], low: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from films import FilmCamera

    place = film(100)
    monkeypatch.setattr("edgekit.hands.HandTracker", lambda num_hands: OneHand(low))
    monkeypatch.setattr("edgekit.hands.pictures.open_camera", lambda number: FilmCamera(place))
    monkeypatch.setattr("edgekit.hands.cameras.GONE_AFTER_S", 0.05)
    monkeypatch.setattr("edgekit.jobs.live.clock", lambda: 0.0)
    answer = cli("live", "-m", "shipped", "--camera", "0", "--json")
    assert answer.code == 2
    assert "camera 0: gives no pictures any more" in answer.err
    assert events(answer)[-1]["event"] == "end"


def test_a_video_without_a_hand_says_so_and_is_exit_2(
    cli: Cli, film: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit.hands.HandTracker", lambda num_hands: OneHand(["null"] * 9))
    answer = cli("live", "-m", "shipped", "--video", film(9))
    assert answer.code == 2
    assert "no hand is found in any of 9 frames" in answer.err
    assert "9 frames in 0.3 s, 0 with a hand, 0 letters" in answer.out


def test_a_video_that_is_cut_off_says_so(
    cli: Cli, film: Callable[..., Path], low: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cv2", reason="no OpenCV")
    from films import grey, write_film

    place = film(1).with_name("cut.avi")
    whole = write_film(place, [grey(1)[0]] * 60, 30, "MJPG").read_bytes()
    place.write_bytes(whole[: len(whole) // 2])
    monkeypatch.setattr("edgekit.hands.HandTracker", lambda num_hands: OneHand(low))
    answer = cli("live", "-m", "shipped", "--video", place, "--json")
    end = events(answer)[-1]
    assert 0 < end["frames"] < 60 == end["announced"]
    assert f"ended after {end['frames']} of the 60 frames that it announces" in answer.err


def test_times_in_milliseconds_are_guessed_aloud(stream: Stream, low: list[str]) -> None:
    answer = stream([json.dumps({"landmarks": json.loads(low[k]), "time_s": 33 * k}) for k in range(9)])
    assert "0.03 frames a second (time_s counts seconds): each was read as a held hand" in answer.err
