"""A small software renderer: triangles, light, occlusion, and MediaPipe's view of a hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: Side in pixels of the image that the landmark model looks at.
SIDE = 224
#: MediaPipe divides depths by this (hand_landmark_cpu's normalize_z).
DEPTH_NORMALISER = 0.4
SKINS = np.array([[0.95, 0.78, 0.68], [0.87, 0.66, 0.53], [0.76, 0.54, 0.41], [0.58, 0.39, 0.28], [0.4, 0.26, 0.19]])
#: Landmarks that the next crop is laid round.
PALM = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]


@dataclass(frozen=True)
class Crop:
    """Where the model looks: centre (2,) and side in the image, and how far it is rolled, in radians."""

    centre: Array
    side: float
    roll: float

    @classmethod
    def about(cls, points: Array) -> Crop:
        """Round landmarks (21, 2), y down, as MediaPipe's hand_landmarks_to_rect with scale 2.0 and shift -0.1."""
        up = ((points[5] + points[13]) / 2 + points[9]) / 2 - points[0]
        roll = np.pi / 2 - np.arctan2(-up[1], up[0])
        palm = points[PALM]
        centre = (palm.min(axis=0) + palm.max(axis=0)) / 2
        turned = (palm - centre) @ rolled(-roll).T
        low, high = turned.min(axis=0), turned.max(axis=0)
        shift = (low + high) / 2 + np.array([0.0, -0.1 * (high - low)[1]])
        return cls(centre + rolled(roll) @ shift, 2.0 * float((high - low).max()), float(roll))

    def into(self, points: Array) -> Array:
        """Points (n, 2) of the image in pixels of the crop."""
        return (points - self.centre) @ rolled(-self.roll).T * (SIDE / self.side) + SIDE / 2

    def back(self, pixels: Array) -> Array:
        """The other way."""
        return (pixels - SIDE / 2) * (self.side / SIDE) @ rolled(self.roll).T + self.centre


def rolled(angle: float) -> Array:
    """Rotation (2, 2)."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])


@dataclass(frozen=True)
class Scene:
    """Light, skin and what lies behind the hand."""

    skin: Array
    sleeve: Array
    sleeve_start: float
    light: Array
    strength: float
    sky: float
    ambient: float
    occlusion: float
    behind: Array

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Scene:
        """Some room and some skin."""
        skin = SKINS[rng.integers(len(SKINS))] * rng.uniform(0.8, 1.1)
        light = np.array([rng.normal(0, 0.6), -abs(rng.normal(0.6, 0.4)), -1.0])
        return cls(
            skin=skin,
            sleeve=rng.random(3) if rng.random() < 0.5 else skin,
            sleeve_start=rng.uniform(0.05, 1.2),
            light=light / np.linalg.norm(light),
            strength=rng.uniform(0.45, 0.8),
            sky=rng.uniform(0.0, 0.3),
            ambient=rng.uniform(0.15, 0.4),
            occlusion=rng.uniform(0.5, 0.95),
            behind=_patches(rng),
        )

    def shaded(self, colours: Array, normals: Array) -> Array:
        """Colours (n, 3) in this light; normals in the image's axes."""
        bright = np.clip(normals @ self.light, 0, 1) * self.strength
        bright += self.sky * (0.25 - 0.25 * normals[:, 1]) + self.ambient
        return colours * bright[:, None]


def _patches(rng: np.random.Generator) -> Array:
    """Patches of colour, hard or blurred."""
    n = int(rng.integers(2, 7))
    patches = rng.random((n, n, 3))
    at = np.linspace(0, n - 1, SIDE)
    if rng.random() < 0.6:
        low = np.minimum(at.astype(int), n - 2)
        part = (at - low)[:, None, None]
        rows = patches[low] * (1 - part) + patches[low + 1] * part
        part = (at - low)[None, :, None]
        image = rows[:, low] * (1 - part) + rows[:, low + 1] * part
    else:
        image = patches[np.rint(at).astype(int)][:, np.rint(at).astype(int)]
    base = rng.random(3) * rng.uniform(0.1, 0.8)
    return np.clip(0.6 * base + image * rng.uniform(0.05, 0.5), 0, 1)


