"""Where a person reads and answers while takes are recorded: a window with the picture, or lines of text."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgekit.cli.terminal import complain

if TYPE_CHECKING:
    from edgekit.hands import Hand, Picture
    from edgekit.jobs.record import Look

#: What a line of text means; what is empty is Enter.
WORDS: Mapping[str, str] = {"": "go", "x": "throw", "s": "skip", "q": "quit"}
#: What a key means: Enter, space and Esc, too.
KEYS: Mapping[int, str] = {
    **dict.fromkeys((13, 10, 32), "go"),
    **dict.fromkeys((ord("q"), 27), "quit"),
    ord("x"): "throw",
    ord("s"): "skip",
}
TITLE = "edgekit record"
#: Milliseconds that a window has for itself between two pictures.
PAUSE_MS = 1


class TextScreen:
    """Lines on stderr, answers as lines on stdin, whose end is `q`."""

    draws = False

    def __init__(self, read: Callable[[], str] | None = None) -> None:
        lines = iter(sys.stdin)
        self._read = read or (lambda: next(lines, ""))
        self._shown = ""

    def ask(self, text: str, allowed: Sequence[str], look: Look) -> str:
        """Asks until the answer is one of them."""
        while True:
            complain(text)
            line = self._read()
            answer = WORDS.get(line.strip().lower(), "") if line else "quit"
            if answer in allowed:
                return answer
            complain(f"  '{line.strip()[:40]}' is none of these")

    def show(self, picture: Picture, hands: Sequence[Hand], text: str) -> None:
        """Each text once."""
        if text != self._shown:
            self._shown = text
            complain(f"  {text}")

    def tell(self, text: str) -> None:
        """A line."""
        complain(text)


class WindowScreen:
    """A window of OpenCV's; keys are pressed in it. cv2: the module, whose build has windows."""

    draws = True

    def __init__(self, cv2: Any) -> None:
        self._cv2 = cv2
        cv2.namedWindow(TITLE)

    def ask(self, text: str, allowed: Sequence[str], look: Look) -> str:
        """Shows pictures until one of the keys is pressed, or the window closed, which is `q`."""
        while True:
            self.show(*look(), text)
            answer = KEYS.get(self._cv2.waitKey(PAUSE_MS) & 0xFF, "")
            if answer in allowed:
                return answer
            if self._cv2.getWindowProperty(TITLE, self._cv2.WND_PROP_VISIBLE) < 1:
                return "quit"

    def show(self, picture: Picture, hands: Sequence[Hand], text: str) -> None:
        """The picture with its hands and the text."""
        from edgekit.hands.drawing import draw_hands

        self._cv2.imshow(TITLE, draw_hands(picture.pixels, hands, text)[:, :, ::-1])
        self._cv2.waitKey(PAUSE_MS)

    def tell(self, text: str) -> None:
        """A line on stderr."""
        complain(text)


def choose_screen(text: bool) -> TextScreen | WindowScreen:
    """A window where there can be one, unless text is wanted; else why there is none is said, and lines are read."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    if text:
        return TextScreen()
    from edgekit.hands.opencv import opencv

    cv2 = opencv("edgekit record")
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        reason = "there is no display"
    else:
        try:
            return WindowScreen(cv2)
        except cv2.error:
            reason = "this OpenCV has no windows (`pip uninstall opencv-python-headless`, `pip install opencv-python`)"
    complain(f"edgekit: note: without a window, because {reason}: answer with lines of text")
    return TextScreen()
