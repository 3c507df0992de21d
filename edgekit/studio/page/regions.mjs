// Turned squares in a picture where a network looks for a hand: edgekit/hands/regions.py, whose numbers these are.
// A region is {x, y, side, angle}: centre and side in pixels, angle in radians from straight up. A point is [x, y].

const STABLE = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18];
const PALM_GROWTH = 2.6,
  PALM_SHIFT = -0.5;
const HAND_GROWTH = 2.0,
  HAND_SHIFT = -0.1;

/** A vector turned by an angle; y goes down. */
export function turned([x, y], angle) {
  const cos = Math.cos(angle),
    sin = Math.sin(angle);
  return [cos * x - sin * y, sin * x + cos * y];
}

/** Pixels of the picture for a point in 0 to 1 of the square. */
export function placed(region, [x, y]) {
  const [dx, dy] = turned([(x - 0.5) * region.side, (y - 0.5) * region.side], region.angle);
  return [region.x + dx, region.y + dy];
}

/** The smallest square with the whole picture in its middle. */
export function wholePicture(width, height) {
  return { x: width / 2, y: height / 2, side: Math.max(width, height), angle: 0 };
}

/** box: {x, y, width, height}, its centre and size; points: seven, wrist first, base of the middle finger third. */
export function aroundPalm(box, points) {
  const angle = angleOf(minus(points[2], points[0]));
  const [dx, dy] = turned([0, PALM_SHIFT * box.height], angle);
  return { x: box.x + dx, y: box.y + dy, side: PALM_GROWTH * Math.max(box.width, box.height), angle };
}

/** Where the hand with these 21 points, in pixels, is looked for in the next picture. */
export function aroundHand(points) {
  const knuckles = middle(middle(points[5], points[13]), points[9]);
  const angle = angleOf(minus(knuckles, points[0]));
  const stable = STABLE.map((k) => points[k]);
  const centre = middle(...bounds(stable));
  const [low, high] = bounds(stable.map((point) => turned(minus(point, centre), -angle)));
  const [width, height] = minus(high, low);
  const [x, y] = middle(low, high);
  const [dx, dy] = turned([x, y + HAND_SHIFT * height], angle);
  return { x: centre[0] + dx, y: centre[1] + dy, side: HAND_GROWTH * Math.max(width, height), angle };
}

const minus = (a, b) => [a[0] - b[0], a[1] - b[1]];
const middle = (a, b) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];

function bounds(points) {
  const xs = points.map((point) => point[0]),
    ys = points.map((point) => point[1]);
  return [
    [Math.min(...xs), Math.min(...ys)],
    [Math.max(...xs), Math.max(...ys)],
  ];
}

/** How far a direction is turned from straight up, in -pi to pi. */
function angleOf([x, y]) {
  const angle = Math.PI / 2 - Math.atan2(-y, x);
  return angle - 2 * Math.PI * Math.floor((angle + Math.PI) / (2 * Math.PI));
}
