"""Let MediaPipe look at rendered hands of the synthetic people and store what it reads.

    python bench/tracker_readings/collect.py HAND.glb LANDMARK.tflite READINGS.npz --minutes 10
    python bench/tracker_readings/fit.py READINGS.npz [MORE.npz ...] edgekit/data/synthetic/reading.npz

Once, in an environment that has edgekit and ai-edge-litert. HAND.glb is dist/profiles/generic-hand/right.glb of the npm
package @webxr-input-profiles/assets 1.0.20 (MIT), LANDMARK.tflite is mediapipe/modules/hand_landmark/
hand_landmark_full.tflite of the Python package mediapipe 0.10.14 (Apache 2.0). No recording of a person is used.
--picture draws each variant of each letter with what was read, to be checked by eye.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from mesh import Mesh, forearm
from numpy.typing import NDArray
from render import SIDE, Crop, LandmarkModel, Scene, draw

from edgekit.data.synthetic import letters, motion
from edgekit.data.synthetic.camera import draw_camera, rotations
from edgekit.data.synthetic.person import Pose, draw_person
from edgekit.data.synthetic.skeleton import Bones, hand_landmarks, usual_bones

Array = NDArray[Any]

#: Hand size in the image's pixels before it is cropped.
SIZE = 100.0
LOOKS = 2
J, Z = 9, 25
CLASSES = len(letters.CLASS_NAMES)
#: Of a person's hands, so many are between a letter and a hand at ease.
BETWEEN = 4


def look(
    mesh: Mesh,
    model: LandmarkModel,
    angles: tuple[Array, Array, Array],
    rotation: Array,
    rng: np.random.Generator,
    distance: float = 8.0,
    growth: Array | None = None,
) -> tuple[Array, float, Array, Array]:
    """Landmarks read (21, 3) in hand sizes about the wrist, image axes; presence; the crop's image and its pixels."""
    growth = np.ones((5, 3)) if growth is None else growth
    vertices, normals, joints = mesh.posed(*angles, growth, float(np.exp(rng.normal(0, 0.07))))
    tube, tube_normals, tube_triangles = forearm(np.array([rng.normal(0, 0.15), -1.0, rng.normal(0, 0.25)]))
    triangles = np.concatenate([mesh.triangles, tube_triangles + len(vertices)])
    normals = np.concatenate([normals, tube_normals]) @ rotation.T
    scene = Scene.draw(rng)
    sleeve = np.linspace(-0.05, 3.0, len(tube)) > scene.sleeve_start
    colours = np.concatenate(
        [np.tile(scene.skin, (len(vertices), 1)), np.where(sleeve[:, None], scene.sleeve, scene.skin)]
    )
    shaded = scene.shaded(colours, normals)
    points = _projected(np.concatenate([vertices, tube]) @ rotation.T, distance)
    seen = _projected(joints @ rotation.T, distance)[:, :2]
    seen = seen + rng.normal(0, 2, seen.shape)
    for _ in range(LOOKS):  # the first crop is laid by the joints, the next by what was read, as when tracking
        crop = Crop.about(seen)
        zoom = SIDE / crop.side
        placed = np.column_stack([crop.into(points[:, :2]), points[:, 2] * zoom])
        image = draw(placed, shaded, triangles, scene, SIZE * zoom)
        image = image + rng.normal(0, 0.015, image.shape)
        pixels, presence = model(image)
        seen, depth = crop.back(pixels[:, :2]), pixels[:, 2] / zoom
    read = np.column_stack([seen - seen[0], depth - depth[0]]) / SIZE
    return read, presence, image, pixels


def _projected(points: Array, distance: float) -> Array:
    near = 1.0 / np.maximum(1.0 + points[:, 2] / distance, 0.3)
    return np.column_stack([points[:, :2] * near[:, None], points[:, 2]]) * SIZE


