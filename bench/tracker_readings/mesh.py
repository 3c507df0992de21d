"""A skinned hand in a glTF file, posed by the angles of `edgekit.data.synthetic`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: The mesh's axes to the hand's (x to the thumb, y to the fingers, z out of the palm), for a WebXR right hand at rest.
TO_HAND = np.array([[0, 0, -1], [0, -1, 0], [-1, 0, 0]], dtype=float)
#: WebXR joint of each of MediaPipe's 21 landmarks, and the roots of the fingers' chains.
LANDMARK_JOINTS = [0, 1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 16, 17, 18, 19, 21, 22, 23, 24]
FINGERS = ((6, 7, 8, 9), (11, 12, 13, 14), (16, 17, 18, 19), (21, 22, 23, 24))
THUMB = (1, 2, 3, 4)
#: What the hand's own size is measured to.
MIDDLE_BASE = 11
TYPES = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


def direction(aside: float, lift: float) -> Array:
    """Of a bone, as in `skeleton.hand_landmarks`."""
    return np.array([np.cos(lift) * np.sin(aside), np.cos(lift) * np.cos(aside), np.sin(lift)])


def bone_frame(aside: float, lift: float) -> Array:
    """Rotation (3, 3) of a finger's bone that bends in the plane of its direction."""
    along, side = direction(aside, lift), np.array([np.cos(aside), -np.sin(aside), 0.0])
    return np.stack([side, along, np.cross(side, along)], axis=1)


def shortest_rotation(a: Array, b: Array) -> Array:
    """The rotation (3, 3) that takes a to b and turns about no other axis (Rodrigues)."""
    a, b = unit(a), unit(b)
    x, y, z = np.cross(a, b)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + cross + cross @ cross / (1.0 + a @ b + 1e-9)


def unit(vectors: Array) -> Array:
    """Of length 1."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


class Mesh:
    """joints (25, 3), vertices (n, 3) and normals (n, 3) at rest, in hand sizes; triangles (m, 3); weights (n, 25)."""

    def __init__(self, path: Path):
        raw = path.read_bytes()
        length = int.from_bytes(raw[12:16], "little")
        scene, blob = json.loads(raw[20 : 20 + length]), raw[28 + length :]
        part = scene["meshes"][0]["primitives"][0]
        at = {name: _accessor(scene, blob, k) for name, k in part["attributes"].items()}
        joints = np.array([scene["nodes"][k]["translation"] for k in scene["skins"][0]["joints"]])
        size = 1.0 / np.linalg.norm(joints[MIDDLE_BASE] - joints[0])
        self.joints = (joints - joints[0]) @ TO_HAND.T * size
        self.vertices = (at["POSITION"] - joints[0]) @ TO_HAND.T * size
        self.normals = at["NORMAL"] @ TO_HAND.T
        self.triangles = _accessor(scene, blob, part["indices"]).reshape(-1, 3).astype(int)
        self.weights = np.zeros((len(self.vertices), len(joints)))
        for column in range(4):
            np.add.at(
                self.weights,
                (np.arange(len(self.weights)), at["JOINTS_0"][:, column].astype(int)),
                at["WEIGHTS_0"][:, column],
            )
        self.weights /= self.weights.sum(axis=1, keepdims=True)
        self.rest = [[self._angles(chain[k], chain[k + 1]) for k in range(3)] for chain in FINGERS]

    def _angles(self, joint: int, following: int) -> tuple[float, float]:
        x, y, z = unit(self.joints[following] - self.joints[joint])
        return float(np.arctan2(x, y)), float(np.arcsin(z))

    def posed(
        self, spread: Array, flexion: Array, thumb: Array, growth: Array, flesh: float
    ) -> tuple[Array, Array, Array]:
        """Vertices, normals and landmarks (21, 3). growth (5, 3): of the bones, thumb first; flesh: of what is round
        them."""
        joints, turns = self.joints.copy(), np.tile(np.eye(3), (len(self.joints), 1, 1))
        lengths, axes = np.ones(len(joints)), np.zeros_like(joints)
        lifts = np.cumsum(flexion, axis=1)
        for f, chain in enumerate(FINGERS):
            for k in range(3):
                turn = bone_frame(spread[f], lifts[f, k]) @ bone_frame(*self.rest[f][k]).T
                self._place(joints, turns, lengths, axes, chain[k : k + 2], turn, growth[f + 1, k])
        turn = np.eye(3)
        for k in range(3):
            bone = turn @ (self.joints[THUMB[k + 1]] - self.joints[THUMB[k]])
            turn = shortest_rotation(bone, direction(*thumb[k])) @ turn
            self._place(joints, turns, lengths, axes, THUMB[k : k + 2], turn, growth[0, k])
        return *self._skinned(joints, turns, lengths, axes, flesh), joints[LANDMARK_JOINTS]

    def _place(self, joints: Array, turns: Array, lengths: Array, axes: Array, bone: Any, turn: Array, grown: float):
        """One bone in place; its end takes over its turn, which the next bone overwrites."""
        first, last = bone
        rest = self.joints[last] - self.joints[first]
        joints[last] = joints[first] + turn @ rest * grown
        for joint in bone:
            turns[joint], lengths[joint], axes[joint] = turn, grown, unit(rest)

    def _skinned(self, joints: Array, turns: Array, lengths: Array, axes: Array, flesh: float) -> tuple[Array, Array]:
        """Linear blend skinning."""
        vertices, normals = np.zeros_like(self.vertices), np.zeros_like(self.normals)
        for joint, weight in enumerate(self.weights.T[:, :, None]):
            touched = weight[:, 0] > 0
            around = self.vertices[touched] - self.joints[joint]
            along = (around @ axes[joint])[:, None] * axes[joint]
            around = (around - along) * flesh + along * lengths[joint]
            vertices[touched] += weight[touched] * (around @ turns[joint].T + joints[joint])
            normals[touched] += weight[touched] * (self.normals[touched] @ turns[joint].T)
        return vertices, unit(normals)


def forearm(along: Array, rings: int = 14, sides: int = 16, length: float = 3.0) -> tuple[Array, Array, Array]:
    """A tube from the wrist: vertices, normals, triangles; its rings lie one behind another."""
    along = unit(along)
    side = unit(np.array([1.0, 0.0, 0.0]) - along * along[0])
    up = np.cross(along, side)
    far = np.repeat(np.linspace(-0.05, length, rings), sides)[:, None]
    angle = np.tile(np.linspace(0, 2 * np.pi, sides, endpoint=False), rings)[:, None]
    wide, thick = 0.30 + 0.06 * np.minimum(far, 2), 0.20 + 0.10 * np.minimum(far, 2)
    vertices = along * far + np.cos(angle) * side * wide + np.sin(angle) * up * thick
    normals = unit(np.cos(angle) * side / wide + np.sin(angle) * up / thick)
    one = np.arange((rings - 1) * sides)
    other = one - one % sides + (one + 1) % sides
    triangles = np.concatenate(
        [np.stack([one, other, one + sides], axis=1), np.stack([other, one + sides, other + sides], axis=1)]
    )
    return vertices, normals, triangles


def _accessor(scene: Any, blob: bytes, index: int) -> Array:
    accessor = scene["accessors"][index]
    view = scene["bufferViews"][accessor["bufferView"]]
    if "byteStride" in view:
        raise ValueError("interleaved buffers are not read here")
    width, start = WIDTHS[accessor["type"]], view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    values = np.frombuffer(blob, TYPES[accessor["componentType"]], accessor["count"] * width, start)
    return values.reshape(-1, width).astype(float)
