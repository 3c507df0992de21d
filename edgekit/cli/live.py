"""edgekit live"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import options as o
from edgekit.cli.common import refuse_given
from edgekit.cli.declaring import command
from edgekit.cli.terminal import Line, complain, say

if TYPE_CHECKING:
    from edgekit.jobs.live import LiveRun, Moment
    from edgekit.live import Reader
    from edgekit.runtime import Runtime


@command(
    o.LIVE_CAMERA,
    o.VIDEO,
    o.MODEL,
    o.RUNTIME.saying(
        "native: --model is a library of `edgekit compile`, or a folder with one [native in the work directory]."
    ),
    o.CLASS_NAMES,
    o.LEAST,
    o.PAUSE,
    o.NO_REJECT,
    o.RATE.saying("Frames a second of lines that hold no time_s [30]."),
    o.WORKDIR.saying("Where to find the model if none is named: its step model, else the file for the device."),
    o.JSON.saying("A line of JSON an event on stdout, and one at the end."),
)
def live(
    camera: int | None,
    video: Path | None,
    model: Path | None,
    runtime: Runtime,
    class_names: str | None,
    least: float | None,
    pause: float | None,
    no_reject: bool,
    rate: float | None,
    workdir: Path,
    as_json: bool,
) -> int:
    """Letters and words as they are signed, each written once.

    From a camera or a video by the hand tracker (`edgekit hands setup` makes it), or from stdin, where a
    program writes one frame per line: a JSON list of 63 numbers, null where it sees no hand, or an object with such a
    list as "landmarks" and what is known of "time_s", "hand" (L or R) and "aspect".

    A terminal shows the letter now and the text so far, a file or a pipe a line an event. At the end: the text, and how
    long tracker and classifier take. Ctrl-C ends it, with exit code 130. Where no frame shows a hand, the exit code
    is 2.

    \b
    Example:
      edgekit live --camera 0
      edgekit live --video film.mp4 --json
      tracker-program | edgekit live
    """
    from edgekit.evaluate import parse_class_names
    from edgekit.jobs import find_live_model
    from edgekit.predict import naming_note

    if camera is not None and video is not None:
        raise click.UsageError("--camera and --video are two sources; give one")
    if model is not None:
        refuse_given({"workdir"}, "--model names the file")
    if camera is not None or video is not None:
        refuse_given({"rate"}, "pictures have their own times")
    names = parse_class_names(class_names)
    path, box = find_live_model(workdir, model, runtime)
    notes = (None if box is None else box.note(workdir), naming_note(path, names, runtime))
    asked = {"class_names": names, "rate": rate, "pause_s": pause, "least": least}
    reader = _reader(path, runtime=runtime, reject=not no_reject, **asked)
    _tell([note for note in notes if note is not None])
    with _opened(reader, camera if camera is not None else video) as run:
        return _follow(run, as_json)


def _reader(path: Path, **settings: Any) -> Reader:
    """With the settings that were given."""
    from edgekit.live import Reader

    return Reader(path, **{name: value for name, value in settings.items() if value is not None})


@contextlib.contextmanager
def _opened(reader: Reader, source: Path | int | None) -> Iterator[LiveRun]:
    from edgekit.jobs import open_lines, open_source

    if source is not None:
        with open_source(reader, source) as run:
            yield run
        return
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    yield open_lines(reader, sys.stdin)


def _follow(run: LiveRun, as_json: bool) -> int:
    """Shows what happens until the frames end, somebody ends them, or nobody reads on. Returns the exit code. A camera
    that goes away and a broken line come after what was read before them."""
    from edgekit.errors import EdgekitError, InterruptedRunError

    screen, ended = _Screen(as_json), None
    try:
        for moment in run:
            if not screen.show(moment):
                return 0
    except (KeyboardInterrupt, EdgekitError) as error:
        ended = error
        screen.show(run.end())
    finally:
        screen.line.leave()
    if isinstance(ended, EdgekitError) and not run.result().frames:
        raise ended
    _close(run, as_json, ended is not None)
    if isinstance(ended, EdgekitError):
        raise ended
    return 0 if ended is None else InterruptedRunError.exit_code


class _Screen:
    """Where moments go: lines of JSON, one line of a terminal, or a log."""

    def __init__(self, as_json: bool) -> None:
        self.line, self._json = Line(), as_json

    def show(self, moment: Moment) -> bool:
        """False when nobody reads it any more."""
        from edgekit.artifacts import json_text
        from edgekit.report import event_text, now_text

        if self.line.works and not self._json:
            return self.line.show(now_text(moment.now, moment.hand, moment.text, self.line.width))
        return all(say(json_text(event.to_dict()) if self._json else event_text(event)) for event in moment.events)


def _close(run: LiveRun, as_json: bool, interrupted: bool) -> None:
    """The summary, and notes. Raises DataError where no frame shows a hand."""
    from edgekit.artifacts import json_text
    from edgekit.jobs import refuse_handless
    from edgekit.report import live_notes, live_text

    result = run.result(interrupted)
    say(json_text(result.to_dict()) if as_json else live_text(result))
    refuse_handless(result)
    _tell(live_notes(result))


def _tell(notes: list[str]) -> None:
    for note in notes:
        complain(f"edgekit: note: {note}")
