"""The page's thresholds are Python's: two implementations, one set of numbers. The slow parities need a browser's
packages; this needs nothing."""

from __future__ import annotations

import re
from dataclasses import asdict

import pytest

from edgekit.evaluate import no_sign
from edgekit.hands import palms, takes, tracker
from edgekit.live import clock, motion, reader, speller
from edgekit.studio.app import PAGE

#: In the page's modules, and where Python has the same under the same name.
SHARED = [
    ("frames.mjs", "MODEL_RATE", clock),
    ("frames.mjs", "MOST_BETWEEN", clock),
    ("frames.mjs", "MOST_HELD", clock),
    ("frames.mjs", "EARLY", takes),
    ("motion.mjs", "STILL", motion),
    ("motion.mjs", "TRAVELLED", motion),
    ("motion.mjs", "STEPPED", motion),
    ("palms.mjs", "SIDE", palms),
    ("palms.mjs", "SAME_PALM", palms),
    ("reader.mjs", "PAUSE_S", reader),
    ("reader.mjs", "VOTES", reader),
    ("reader.mjs", "LOST_FRAMES", no_sign),
    ("speller.mjs", "RULED_ENTER", speller),
    ("tracker.mjs", "SIDE", tracker),
    ("tracker.mjs", "DEPTH", tracker),
]


def text_of(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("module", "name", "python"), SHARED, ids=lambda given: given if isinstance(given, str) else ""
)
def test_a_number_is_the_same(module: str, name: str, python: object) -> None:
    found = re.findall(rf"\b{name} = ([-\d.e]+)", text_of(module))
    assert [float(value) for value in found] == [float(getattr(python, name))]


def test_the_spellers_thresholds_are_the_same() -> None:
    rules = re.search(r"const RULES = \{(.*?)\};", text_of("speller.mjs"), re.DOTALL)
    assert rules is not None
    found = {
        re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name): float(value)
        for name, value in re.findall(r"(\w+): ([\d.]+)", rules[1])
    }
    usual = asdict(speller.Thresholds())
    assert usual.pop("smooth") == 1, "the page averages nothing"
    assert found == usual


def test_the_letters_that_move_are_the_same() -> None:
    moving = re.search(r"const MOVING = new Map\(\[(.*?)\]\);", text_of("speller.mjs"), re.DOTALL)
    assert moving is not None
    assert dict(re.findall(r'\["(\w)", "(\w)"\]', moving[1])) == dict(speller.MOVING)
