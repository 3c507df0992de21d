"""Where palms are in a picture: the detection network's boxes decoded and merged, as MediaPipe's graphs do it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.hands.regions import Points, Region, around_palm, cut, whole

SIDE = 192
SAME_PALM = 0.3
#: (cells along a side, anchors a cell) of the network's two grids.
GRIDS = ((24, 2), (12, 6))


def anchors() -> Points:
    """The anchors' centres in 0 to 1, (2016, 2), in the order of the network's rows."""
    parts = []
    for cells, each in GRIDS:
        y, x = np.mgrid[:cells, :cells]
        centres = (np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) / cells
        parts.append(np.repeat(centres, each, axis=0))
    return np.concatenate(parts)


ANCHORS = anchors()


def find_palms(session: Any, picture: NDArray[np.uint8], least: float) -> list[Region]:
    """Regions to look for hands in, the surest first. least: score from which on a palm counts, in 0 to 1."""
    square = whole(*picture.shape[:2])
    boxes, scores = session.run(["boxes", "scores"], {"picture": cut(picture, square, SIDE, replicate=False)})
    found = merged(*decoded(boxes[0], scores[0, :, 0], least))
    corner = square.centre - square.side / 2
    regions = []
    for palm in found * square.side:
        points = palm[4:].reshape(7, 2) + corner
        regions.append(around_palm(np.concatenate([palm[:2] + corner, palm[2:4]]), points))
    return [region for region in regions if region.side > 1]


def decoded(boxes: NDArray[np.float32], scores: NDArray[np.float32], least: float) -> tuple[Points, Points]:
    """Palms (n, 18) in 0 to 1 of the square - centre, size, seven points - and their scores (n,), the surest first."""
    sure = 1 / (1 + np.exp(-np.clip(scores.astype(np.float64), -100, 100)))
    kept = np.flatnonzero(sure > least)
    kept = kept[np.argsort(-sure[kept], kind="stable")]
    palms = boxes[kept].astype(np.float64) / SIDE
    palms[:, :2] += ANCHORS[kept]
    palms[:, 4:] += np.tile(ANCHORS[kept], 7)
    return palms, sure[kept]


def merged(palms: Points, scores: Points) -> Points:
    """One row a palm: the mean, weighted by score, of all boxes that overlap the surest one (weighted suppression)."""
    rows = []
    while len(palms):
        same = _overlaps(palms) > SAME_PALM
        same[0] = True
        rows.append(np.average(palms[same], axis=0, weights=scores[same]))
        palms, scores = palms[~same], scores[~same]
    return np.array(rows).reshape(-1, 18)


def _overlaps(palms: Points) -> Points:
    """Intersection over union of the first box with every box."""
    low, high = palms[:, :2] - palms[:, 2:4] / 2, palms[:, :2] + palms[:, 2:4] / 2
    shared = np.maximum(np.minimum(high, high[0]) - np.maximum(low, low[0]), 0).prod(axis=1)
    areas = palms[:, 2:4].prod(axis=1)
    return np.asarray(shared / np.maximum(areas + areas[0] - shared, 1e-12))
