"""What a person should know about recordings that can be used all the same, each with its places."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

#: Places that text shows; JSON has all that were kept.
SHOWN_PLACES = 3
#: Places that are kept of one remark: one a take, of so many takes.
KEPT_PLACES = 1000


@dataclass(frozen=True)
class Remark:
    """One thing that was found while recordings were read, or about their names and shapes.

    kind: "layout" (how a table was understood), "labels" (in another form than numbers), "rounded" (numbers that
    float32 can't hold), "left out" (what the source holds and recordings don't), "frame numbers" (which recordings
    never hold), "steps" and "gaps" between them, "order" (of frames), "shape", "names", "picture" (said of it, and not
    used).
    text: a sentence without places. places: file, line, take or frame, in words. takes: indices. short: for training's
    one line; empty where it does not matter there. doubtful: a warning, else a note. refused: why training refuses the
    recordings; empty where it does not.
    """

    kind: str
    text: str
    places: tuple[str, ...] = ()
    takes: tuple[int, ...] = ()
    short: str = ""
    doubtful: bool = False
    refused: str = ""

    def sentence(self) -> str:
        """The text with its first places."""
        return f"{self.text}: {self._places()}" if self.places else self.text

    def refusal(self) -> str:
        """Why training refuses it, with the first places."""
        return f"{self.refused}: {self._places()}" if self.places else self.refused

    def _places(self) -> str:
        """The first ones, and how many more there are; --json lists as many as were kept."""
        all_of_them = len(self.takes) if len(self.places) == KEPT_PLACES else len(self.places)
        rest = max(all_of_them, len(self.places)) - SHOWN_PLACES
        return "; ".join(self.places[:SHOWN_PLACES]) + (f"; and {rest:,} more (see --json)" if rest > 0 else "")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "places": list(self.places), "takes": list(self.takes)}


def kept(places: Iterable[str]) -> tuple[str, ...]:
    """The places that a remark keeps: the first KEPT_PLACES."""
    return tuple(place for place, _ in zip(places, range(KEPT_PLACES), strict=False))


def counted(count: int, one: str, more: str = "") -> str:
    """`1 take`, `3 takes`."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"
