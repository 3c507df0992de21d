"""How far something is, on stderr: one line that changes on a terminal, and a line every 30 seconds in a log."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from rich.live import Live
from rich.text import Text

from edgekit.cli.progress import SILENCE_S, Stderr, minutes
from edgekit.text import plain

#: Nobody guesses the rest of what has just begun.
GUESSED_AFTER_S = 3.0


class Following:
    """A line about work of known or unknown size; nothing with quiet. Use it in a `with`. clock: returns seconds."""

    def __init__(self, *, quiet: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._quiet = quiet
        self._console = Stderr(stderr=True, highlight=False, soft_wrap=True)
        self._live: Live | None = None
        self._clock = clock
        self._began_s = clock()
        self._spoken_s = self._began_s - SILENCE_S  # the first line of a log comes at once

    def __enter__(self) -> Following:
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def at(self, text: str, share: float | None = None) -> None:
        """text: what is done so far. share: of all the work, in 0 to 1, None where nobody knows."""
        if self._quiet:
            return
        since_s = self._clock() - self._began_s
        line = f"{text}, {left(share, since_s)}" if share and since_s >= GUESSED_AFTER_S else text
        if self._console.is_terminal:
            self._follow(plain(line))
        elif self._clock() - self._spoken_s >= SILENCE_S:
            self.say(line)

    def say(self, text: str) -> None:
        """A line that stays."""
        self._spoken_s = self._clock()
        if not self._quiet:
            with contextlib.suppress(OSError):
                self._console.print(Text(plain(text)))

    def _follow(self, line: str) -> None:
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(Text(line), refresh=True)


def left(share: float, since_s: float) -> str:
    """`about 0:40 left`, if the rest goes as fast as what is done."""
    return f"about {minutes(since_s * (1 - min(share, 1.0)) / share)} left"
