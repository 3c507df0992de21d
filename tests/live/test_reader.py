"""The reader: frames in, events out; what the model answers is made up here, but for one word by synthetic hands."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.data import SynthConfig, canonical_takes, synthesise_hands
from edgekit.errors import ConfigError, DataError, InputError, ShapeError
from edgekit.evaluate.no_sign import LOST_FRAMES
from edgekit.live import Event, Reader
from edgekit.live.reader import VOTES
from edgekit.shipped import open_box

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Script:
    """Answers as it is told; keeps what it was given."""

    steps = False

    def __init__(self) -> None:
        self.label, self.frames, self.resets, self.shift = "A", [], 0, 0.0  # type: ignore[var-annotated]

    def push(self, frame: Any, resting: int) -> Any:
        self.frames.append(frame)
        return np.where([letter == self.label for letter in LETTERS], 9.0, 0.0).astype(np.float32) + self.shift

    def reset(self) -> None:
        self.resets += 1


def hand(x: float = 0.3) -> np.ndarray:
    points = np.zeros((21, 3), np.float32)
    points[:, 0], points[:, 1] = x, np.linspace(0.8, 0.4, 21)
    return points


def scripted(**settings: Any) -> tuple[Reader, Script]:
    reader, script = Reader(open_box().student, **{"reject": False, **settings}), Script()
    reader._answers = script
    return reader, script


def told(events: Iterable[Event]) -> list[str]:
    return [event.kind if event.label is None else f"{event.kind} {event.label}" for event in events]


def sign(reader: Reader, script: Script, text: str, frames: int = 20) -> list[Event]:
    """A letter a character, the hand moving between; _ for no hand, . for a class that is no letter."""
    events = []
    for k, label in enumerate(text):
        script.label = label
        shown = None if label == "_" else hand(0.3 + 0.2 * (k % 2))
        events += [event for _ in range(frames) for event in reader.read(shown)]
    return events


def test_a_word_from_hand_to_hand() -> None:
    reader, script = scripted()
    events = sign(reader, script, "_AB__")
    assert told(events) == [
        "hand found",
        "letter A",
        "letter ended A",
        "letter B",
        "letter ended B",
        "hand lost",
        "word ended AB",
    ]
    first = events[0]
    assert (first.frame, first.label, first.probability) == (20, None, None)
    assert [event.text for event in events if event.kind == "letter"] == ["A", "AB"]
    lost, ended = events[-2:]
    assert lost.frame == 60 + LOST_FRAMES - 1
    assert ended.time_s - lost.time_s == pytest.approx(0.75, abs=0.04)
    assert reader.text == "AB"


def test_words_have_a_space_between_and_the_end_ends_them() -> None:
    reader, script = scripted()
    sign(reader, script, "AB__B")
    assert (reader.text, reader.now) == ("AB B", ("B", pytest.approx(1, abs=0.01)))
    assert told(reader.end()) == ["letter ended B", "word ended B"]
    assert (reader.end(), reader.text, reader.now) == ([], "AB B", None)


@pytest.mark.parametrize("nothing", [None, [], np.zeros(63), np.zeros((21, 3)), [0] * 63])
def test_no_hand_is_no_error_whatever_says_so(nothing: Any) -> None:
    reader, script = scripted()
    sign(reader, script, "A")
    events = [event for _ in range(LOST_FRAMES) for event in reader.read(nothing)]
    assert told(events) == ["letter ended A", "hand lost"]
    assert not reader.hand
    assert not reader.seen


def test_a_hand_that_is_lost_for_a_moment_is_still_there() -> None:
    reader, script = scripted()
    sign(reader, script, "A")
    events = [event for _ in range(LOST_FRAMES - 1) for event in reader.read(None)] + sign(reader, script, "A")
    assert events == []
    assert reader.text == "A"


def test_a_double_letter_by_a_hand_that_leaves_for_a_moment() -> None:
    reader, script = scripted()
    sign(reader, script, "A")
    for _ in range(LOST_FRAMES + 3):
        reader.read(None)
    sign(reader, script, "A")
    assert reader.text == "AA"


def test_shapes_of_frames_are_the_same_frame() -> None:
    seen = []
    for frame in (hand(), hand().ravel(), hand().tolist(), tuple(hand().ravel().tolist())):
        reader, script = scripted()
        reader.read(frame)
        seen.append(script.frames[0])
    assert all(np.array_equal(one, seen[0]) for one in seen)


def test_hand_and_aspect_reach_the_model_in_canonical_form() -> None:
    reader, script = scripted()
    wide = hand()
    wide[:, 0] = 0.5 + (0.5 - wide[:, 0]) * (4 / 3) / 1.6  # the same hand, mirrored, in a picture of 16:10
    reader.read(wide, hand="R", aspect=1.6)
    assert script.frames[0] == pytest.approx(hand().ravel(), abs=1e-6)


def test_a_tracker_that_changes_its_mind_mirrors_no_single_frame() -> None:
    reader, script = scripted()
    for side in "LLLLLRLLRL":
        reader.read(hand(), hand=side)
    assert all(np.array_equal(frame, script.frames[0]) for frame in script.frames)
    before = script.resets
    for _ in range(VOTES):
        reader.read(hand(), hand="R")
    assert not np.array_equal(script.frames[-1], script.frames[0])
    assert script.resets == before + 1


def test_no_sign_is_no_letter() -> None:
    reader, script = scripted(class_names=["no sign", *LETTERS[1:]])
    assert told(sign(reader, script, "ABA")) == ["hand found", "letter B", "letter ended B"]


@pytest.mark.parametrize(("reject", "expected"), [(True, []), (False, ["letter A"])])
def test_what_the_file_calls_no_sign_is_no_letter(reject: bool, expected: list[str]) -> None:
    """The shipped file's rule asks how large logits are, not how far apart."""
    reader, script = scripted(reject=reject)
    script.shift = -100.0
    assert told(sign(reader, script, "A")) == ["hand found", *expected]


