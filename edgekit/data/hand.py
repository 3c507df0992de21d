"""How 21 hand landmarks lie in a frame's features, and which frames show a hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: Landmarks of one hand, in MediaPipe's order.
LANDMARKS = 21
#: Landmark of the wrist, the origin of every hand.
WRIST = 0
#: Landmark at the base of the middle finger; its distance to the wrist is the hand size.
MIDDLE_BASE = 9
#: Features of one hand: x / image width, y / image height, z in units of image width, per landmark.
HAND_FEATURES = 3 * LANDMARKS

#: Where the hands' numbers stand in frames of whole bodies, by numbers per frame; a MediaPipe face has 468 landmarks,
#: or 478 with irises, a pose 33.
HAND_PARTS: Mapping[int, tuple[slice, ...]] = {
    225: (slice(99, 162), slice(162, 225)),
    258: (slice(132, 195), slice(195, 258)),
    1629: (slice(1404, 1467), slice(1566, 1629)),
    1662: (slice(1536, 1599), slice(1599, 1662)),
    1692: (slice(1566, 1629), slice(1629, 1692)),
}
#: What a frame of so many numbers is taken to hold, in that order, as people call it.
FRAME_PARTS: Mapping[int, str] = {
    HAND_FEATURES: "one hand",
    2 * HAND_FEATURES: "two hands",
    225: "pose, left hand, right hand",
    258: "pose with visibility, left hand, right hand",
    1629: "face, left hand, pose, right hand",
    1662: "pose with visibility, face, left hand, right hand",
    1692: "pose with visibility, face with irises, left hand, right hand",
}

#: Numbers a frame of trackers' outputs; as the frames of every take they tell that frames and numbers are swapped.
FRAME_SIZES = tuple(FRAME_PARTS)

#: No landmark, in pixels or in image widths, is beyond this.
LARGEST_LANDMARK = 1e6
#: Squares of other numbers have to stay finite in float32.
LARGEST_NUMBER = 1e15


def largest_number(features: int) -> float:
    """Beyond what a number is no measurement: 1e6 for landmarks, 1e15 for other features."""
    return LARGEST_LANDMARK if count_hands(features) else LARGEST_NUMBER


def count_hands(features: int) -> int:
    """Hands that `features` numbers hold: 1 for 63, 2 for 126, 0 for any other count."""
    return {HAND_FEATURES: 1, 2 * HAND_FEATURES: 2}.get(features, 0)


def knows_hands(features: int) -> bool:
    """Whether it is known which of a frame's numbers are a hand's: one hand, two, or those in `HAND_PARTS`."""
    return bool(count_hands(features)) or features in HAND_PARTS


def as_hands(x: NDArray[Any]) -> NDArray[Any]:
    """x (takes, time, 63 or 126) as a view (takes, time, hands, landmarks, 3).

    Raises DataError for other feature counts.
    """
    takes, time, features = x.shape
    hands = count_hands(features)
    if not hands:
        raise DataError(
            f"{features} features are not landmarks ({HAND_FEATURES}: one hand, {2 * HAND_FEATURES}: two); "
            "use preprocessing=standard (a setting of `data`; from Python kind 'standard', as choose_kind('auto', ...)"
            " finds)"
        )
    return x.reshape(takes, time, hands, LANDMARKS, 3)


def hands_seen(x: NDArray[Any]) -> Bools:
    """Which hands the tracker found: bool (takes, time, hands) for x (takes, time, 63 or 126).

    A hand whose numbers are all zero was not found.
    """
    takes, time, features = x.shape
    hands = max(count_hands(features), 1)
    seen: Bools = (x.reshape(takes, time, hands, features // hands) != 0).any(axis=3)
    return seen


def frames_with_hand(x: NDArray[Any]) -> Bools:
    """Which frames show a hand: bool (takes, time) for x (takes, time, features).

    A hand whose numbers are all zero was not found. Frames of a whole body (see HAND_PARTS) show one where either hand
    was found, whatever is known of face and pose; where nobody knows which numbers are hands', any that is not zero
    counts.
    """
    parts = HAND_PARTS.get(x.shape[2], (slice(None),))
    seen: Bools = np.logical_or.reduce([(x[..., part] != 0).any(axis=2) for part in parts])
    return seen


def frames_seen(x: NDArray[Any]) -> Bools:
    """Which frames hold anything: bool (takes, time) for x (takes, time, features); all zeros is nothing."""
    seen: Bools = (x != 0).any(axis=2)
    return seen
