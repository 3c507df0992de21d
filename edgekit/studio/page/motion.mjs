// How a hand moves from frame to frame: edgekit/live/motion.py in JavaScript.

const TIPS = [4, 8, 12, 16, 20],
  PALM = [0, 5, 9, 13, 17];
const STILL = 0.1,
  TRAVELLED = 12;
export const STEPPED = 10;
const CANONICAL_ASPECT = Math.fround(4 / 3);

/** Of one hand in canonical landmarks; frames are 1/30 s apart. Lengths are in hand sizes. */
export class Motion {
  constructor() {
    this.reset();
  }

  /** What comes next is a first frame. */
  reset() {
    this.speed = 0; // of the fastest fingertip, a frame
    this.resting = 0; // frames since it was faster than STILL
    this.step = 0; // how far the palm is from where it was at most STEPPED frames ago
    this.tips = null;
    this.speeds = [];
    this.palms = [];
  }

  /** Of the fastest fingertip, summed over the last frames. */
  get travel() {
    return this.speeds.reduce((sum, speed) => sum + speed, 0);
  }

  push(frame) {
    const point = (k) => [frame[3 * k] * CANONICAL_ASPECT, frame[3 * k + 1]];
    const size = Math.max(apart(point(9), point(0)), 1e-3);
    const tips = TIPS.map(point),
      palm = mean(PALM.map(point));
    if (this.tips !== null) {
      this.speed = Math.max(...tips.map((tip, k) => apart(tip, this.tips[k]))) / size;
      keepLast(this.speeds, this.speed, TRAVELLED);
    }
    this.step = Math.max(0, ...this.palms.map((earlier) => apart(palm, earlier))) / size;
    this.tips = tips;
    keepLast(this.palms, palm, STEPPED);
    this.resting = this.speed <= STILL ? this.resting + 1 : 0;
  }
}

const apart = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
const mean = (points) => [0, 1].map((k) => points.reduce((sum, point) => sum + point[k], 0) / points.length);

/** Append to a list that holds so many at most. */
export function keepLast(list, value, most) {
  list.push(value);
  if (list.length > most) list.shift();
}
