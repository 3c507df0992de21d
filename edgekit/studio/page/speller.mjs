// Letters that appear once and stay: edgekit/live/speller.py in JavaScript, with its thresholds.

import { STEPPED } from "./motion.mjs";

//: Letters that move, and the held ones that their hands begin as.
const MOVING = new Map([
  ["J", "I"],
  ["Z", "D"],
]);
const RULES = {
  enter: 0.78,
  leave: 0.2,
  rest: 4,
  begins: 6,
  tail: 8,
  moving: 5,
  enterMoving: 0.6,
  travel: 2.0,
  again: 6,
  gone: 4,
  step: 0.5,
};

//: RULES.enter of a file with a rule for no sign.
const RULED_ENTER = 0.6;

/**
 * Answers in, changes out; a frame at a time. names: of the model's classes. moves: whether letters move. ruled:
 * whether the file has a rule for no sign.
 */
export class Speller {
  constructor(names, moves, ruled) {
    this.names = names;
    this.enter = ruled ? RULED_ENTER : RULES.enter;
    this.moves = moves;
    this.begins = new Set(moves ? MOVING.values() : []);
    this.reset();
  }

  /** The hand is gone: nothing is left of what was seen. */
  reset() {
    this.average = new Float32Array(this.names.length);
    this.current = null;
    this.best = this.last = -1;
    this.streak = this.weak = this.since = 0;
    this.writtenInRest = this.stepped = this.afterMoving = false;
  }

  /** [{kind, index, probability}] after one more frame with a hand. probabilities: all zero where nobody signs. */
  answer(probabilities, seen) {
    this.average = probabilities;
    const best = largest(probabilities);
    this.streak = best === this.best ? this.streak + 1 : 1;
    this.best = best;
    this.since += 1;
    this.stepped ||= this.since > STEPPED && seen.step >= RULES.step;
    if (seen.resting === 0) this.writtenInRest = false;
    const changes = this.current === null ? [] : this.#end(this.current);
    return this.#counts(best, seen) ? [...changes, ...this.#begin(best)] : changes;
  }

  /** The hand is lost. */
  finish() {
    const changes = this.current === null ? [] : [ended(this.current, 0)];
    this.reset();
    return changes;
  }

  #end(current) {
    const strength = this.average[current];
    this.weak = strength < RULES.leave ? this.weak + 1 : 0;
    if (this.weak < (this.writtenInRest ? RULES.again : RULES.gone)) return [];
    this.current = null;
    return [ended(current, strength)];
  }

  #begin(best) {
    const changes = this.current === null ? [] : [ended(this.current, this.average[this.current])];
    this.current = this.last = best;
    this.weak = this.since = 0;
    this.writtenInRest = true;
    this.stepped = false;
    this.afterMoving = this.moves && MOVING.has(this.names[best]);
    return [...changes, { kind: "letter", index: best, probability: this.average[best] }];
  }

  #counts(best, seen) {
    const strength = this.average[best];
    if (!this.moves) return best !== this.current && strength >= this.enter && this.streak >= RULES.again;
    if (MOVING.has(this.names[best])) {
      const sure = strength >= RULES.enterMoving && this.streak >= RULES.moving;
      return best !== this.current && sure && seen.travel >= RULES.travel;
    }
    if (strength < this.enter || seen.resting < this.#leastRest(this.names[best])) return false;
    if (best === this.current) return this.stepped && !this.afterMoving;
    return !this.writtenInRest || (best !== this.last && this.streak >= RULES.again);
  }

  #leastRest(name) {
    const least = this.begins.has(name) ? RULES.begins : RULES.rest;
    return this.afterMoving ? Math.max(least, RULES.tail) : least;
  }
}

const ended = (index, probability) => ({ kind: "letter ended", index, probability });

/** The index of the largest number, the first of several. */
export function largest(values) {
  let best = 0;
  for (let k = 1; k < values.length; k++) if (values[k] > values[best]) best = k;
  return best;
}
