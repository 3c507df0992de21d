// Where palms are in a picture: the detection network's boxes decoded and merged. edgekit/hands/palms.py in JavaScript.

import { cut } from "./pixels.mjs";
import { aroundPalm, wholePicture } from "./regions.mjs";

const SIDE = 192,
  SAME_PALM = 0.3,
  VALUES = 18;
//: [cells along a side, anchors a cell] of the network's two grids.
const GRIDS = [
  [24, 2],
  [12, 6],
];

/** The anchors' centres in 0 to 1, [x, y] each, in the order of the network's rows. */
function anchors() {
  const centres = [];
  for (const [cells, each] of GRIDS) {
    for (let y = 0; y < cells; y++) {
      for (let x = 0; x < cells; x++) {
        for (let k = 0; k < each; k++) centres.push([(x + 0.5) / cells, (y + 0.5) / cells]);
      }
    }
  }
  return centres;
}

const ANCHORS = anchors();

/** The surest palm's region, or null. run: Float32Array of a picture to {boxes, scores}. */
export async function findPalm(run, picture, least) {
  const square = wholePicture(picture.width, picture.height);
  const { boxes, scores } = await run(cut(picture, square, SIDE, false), SIDE);
  const palm = merged(decoded(boxes, scores, least));
  if (palm === null) return null;
  const x = square.x - square.side / 2,
    y = square.y - square.side / 2,
    size = square.side;
  const points = Array.from({ length: 7 }, (_, k) => [palm[4 + 2 * k] * size + x, palm[5 + 2 * k] * size + y]);
  const box = { x: palm[0] * size + x, y: palm[1] * size + y, width: palm[2] * size, height: palm[3] * size };
  const region = aroundPalm(box, points);
  return region.side > 1 ? region : null;
}

/** [{score, palm}], the surest first; palm: 18 numbers in 0 to 1 of the square, centre, size and seven points. */
export function decoded(boxes, scores, least) {
  const found = [];
  for (let row = 0; row < ANCHORS.length; row++) {
    const score = 1 / (1 + Math.exp(-Math.min(Math.max(scores[row], -100), 100)));
    if (score > least) found.push({ score, palm: placedAt(boxes, row) });
  }
  return found.sort((a, b) => b.score - a.score);
}

function placedAt(boxes, row) {
  const palm = Array.from(boxes.subarray(row * VALUES, (row + 1) * VALUES), (value) => value / SIDE);
  for (let k = 0; k < VALUES; k++) {
    if (k < 2 || k > 3) palm[k] += ANCHORS[row][k % 2];
  }
  return palm;
}

/** The mean, weighted by score, of all boxes that overlap the surest one; null without any. */
export function merged(found) {
  if (!found.length) return null;
  const same = found.filter((each, k) => k === 0 || overlap(found[0].palm, each.palm) > SAME_PALM);
  const weight = same.reduce((sum, each) => sum + each.score, 0);
  return found[0].palm.map((_, k) => same.reduce((sum, each) => sum + each.score * each.palm[k], 0) / weight);
}

/** Intersection over union of two boxes. */
function overlap(a, b) {
  const shared = [0, 1].map((k) => {
    const low = Math.max(a[k] - a[k + 2] / 2, b[k] - b[k + 2] / 2);
    const high = Math.min(a[k] + a[k + 2] / 2, b[k] + b[k + 2] / 2);
    return Math.max(high - low, 0);
  });
  const both = shared[0] * shared[1];
  return both / Math.max(a[2] * a[3] + b[2] * b[3] - both, 1e-12);
}
