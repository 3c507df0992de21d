"""How far something is, on stderr: a line that changes on a terminal, one every 30 seconds in a log."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from edgekit.cli.following import Following, left


@pytest.fixture
def clock() -> Callable[[], float]:
    times = iter(range(0, 1000, 10))
    return lambda: float(next(times))


def test_a_log_has_a_line_at_once_and_every_30_seconds(
    clock: Callable[[], float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Following(clock=clock) as following:
        for number in range(1, 8):
            following.at(f"video {number}")
    seen = capsys.readouterr().err.splitlines()
    assert seen[0] == "video 1"
    assert 1 < len(seen) < 7


def test_a_terminal_shows_the_time_that_is_left(clock: Callable[[], float], monkeypatch: pytest.MonkeyPatch) -> None:
    following, shown = Following(clock=clock), io.StringIO()
    monkeypatch.setattr(following, "_console", Console(file=shown, force_terminal=True, width=80))
    with following:
        following.at("video 1", 0.25)
    assert "video 1, about 0:30 left" in shown.getvalue()


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Following(quiet=True) as following:
        following.at("video 1", 0.5)
        following.say("done")
    assert capsys.readouterr() == ("", "")


def test_the_rest_goes_as_fast_as_what_is_done() -> None:
    assert left(0.5, 40) == "about 0:40 left"
    assert left(1.5, 40) == "about 0:00 left"
