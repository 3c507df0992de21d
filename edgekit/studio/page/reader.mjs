// Frames in, letters and words out: edgekit/live/reader.py in JavaScript. tests/studio holds both to the same events.

import { Window, probabilities } from "./answers.mjs";
import { Clock, canonical, hasHand } from "./frames.mjs";
import { Motion, keepLast } from "./motion.mjs";
import { Speller } from "./speller.mjs";

const PAUSE_S = 0.75,
  LOST_FRAMES = 5,
  VOTES = 15;

/**
 * model: as `api/model` tells of it. classify: Float32Array (frames, 63) to a promise of outputs, one a
 * class.
 * Events are {kind, label, probability, time, text}; kind is "hand found", "letter", "letter ended", "word ended" or
 * "hand lost".
 */
export class Reader {
  #clock = new Clock();
  #motion = new Motion();
  #missing = LOST_FRAMES;
  #signed = 0;
  #sides = [];
  #right = false;
  #words = [];
  #word = [];

  constructor(model, classify) {
    this.model = model;
    this.classify = classify;
    this.space = model.spelled ? "" : " ";
    this.window = new Window(model.frames, model.window);
    this.speller = new Speller(model.names, model.spelled, Boolean(model.no_sign));
  }

  /** Everything written so far, words with a space between them. */
  get text() {
    return [...this.#words, ...(this.#word.length ? [this.#word.join(this.space)] : [])].join(" ");
  }

  /** {label, probability} of the letter that is held, or null. */
  get now() {
    const current = this.speller.current;
    if (current === null) return null;
    return { label: this.model.names[current], probability: this.speller.average[current] };
  }

  get hand() {
    return this.#missing < LOST_FRAMES;
  }

  /** What one more frame brings. hand: {landmarks, label} or null; time in seconds; aspect: width / height. */
  async read(hand, time, aspect) {
    let frame = null;
    if (hand !== null && hasHand(hand.landmarks)) {
      this.#vote(hand.label === "R");
      frame = canonical(hand.landmarks, this.#right, aspect);
    }
    const events = [];
    for (const tick of this.#clock.ticks(frame, time)) events.push(...(await this.#tick(tick)));
    return events;
  }

  /** The stream is over: the letter and the word that are open end. Another one may follow, at any time. */
  end() {
    const events = [...this.#changed(this.speller.finish()), ...this.#endWord()];
    this.#forget();
    this.speller.reset();
    this.#clock = new Clock();
    this.#missing = LOST_FRAMES;
    this.#signed = 0;
    this.#sides = [];
    return events;
  }

  /** Begin with an empty text. */
  clear() {
    this.#words = [];
    this.#word = [];
  }

  #vote(right) {
    keepLast(this.#sides, right, VOTES);
    const votes = 2 * this.#sides.filter(Boolean).length - this.#sides.length;
    if (votes === 0 || votes > 0 === this.#right) return;
    this.#right = votes > 0;
    this.#forget();
  }

  #forget() {
    this.window.reset();
    this.#motion.reset();
  }

  async #tick(frame) {
    const events = frame === null ? this.#withoutHand() : await this.#withHand(frame);
    const now = this.#clock.now;
    if (this.speller.current !== null || events.some((event) => event.kind === "letter ended")) this.#signed = now;
    return now - this.#signed >= PAUSE_S ? [...events, ...this.#endWord()] : events;
  }

  #withoutHand() {
    this.#missing += 1;
    if (this.#missing !== LOST_FRAMES) return [];
    this.#forget();
    this.#sides = [];
    return [...this.#changed(this.speller.finish()), this.#event("hand lost")];
  }

  async #withHand(frame) {
    const found = this.hand ? [] : [this.#event("hand found")];
    this.#missing = 0;
    this.#motion.push(frame);
    const { resting, travel, step } = this.#motion;
    const outputs = await this.classify(this.window.push(frame, this.model.spelled ? resting : 0));
    const changes = this.speller.answer(probabilities(outputs, this.model), { resting, travel, step });
    return [...found, ...this.#changed(changes)];
  }

  #changed(changes) {
    return changes.map(({ kind, index, probability }) => {
      const label = this.model.names[index];
      if (kind === "letter") this.#word.push(label);
      return this.#event(kind, label, probability);
    });
  }

  #endWord() {
    if (!this.#word.length) return [];
    const word = this.#word.join(this.space);
    this.#words.push(word);
    this.#word = [];
    return [this.#event("word ended", word)];
  }

  #event(kind, label = null, probability = null) {
    return { kind, label, probability, time: this.#clock.now, text: this.text };
  }
}
