// A region of a picture as a network reads it: edgekit/hands/regions.py's `cut`, which is OpenCV's warpAffine there.

import { placed } from "./regions.mjs";

/**
 * picture: {width, height, data} with data RGBA, as getImageData gives it. Returns Float32Array (side, side, 3) in 0 to
 * 1. Outside of the picture is black, or with `replicate` its nearest pixel.
 */
export function cut(picture, region, side, replicate) {
  const made = new Float32Array(side * side * 3);
  const corner = placed(region, [0, 0]);
  const across = step(corner, placed(region, [1, 0]), side);
  const down = step(corner, placed(region, [0, 1]), side);
  for (let v = 0, at = 0; v < side; v++) {
    for (let u = 0; u < side; u++, at += 3) {
      const x = corner[0] + u * across[0] + v * down[0],
        y = corner[1] + u * across[1] + v * down[1];
      sample(picture, x, y, replicate, made, at);
    }
  }
  return made;
}

const step = (from, to, count) => [(to[0] - from[0]) / count, (to[1] - from[1]) / count];

/** Three numbers in 0 to 1, between the four pixels around (x, y). */
function sample({ width, height, data }, x, y, replicate, made, at) {
  let left = Math.floor(x),
    top = Math.floor(y);
  const fx = x - left,
    fy = y - top;
  let right = left + 1,
    bottom = top + 1;
  let a = (1 - fx) * (1 - fy),
    b = fx * (1 - fy),
    c = (1 - fx) * fy,
    d = fx * fy;
  if (left < 0 || top < 0 || right >= width || bottom >= height) {
    if (!replicate) {
      const inside = (i, j) => (i >= 0 && j >= 0 && i < width && j < height ? 1 : 0);
      a *= inside(left, top);
      b *= inside(right, top);
      c *= inside(left, bottom);
      d *= inside(right, bottom);
    }
    left = clamped(left, width);
    right = clamped(right, width);
    top = clamped(top, height);
    bottom = clamped(bottom, height);
  }
  const p = 4 * (top * width + left),
    q = 4 * (top * width + right);
  const r = 4 * (bottom * width + left),
    s = 4 * (bottom * width + right);
  for (let k = 0; k < 3; k++) {
    const value = a * data[p + k] + b * data[q + k] + c * data[r + k] + d * data[s + k];
    made[at + k] = Math.round(value) / 255;
  }
}

const clamped = (index, size) => (index < 0 ? 0 : index >= size ? size - 1 : index);
