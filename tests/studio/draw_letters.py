"""Draws letters.jpg, the hands that the browser tests hold in front of the camera:

    PYTHONPATH=bench/tracker_readings python tests/studio/draw_letters.py right.glb tests/studio/letters.jpg

right.glb is dist/profiles/generic-hand/right.glb of the npm package @webxr-input-profiles/assets 1.0.19 (MIT). Of each
letter that holds still the first way in which edgekit's synthetic people sign it, whether a model reads it or not.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import render  # type: ignore[import-not-found]
from mesh import Mesh, forearm  # type: ignore[import-not-found]

from edgekit.data.synthetic import letters
from edgekit.data.synthetic.camera import rotations

LETTERS, COLUMNS = "ABCDEFGHIKLMNOPQRSTUVWXY", 6
HAND_PX, DISTANCE = 130.0, 8.0


def scene_of(rng: np.random.Generator) -> Any:
    light = np.array([0.3, -0.6, -1.0])
    chosen = {
        "skin": render.SKINS[1],
        "sleeve": np.array([0.2, 0.25, 0.5]),
        "sleeve_start": 0.5,
        "light": light / np.linalg.norm(light),
        "strength": 0.6,
        "sky": 0.15,
        "ambient": 0.3,
        "occlusion": 0.8,
    }
    return render.Scene(**{**vars(render.Scene.draw(rng)), **chosen})


def draw(mesh: Any, scene: Any, variant: int, rng: np.random.Generator) -> Any:
    """uint8 (480, 640, 3), red first."""
    tube, tube_normals, tube_triangles = forearm(np.array([0.05, -1.0, 0.1]))
    triangles = np.concatenate([mesh.triangles, tube_triangles + len(mesh.vertices)])
    angles = (letters.SPREAD[variant], letters.FLEXION[variant], letters.THUMBS[variant])
    vertices, normals, _ = mesh.posed(*(angle.astype(float) for angle in angles), np.ones((5, 3)), 1.0)
    turn = rotations(letters.TURNS[variant]).astype(float)
    sleeve = np.linspace(-0.05, 3, len(tube)) > scene.sleeve_start
    arm = np.where(sleeve[:, None], scene.sleeve, scene.skin)
    colours = np.concatenate([np.tile(scene.skin, (len(vertices), 1)), arm])
    points = np.concatenate([vertices, tube]) @ turn.T
    near = 1 / np.maximum(1 + points[:, 2] / DISTANCE, 0.3)
    placed = np.column_stack([points[:, :2] * near[:, None], points[:, 2]]) * HAND_PX + [240, 330, 0]
    shaded = scene.shaded(colours, np.concatenate([normals, tube_normals]) @ turn.T)
    picture = render.draw(placed, shaded, triangles, scene, HAND_PX)
    picture = np.pad(picture + rng.normal(0, 0.01, picture.shape), ((0, 0), (80, 80), (0, 0)), mode="edge")
    return (255 * np.clip(picture, 0, 1)).astype(np.uint8)


def main(mesh_file: str, target: str) -> None:
    render.SIDE = 480
    mesh, rng = Mesh(Path(mesh_file)), np.random.default_rng(3)
    scene, tiles = scene_of(rng), []
    for letter in LETTERS:
        wanted = letters.CLASS_NAMES.index(letter)
        variant = next(k for k, found in enumerate(letters.LETTER) if found == wanted)
        picture = draw(mesh, scene, variant, rng)
        tiles.append(cv2.resize(picture[:, :, ::-1], (320, 240), interpolation=cv2.INTER_AREA))
    rows = [np.hstack(tiles[k : k + COLUMNS]) for k in range(0, len(tiles), COLUMNS)]
    cv2.imwrite(target, np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 90])


if __name__ == "__main__":
    main(*sys.argv[1:])