def draw(points: Array, colours: Array, triangles: Array, scene: Scene, size: float) -> Array:
    """Image (SIDE, SIDE, 3) of vertices (n, 3): pixels x, y, and depth; size: a hand's, in pixels."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    corners = np.stack([a, b, c])[..., :2]
    low = np.maximum(np.ceil(corners.min(axis=0)), 0).astype(int)
    high = np.minimum(np.floor(corners.max(axis=0)), SIDE - 1).astype(int)
    spans = np.where((np.abs(area) > 1e-9)[:, None], np.maximum(high - low + 1, 0), 0)
    counts = spans.prod(axis=1)
    which = np.repeat(np.arange(len(triangles)), counts)
    k = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    x, y = low[which, 0] + k % spans[which, 0], low[which, 1] + k // spans[which, 0]
    a, b, c, area = a[which], b[which], c[which], area[which]
    second = ((x - a[:, 0]) * (c[:, 1] - a[:, 1]) - (y - a[:, 1]) * (c[:, 0] - a[:, 0])) / area
    third = ((b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (b[:, 1] - a[:, 1]) * (x - a[:, 0])) / area
    inside = np.flatnonzero((second >= 0) & (third >= 0) & (second + third <= 1))
    shares = np.stack([1 - second - third, second, third], axis=1)[inside]
    depth = (shares * np.stack([a[inside, 2], b[inside, 2], c[inside, 2]], axis=1)).sum(axis=1)
    order = np.argsort(-depth)  # the nearest is written last
    pixel = (y[inside] * SIDE + x[inside])[order]
    shown = np.einsum("nk,nkc->nc", shares, colours[triangles[which[inside]]])[order]
    image, depths = scene.behind.reshape(-1, 3).copy(), np.full(SIDE * SIDE, np.inf)
    image[pixel], depths[pixel] = shown, depth[order]
    dark = _occluded(depths.reshape(SIDE, SIDE), 0.10 * size, 0.18 * size)
    return image.reshape(SIDE, SIDE, 3) * (1 - scene.occlusion * dark)[..., None]


def _occluded(depth: Array, radius: float, scale: float) -> Array:
    """How much of what surrounds a pixel lies nearer, 0 to 1: a cheap ambient occlusion."""
    solid = np.isfinite(depth)
    total = np.zeros_like(depth)
    padded = np.pad(np.where(solid, depth, 1e9), SIDE // 4, constant_values=1e9)
    pad = SIDE // 4
    for ring in (1, 2, 3):
        for angle in np.arange(16) * np.pi / 8:
            dx, dy = (int(v * radius * ring / 3) for v in (np.cos(angle), np.sin(angle)))
            near = padded[pad + dy : pad + dy + SIDE, pad + dx : pad + dx + SIDE]
            nearer = (np.where(solid, depth, 0) - near) / scale - 0.01 * ring
            total += np.where(nearer > 4, 0.2, np.clip(nearer, 0, 1))
    return np.where(solid, total / 48, 0.0)


class LandmarkModel:
    """MediaPipe's hand landmark network."""

    def __init__(self, path: Path):
        from ai_edge_litert.interpreter import Interpreter

        self._model = Interpreter(str(path), num_threads=1)
        self._model.allocate_tensors()
        self._input = self._model.get_input_details()[0]["index"]
        self._outputs = [detail["index"] for detail in self._model.get_output_details()]

    def __call__(self, image: Array) -> tuple[Array, float]:
        """Landmarks (21, 3) in pixels and the chance that there is a hand."""
        self._model.set_tensor(self._input, np.clip(image, 0, 1)[None].astype(np.float32))
        self._model.invoke()
        landmarks, presence = (self._model.get_tensor(self._outputs[k]) for k in (0, 1))
        return landmarks.reshape(21, 3) * [1, 1, 1 / DEPTH_NORMALISER], float(presence[0, 0])
