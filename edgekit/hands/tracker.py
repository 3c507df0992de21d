"""The hand tracker: pictures in, landmarks out. Finds palms while it follows too few hands, follows those it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import InputError, ShapeError
from edgekit.hands.networks import HAND, PALM, find_network
from edgekit.hands.opencv import opencv
from edgekit.hands.palms import find_palms
from edgekit.hands.regions import Region, around_hand, cut
from edgekit.reading import StrPath

SIDE = 224
DEPTH = 0.4  # what MediaPipe divides z by
SAME_HAND = 0.5
LARGEST = 32_000  # pixels a side: OpenCV's limit for what it warps is 32,767


@dataclass(frozen=True, eq=False)
class Hand:
    """One hand in one picture.

    landmarks: float32 (21, 3), in MediaPipe's order: x in 0 to 1 of the picture's width, y of its height, z in widths,
    0 about at the wrist. They may lie outside of the picture.
    label: L or R as MediaPipe says it, which takes every picture for a mirrored one: a right hand in a webcam is L.
    score: how sure the label is, 0.5 to 1. presence: how sure it is that there is a hand, 0 to 1.
    """

    landmarks: NDArray[np.float32]
    label: str
    score: float
    presence: float


class HandTracker:
    """Follows hands from picture to picture; needs the networks (`edgekit hands setup`) and OpenCV.

    num_hands: 1 or 2, how many to follow. threads: ONNX Runtime's, of one run. least_palm, least_presence: scores from
    which on a palm and a hand count, in 0 to 1. folder: of the networks, by default the cache. Not for use from several
    threads at once. Raises InputError, ModelFileError or MissingExtraError.
    """

    def __init__(
        self,
        num_hands: int = 1,
        *,
        threads: int = 1,
        least_palm: float = 0.5,
        least_presence: float = 0.5,
        folder: StrPath | None = None,
    ) -> None:
        _check(num_hands, threads, (least_palm, least_presence))
        opencv("the hand tracker")
        self.num_hands, self.least_palm, self.least_presence = num_hands, least_palm, least_presence
        self._palms, self._hands = (_session(find_network(network, folder), threads) for network in (PALM, HAND))
        self._shape: tuple[int, ...] = ()
        self._regions: list[Region] = []

    def reset(self) -> None:
        """Forget the hands that are followed: the next picture is not from the same scene."""
        self._regions = []

    def track(self, picture: NDArray[np.uint8]) -> list[Hand]:
        """The hands in a picture, uint8 (height, width, 3), red first; none is an empty list.

        Those followed longest come first. Raises ShapeError for any other array. A picture of another size starts anew.
        """
        _check_picture(picture)
        if picture.shape != self._shape:
            self._shape, self._regions = picture.shape, []
        picture = np.ascontiguousarray(picture)
        regions = self._regions
        if len(regions) < self.num_hands:
            regions = distinct([*regions, *find_palms(self._palms, picture, self.least_palm)])[: self.num_hands]
        read = [self._read(picture, region) for region in regions]
        found = [(hand, after) for hand, after in read if hand.presence > self.least_presence and after.side > 1]
        self._regions = distinct([after for _, after in found])
        return [hand for hand, after in found if any(after is kept for kept in self._regions)]

    def _read(self, picture: NDArray[np.uint8], region: Region) -> tuple[Hand, Region]:
        """The hand in a region, whether there or not, and the region to look in next."""
        told = self._hands.run(["landmarks", "presence", "handedness"], {"picture": cut(picture, region, SIDE, True)})
        inside = told[0].reshape(21, 3).astype(np.float64) / SIDE
        pixels = region.points(inside[:, :2])
        height, width = picture.shape[:2]
        landmarks = np.column_stack([pixels / [width, height], inside[:, 2] / DEPTH * region.side / width])
        first = float(told[2].ravel()[0])
        label, score = ("L", first) if first > 0.5 else ("R", 1 - first)
        hand = Hand(landmarks.astype(np.float32), label, score, float(told[1].ravel()[0]))
        return hand, around_hand(pixels)


def distinct(regions: Sequence[Region]) -> list[Region]:
    """Without those that are about where an earlier one is."""
    kept: list[Region] = []
    for region in regions:
        if all(region.overlap(other) <= SAME_HAND for other in kept):
            kept.append(region)
    return kept


def _session(path: StrPath, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _check(num_hands: int, threads: int, scores: Sequence[float]) -> None:
    if num_hands not in (1, 2):
        raise InputError(f"HandTracker: num_hands is {num_hands!r}; expected 1 or 2")
    if not isinstance(threads, int) or not 1 <= threads <= 1024:
        raise InputError(f"HandTracker: threads is {threads!r}; expected a whole number from 1 to 1024")
    for score in scores:
        if not 0 <= score <= 1:
            raise InputError(f"HandTracker: a least score is {score!r}; expected 0 to 1")


def _check_picture(picture: Any) -> None:
    """Raises ShapeError unless it is a picture that can be read."""
    if not isinstance(picture, np.ndarray):
        raise ShapeError(f"the picture is {type(picture).__name__}; expected a numpy array, uint8 (height, width, 3)")
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ShapeError(
            f"the picture is {picture.dtype} {picture.shape}; expected uint8 (height, width, 3), red first"
        )
    if not all(1 <= side <= LARGEST for side in picture.shape[:2]):
        raise ShapeError(
            f"the picture has {picture.shape[0]} rows of {picture.shape[1]}; expected 1 to {LARGEST:,} of each"
        )
