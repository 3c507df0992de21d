// Frames at the pace that models know, and in the form in which they read them: edgekit/live/clock.py,
// edgekit/data/canonical.py and edgekit/hands/takes.py in JavaScript.

export const MODEL_RATE = 30;
const MOST_BETWEEN = 3,
  MOST_HELD = 12;
const CANONICAL_ASPECT = Math.fround(4 / 3);
//: A frame may come so much early, in parts of the time between two, and still be the one that was due.
const EARLY = 0.25;

/** Says which frames a model reads for each one that comes, at 30 a second. */
export class Clock {
  now = 0;
  #ticked = -Infinity;
  #last = null;

  /** [frame or null, ...] up to this frame, null for no hand: nothing where it comes too early. Raises RangeError for a
      time that goes back. */
  ticks(frame, time) {
    const first = this.#ticked === -Infinity;
    if (!Number.isFinite(time) || (!first && time < this.now)) throw new RangeError(`a frame's time is ${time}`);
    this.now = time;
    const count = first ? 1 : rounded((time - this.#ticked) * MODEL_RATE);
    this.#ticked = first || count > MOST_BETWEEN + 1 ? time : this.#ticked + count / MODEL_RATE;
    if (count === 0) return [];
    const before = this.#last;
    this.#last = frame;
    if (frame === null || before === null || count > MOST_BETWEEN + 1) {
      return Array(Math.min(count, MOST_HELD)).fill(frame);
    }
    const between = Array.from({ length: count - 1 }, (_, k) => mixed(before, frame, (k + 1) / count));
    return [...between, frame];
  }
}

const mixed = (a, b, part) => a.map((value, k) => value + (b[k] - value) * part);

/** To the nearest whole number, halves to even ones, as Python does. */
function rounded(value) {
  const low = Math.floor(value),
    rest = value - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 !== 0) ? low + 1 : low;
}

/** Landmarks as a 4:3 picture of a hand called left gives them. frame: Float32Array (63,); aspect: width / height. */
export function canonical(frame, right, aspect) {
  const widening = Math.fround(Math.fround(aspect) / CANONICAL_ASPECT),
    side = right ? -1 : 1;
  return frame.map((value, k) => {
    if (k % 3 === 0) return 0.5 + Math.fround(side * widening) * Math.fround(value - 0.5);
    return k % 3 === 2 ? value * widening : value;
  });
}

/** Whether any number of a hand is not zero. */
export const hasHand = (frame) => frame !== null && frame.some((value) => value !== 0);

/** Which of the pictures of a take to keep, so that at most 30 a second remain; slower ones all stay. */
export class Thinning {
  #step = 1 / MODEL_RATE;
  #due = 0;

  keeps(time) {
    if (time < this.#due - EARLY * this.#step) return false;
    this.#due = Math.max(this.#due, time - this.#step) + this.#step;
    return true;
  }
}
