"""What edgekit comes with: a teacher and its student for the letters of one hand, made by `tools/make_weights.py`"""

from edgekit.shipped.box import (
    CARD,
    CONTENTS,
    FOLDER,
    MODELS,
    STUDENT_FILE,
    TAKES,
    Box,
    is_shipped,
    open_box,
)
from edgekit.shipped.takes import digests_of

__all__ = [
    "CARD",
    "CONTENTS",
    "FOLDER",
    "MODELS",
    "STUDENT_FILE",
    "TAKES",
    "Box",
    "digests_of",
    "is_shipped",
    "open_box",
]