def collect(mesh: Mesh, model: LandmarkModel, output: Path, minutes: float, seed: int) -> None:
    """Person after person, the same way as `generate` makes them, until the time is over."""
    rng = np.random.default_rng(seed)
    usual, rows = usual_bones(), []
    end = time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        person, camera = draw_person(rng), draw_camera(rng)
        label = rng.permutation(np.concatenate([np.arange(CLASSES), rng.integers(0, CLASSES, BETWEEN)]))
        pose = person.on_a_day(rng).at(label).varied("take", rng)
        ease = Pose.of_variants(np.full(len(label), len(letters.VARIANTS) - 1)).varied("person", rng)
        between = np.zeros(len(label), dtype=np.float32)
        between[np.unique(label, return_index=True)[1]] = 1.0
        pose = pose.mixed(ease, (1.0 - between) * rng.random(len(label), dtype=np.float32))
        turn = pose.turn + np.array(camera.turn) + rng.normal(0, 0.05, pose.turn.shape)
        for letter, path in ((J, motion.draw_j), (Z, motion.draw_z)):
            moving = np.flatnonzero(label == letter)
            done = rng.random((len(moving), 1), dtype=np.float32)
            extent = np.exp(rng.normal(0, 0.25, (len(moving), 3))).astype(np.float32)
            turn[moving] += path(motion.Course(done, extent, rng.random(len(moving), dtype=np.float32)))[1][:, 0]
        rotation = rotations(turn.astype(np.float32))
        bones = Bones(usual.bases, person.bones.phalanges, person.bones.thumb)
        growth = np.concatenate([(bones.thumb / usual.thumb)[None], bones.phalanges / usual.phalanges])
        joints = hand_landmarks(pose.spread, pose.flexion, pose.thumb, bones) @ np.swapaxes(rotation, 1, 2)
        joints[..., :2] /= 1.0 + joints[..., 2:] / camera.distance
        for k in range(len(label)):
            angles = (pose.spread[k].astype(float), pose.flexion[k].astype(float), pose.thumb[k].astype(float))
            read, presence, _, _ = look(mesh, model, angles, rotation[k].astype(float), rng, camera.distance, growth)
            rows.append((label[k], presence, camera.distance, *angles, rotation[k], joints[k], read))
    names = ("label", "presence", "distance", "spread", "flexion", "thumb", "rotation", "joints", "read")
    np.savez_compressed(
        output, **{name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    )
    print(f"{len(rows)} hands")


def picture(mesh: Mesh, model: LandmarkModel, output: Path, seed: int) -> None:
    """All variants of all letters, seen as they face, beside what was read."""
    from PIL import Image, ImageDraw

    rng = np.random.default_rng(seed)
    variants = len(letters.VARIANTS) - 1
    sheet = Image.new("RGB", (8 * 2 * SIDE, -(-variants // 8) * SIDE))
    pen = ImageDraw.Draw(sheet)
    for k in range(variants):
        rotation = rotations(letters.TURNS[k]).astype(float)
        _, presence, image, pixels = look(
            mesh, model, (letters.SPREAD[k], letters.FLEXION[k], letters.THUMBS[k]), rotation, rng
        )
        x, y = k % 8 * 2 * SIDE, k // 8 * SIDE
        for step in (0, SIDE):
            sheet.paste(Image.fromarray((255 * np.clip(image, 0, 1)).astype(np.uint8)), (x + step, y))
        at = pixels[:, :2] + [x + SIDE, y]
        for f in range(5):
            chain = np.concatenate([at[:1], at[1 + 4 * f : 5 + 4 * f]])
            pen.line([tuple(point) for point in chain], fill=(255, 0, 0) if f == 0 else (0, 255, 0), width=2)
        pen.text((x + 4, y + 4), f"{letters.CLASS_NAMES[letters.LETTER[k]]} {presence:.2f}", fill=(255, 255, 0))
    sheet.save(output)


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mesh", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--picture", action="store_true")
    options = parser.parse_args()
    mesh, model = Mesh(options.mesh), LandmarkModel(options.model)
    if options.picture:
        picture(mesh, model, options.output, options.seed)
    else:
        collect(mesh, model, options.output, options.minutes, options.seed)


if __name__ == "__main__":
    main()