def test_who_says_what_a_sign_is_can_be_replaced() -> None:
    reader, script = scripted(is_sign=lambda outputs, probabilities: probabilities.argmax() != 0)
    assert told(sign(reader, script, "AB")) == ["hand found", "letter B"]
    reader, script = scripted(is_sign=lambda outputs, probabilities: False)
    assert told(sign(reader, script, "AB")) == ["hand found"]


def test_sixty_frames_a_second_are_the_same_signs() -> None:
    reader, script = scripted()
    for k in range(120):
        script.label = "A" if k < 60 else "B"
        reader.read(hand(0.3 if k < 60 else 0.5), time_s=k / 60)
    assert reader.text == "AB"
    assert len(script.frames) in (60, 61)


def test_one_frame_a_second_is_read_as_held() -> None:
    reader, script = scripted()
    events = []
    for k, label in enumerate("_AB__"):
        script.label = label
        events += reader.read(None if label == "_" else hand(0.3 + 0.2 * k), time_s=float(k))
    assert reader.text == "AB"
    assert told(events)[-1] == "word ended AB"


def test_whoever_signs_words_gets_them_with_spaces() -> None:
    names = ["tea", *(f"word {k}" for k in range(25))]
    reader, script = scripted(class_names=names)
    assert told(sign(reader, script, "A")) == ["hand found", "letter tea"]
    script.label = "B"
    for k in range(20):
        reader.read(hand(0.3 + 0.02 * k))  # which moves all the time
    assert reader.text == "tea word 0"


@pytest.mark.parametrize(
    ("frame", "more", "said"),
    [
        ([1, 2], {}, "has 2 numbers; the model reads 63"),
        ("A", {}, "a frame is str"),
        ([[1, 2], [3]], {}, "a frame is list"),
        (np.full(63, np.nan), {}, "NaN"),
        (np.full(63, 1e39), {}, "infinity"),
        (hand(), {"hand": "left"}, "expected L, R or None"),
        (hand(), {"aspect": 0.0}, "width / height, 0.01 to 100"),
        (hand(), {"aspect": 640.0}, "width / height, 0.01 to 100"),
    ],
)
def test_what_is_no_frame_is_one_message(frame: Any, more: dict[str, Any], said: str) -> None:
    with pytest.raises(ShapeError, match=r"frame|hand") as caught:
        scripted()[0].read(frame, **more)
    assert said in str(caught.value)


def test_time_does_not_go_back() -> None:
    reader, _ = scripted()
    reader.read(hand(), time_s=2.0)
    with pytest.raises(DataError, match="frame 1"):
        reader.read(hand(), time_s=1.0)


@pytest.mark.parametrize("wrong", [{"pause_s": 0}, {"pause_s": float("nan")}, {"rate": 0}])
def test_settings_have_their_ranges(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Reader(open_box().student, **wrong)


def test_a_word_by_synthetic_hands_is_read() -> None:
    """The shipped student on people like those that it has learned from: whether all parts fit, no accuracy."""
    hands = synthesise_hands(SynthConfig(people=1, takes_per_letter=2, seed=3))
    x, names = canonical_takes(hands, 30), hands.class_names
    takes = {names[label]: take for take, label in zip(x, hands.labels, strict=True)}
    reader = Reader(open_box().student)
    for letter in "LOW":
        for frame in takes[letter]:
            reader.read(frame)
    reader.end()
    assert reader.text == "LOW"


def test_the_guides_lines_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "live.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    shutil.copy(open_box().student, tmp_path / "model.int8.onnx")
    monkeypatch.chdir(tmp_path)
    exec(block, {"frames": [None, hand(), hand().ravel()]})
    assert capsys.readouterr().out.splitlines()[0] == "hand found None "


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rate": "30"}, "Reader: rate is str; expected a number"),
        ({"pause_s": None}, "Reader: pause_s is NoneType"),
        ({"least": "a"}, "Reader: least is str"),
        ({"thresholds": 3}, "Reader: thresholds is int"),
        ({"runtime": "onnx"}, "Reader: runtime is 'onnx'; expected one of onnxruntime, native"),
    ],
)
def test_settings_of_the_wrong_kind_are_one_message(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        Reader(open_box().student, **settings)


@pytest.mark.parametrize("more", [{"time_s": "1"}, {"time_s": [1]}, {"aspect": "4:3"}])
def test_what_is_known_of_a_frame_is_a_number(more: dict[str, Any]) -> None:
    reader, _ = scripted()
    with pytest.raises(InputError, match=next(iter(more))):
        reader.read(hand(), **more)


def test_a_file_with_a_rule_for_no_sign_has_to_be_less_sure_of_a_letter() -> None:
    """Found on validation words, docs/live.md: the rule keeps idle hands out, so the threshold need not."""
    shipped = open_box().student
    assert Reader(shipped).thresholds.enter == 0.6
    assert Reader(shipped, reject=False).thresholds.enter == Reader(shipped, is_sign=all).thresholds.enter == 0.78
    assert Reader(shipped, least=0.9).thresholds.enter == 0.9
