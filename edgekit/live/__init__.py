"""From frames to letters that appear once and stay: numpy and a model file, for a camera's pace and any other"""

from edgekit.data.lines import Frame, parse_line
from edgekit.live.decisions import Decision, FileRule
from edgekit.live.events import Event, EventKind
from edgekit.live.reader import PAUSE_S, Reader
from edgekit.live.speller import Thresholds

__all__ = [
    "PAUSE_S",
    "Decision",
    "Event",
    "EventKind",
    "FileRule",
    "Frame",
    "Reader",
    "Thresholds",
    "parse_line",
]
