"""A stream's lines: what is a frame, what is a lost hand, and what is said of everything else."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgekit.errors import DataError
from edgekit.live import parse_line

FRAME = [k / 63 for k in range(63)]


def test_a_list_is_a_frame() -> None:
    found = parse_line(json.dumps(FRAME), 1, 63)
    assert found.landmarks is not None
    assert found.landmarks.dtype == np.float32
    assert (found.time_s, found.hand, found.aspect) == (None, None, None)


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert parse_line("\ufeffnull", 1, 63).landmarks is None
    with pytest.raises(DataError, match=r"^line 2: "):
        parse_line("\ufeffnull", 2, 63)


@pytest.mark.parametrize("line", ["null", "[]", '{"landmarks": null}', '{"landmarks": [], "time_s": 2}'])
def test_a_lost_hand_is_a_frame_without_one(line: str) -> None:
    assert parse_line(line, 1, 63).landmarks is None


def test_an_object_says_what_is_known() -> None:
    line = json.dumps({"landmarks": FRAME, "time_s": 1.5, "hand": "R", "aspect": 1.78})
    found = parse_line(line, 1, 63)
    assert (found.time_s, found.hand, found.aspect) == (1.5, "R", 1.78)
    assert parse_line(json.dumps({"landmarks": FRAME, "hand": None, "time_s": None}), 1, 63).hand is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[1, 2", "expected a JSON list of 63 numbers"),
        ("[1, 2]", "expected 63 numbers, got 2"),
        ('"A"', "expected a JSON list"),
        ("true", "expected a JSON list"),
        (json.dumps([*FRAME[:62], "0"]), "expected a JSON list"),
        (json.dumps([*FRAME[:62], True]), "expected a JSON list"),
        (json.dumps([*FRAME[:62], 1e39]), "finite in float32"),
        ("[NaN]", "expected a JSON list"),
        ('{"time_s": 1}', "no landmarks"),
        ('{"landmarks": null, "when": 1}', "unknown 'when'"),
        ('{"landmarks": null, "hand": "left"}', "expected L, R or null"),
        ('{"landmarks": null, "aspect": 0}', "aspect is 0; expected width / height, 0.01 to 100"),
        ('{"landmarks": null, "aspect": 640}', "0.01 to 100"),
        (json.dumps({"landmarks": [1e38] * 63, "aspect": 4}), "aspect 4 makes its numbers too large"),
        ('{"landmarks": null, "time_s": "1"}', "time_s is '1'"),
        ('{"landmarks": null, "time_s": true}', "time_s is 'True'"),
    ],
)
def test_everything_else_is_one_message_with_the_lines_number(line: str, said: str) -> None:
    with pytest.raises(DataError, match=r"^line 7: ") as caught:
        parse_line(line, 7, 63)
    assert said in str(caught.value)
