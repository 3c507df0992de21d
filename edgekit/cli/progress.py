"""Progress on stderr: one line a stage, one line that follows the epochs on a terminal, and signs of life in a log."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console as RichConsole
from rich.live import Live
from rich.text import Text

from edgekit.text import plain

#: Nobody waits longer than this for a line while something is being made.
SILENCE_S = 30.0
#: How often a thread looks whether somebody does.
LOOKS_EVERY_S = 1.0


class Stderr(RichConsole):
    """Where nobody reads progress any more, as behind `| head`, the work goes on in silence; rich would end it."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


class Console:
    """The watcher of the command line; nothing is shown with quiet.

    Epochs show on a terminal, or everywhere with verbose; else one that ends after 30 silent seconds does. Where a
    stage has said nothing for so long, a thread says that it is alive. command: what to call what goes on outside of
    stages, such as a bench; without it nothing is said of that. clock: returns seconds.
    """

    def __init__(
        self, *, quiet: bool, verbose: bool = False, command: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self.console = Stderr(stderr=True, highlight=False, soft_wrap=True)
        self.live: Live | None = None
        self.planned: list[dict[str, str]] = []
        self._clock = clock
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="edgekit-progress", daemon=True)
        self._command = (command, clock()) if command else None
        self._stage: tuple[str, float] | None = None
        self._epoch = ""
        self._spoken_s = clock()

    def __enter__(self) -> Console:
        if not self.quiet:
            self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        self._end_live()

    def _end_live(self) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None

    def stage(self, name: str, event: str, detail: str = "") -> None:
        """See `edgekit.workdir.Watcher`."""
        with self._lock:
            self._end_live()
            if event in ("plan", "skip"):
                self.planned.append({"stage": name, "event": event, "detail": detail})
            if event in ("start", "done"):
                self._stage, self._epoch = ((name, self._clock()) if event == "start" else None), ""
            marks = {"start": "> ", "done": "  done in ", "skip": "= ", "plan": "? ", "note": "note: ", "trial": "  "}
            if not self.quiet:
                text = f"{marks[event]}{detail}" if event in ("done", "trial") else f"{marks[event]}{name}: {detail}"
                self._print(text)

    def epoch(self, stage: str, epoch: Any) -> None:
        """Loss, accuracies and the time left after an epoch."""
        if self.quiet:
            return
        line = (
            f"  {stage} epoch {epoch.epoch}/{epoch.epochs}  loss {epoch.loss:.3f}  accuracy {epoch.accuracy:.3f}"
            f"  val {epoch.val_accuracy:.3f}  left {minutes(epoch.left_s)}"
        )
        with self._lock:
            self._epoch = f", epoch {epoch.epoch} of {epoch.epochs} done, about {minutes(epoch.left_s)} left"
            if self.verbose:
                self._print(line)
            elif self.console.is_terminal:
                self._follow(line)
            elif self._silent():
                self._print(line)

    def note(self, text: str) -> None:
        """A line for those who asked for more."""
        if self.verbose and not self.quiet:
            with self._lock:
                self._print(f"  {text}")

    def sign_of_life(self) -> None:
        """One line where a stage, or the command outside of stages, has been silent for too long."""
        with self._lock:
            at_work = self._stage or self._command
            if self.quiet or at_work is None or not self._silent():
                return
            name, started_s = at_work
            line = f"  {name}: {minutes(self._clock() - started_s)} so far{self._epoch}"
            if self.console.is_terminal:
                self._follow(line)
            else:
                self._print(line)

    def _watch(self) -> None:
        while not self._over.wait(LOOKS_EVERY_S):
            self.sign_of_life()

    def _silent(self) -> bool:
        return self._clock() - self._spoken_s >= SILENCE_S

    def _follow(self, line: str) -> None:
        """The one line at the bottom of a terminal."""
        self._spoken_s = self._clock()
        if self.live is None:
            self.live = Live(console=self.console, auto_refresh=False, transient=True)
            self.live.start()
        self.live.update(Text(plain(line)), refresh=True)

    def _print(self, text: str) -> None:
        """Work goes on where nobody can read of it any more."""
        self._spoken_s = self._clock()
        with contextlib.suppress(OSError):
            self.console.print(Text(plain(text)))


def alive(command: str, quiet: bool = False) -> Console:
    """For a command without stages: inside it a line says every 30 s that it is still at work."""
    return Console(quiet=quiet, command=command)


def minutes(seconds: float) -> str:
    """`4:05`."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"
