// What a model's outputs say: probabilities, and whether anybody signs. edgekit/evaluate/no_sign.py and
// edgekit/live/answers.py in JavaScript.

import { keepLast } from "./motion.mjs";
import { largest } from "./speller.mjs";

const SUM_TOLERANCE = 1e-3;

/** The last frames as a take of `frames` frames, Float32Array (frames, 63), filled up with the last one. */
export class Window {
  #kept = [];

  constructor(frames, most) {
    this.frames = frames;
    this.most = most;
  }

  reset() {
    this.#kept = [];
  }

  /** The take after one more frame. resting: for how many frames the hand has been at rest, 0 while it moves. */
  push(frame, resting) {
    keepLast(this.#kept, frame, this.most);
    const last = (resting ? this.#kept.slice(-(resting + 1)) : this.#kept).slice(0, this.frames);
    const take = new Float32Array(this.frames * frame.length);
    for (let k = 0; k < this.frames; k++) take.set(last[Math.min(k, last.length - 1)], k * frame.length);
    return take;
  }
}

/** Probabilities of the letters; all zero where nobody signs. model: as `api/model` tells of it. */
export function probabilities(outputs, model) {
  const ready = model.foreign && areProbabilities(outputs);
  const found = ready ? outputs : softmax(outputs);
  const sign = !model.silent.includes(largest(found)) && isStrong(outputs, model.no_sign);
  return found.map((value, k) => (sign && !model.silent.includes(k) ? value : 0));
}

function softmax(outputs) {
  const most = outputs[largest(outputs)];
  const raised = outputs.map((value) => Math.exp(value - most));
  const sum = raised.reduce((total, value) => total + value, 0);
  return raised.map((value) => value / sum);
}

/** Whether the file's rule takes the answer for a sign; a file without one takes each for one. */
function isStrong(outputs, rule) {
  if (!rule) return true;
  const most = outputs[largest(outputs)];
  const sum = outputs.reduce((total, value) => total + Math.exp(value - most), 0);
  return (rule.score === "probability" ? 1 / sum : most + Math.log(sum)) >= rule.threshold;
}

function areProbabilities(outputs) {
  const sum = outputs.reduce((total, value) => total + value, 0);
  return outputs.every((value) => value >= 0) && Math.abs(sum - 1) < SUM_TOLERANCE;
}
