"""Progress on stderr: one line a stage, and, on a terminal, one line that follows the epochs."""

from __future__ import annotations

import contextlib
from typing import Any

from rich.console import Console as RichConsole
from rich.live import Live
from rich.text import Text

from edgekit.cli.terminal import plain


class _Stderr(RichConsole):
    """Where nobody reads progress any more, as behind `| head`, the work goes on in silence; rich would end it."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


class Console:
    """The watcher of the command line. Epochs show on a terminal, or everywhere with verbose; nothing with quiet."""

    def __init__(self, *, quiet: bool, verbose: bool) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self.console = _Stderr(stderr=True, highlight=False, soft_wrap=True)
        self.live: Live | None = None
        self.planned: list[dict[str, str]] = []

    def __enter__(self) -> Console:
        return self

    def __exit__(self, *error: object) -> None:
        self._end_live()

    def _end_live(self) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None

    def stage(self, name: str, event: str, detail: str = "") -> None:
        """See `edgekit.pipeline.Watcher`."""
        self._end_live()
        if event in ("plan", "skip"):
            self.planned.append({"stage": name, "event": event, "detail": detail})
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
        if self.verbose:
            self._print(line)
        elif self.console.is_terminal:
            if self.live is None:
                self.live = Live(console=self.console, auto_refresh=False, transient=True)
                self.live.start()
            self.live.update(Text(plain(line)), refresh=True)

    def note(self, text: str) -> None:
        """A line for those who asked for more."""
        if self.verbose and not self.quiet:
            self._print(f"  {text}")

    def _print(self, text: str) -> None:
        """Work goes on where nobody can read of it any more."""
        with contextlib.suppress(OSError):
            self.console.print(Text(plain(text)))


def minutes(seconds: float) -> str:
    """`4:05`."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"
