"""What of recordings synthetic hands can stand for: classes called by a letter, one hand a frame, takes as long."""

from __future__ import annotations

from edgekit.data.hand import HAND_FEATURES
from edgekit.data.length import USUAL_FRAMES
from edgekit.data.recordings import Recordings
from edgekit.data.synthetic.generate import SynthConfig
from edgekit.errors import DataError

#: The longest synthetic take.
MOST_SYNTHETIC_FRAMES = 1000


def as_letter(class_name: str) -> str | None:
    """The letter that a class is called by, in either case; None for another class."""
    name = class_name.upper()
    return name if name in SynthConfig().class_names else None


def takes_like(sequence_length: int) -> SynthConfig:
    """How long hands sign, to last as long as recordings of which `sequence_length` frames are read: where these are
    longer than the synthetic hands' usual 20 to 60 frames cut to 30, for two thirds of them up to all."""
    if sequence_length <= USUAL_FRAMES:
        return SynthConfig()
    frames = min(sequence_length, MOST_SYNTHETIC_FRAMES)
    return SynthConfig(min_frames=2 * frames // 3, max_frames=frames)


def refuse_unlike(said: str, advice: str, recordings: Recordings) -> None:
    """Raises DataError for recordings that synthetic letters of one hand are of no use for. said: what asks for such
    hands, advice: how to do without."""
    if recordings.features != HAND_FEATURES:
        raise DataError(
            f"{said}: synthetic hands have {HAND_FEATURES} numbers per frame, {recordings.source}"
            f" {recordings.features}{' (two hands)' if recordings.features == 2 * HAND_FEATURES else ''}; {advice}"
        )
    if not any(as_letter(name) for name in recordings.class_names):
        some = ", ".join(recordings.class_names[:8]) + (", ..." if recordings.classes > 8 else "")
        raise DataError(
            f"{said}: synthetic hands sign the letters A to Z, and no class of {recordings.source} is called by one"
            f" ({some}); {advice}"
        )
