// The hand tracker: pictures in, landmarks of one hand out. edgekit/hands/tracker.py in JavaScript, for one hand.

import { findPalm } from "./palms.mjs";
import { cut } from "./pixels.mjs";
import { aroundHand, placed } from "./regions.mjs";

const SIDE = 224,
  DEPTH = 0.4; // what MediaPipe divides z by
const LEAST = 0.5;

/**
 * Follows one hand from picture to picture. palm, hand: functions from Float32Array (side, side, 3) and the side to a
 * network's outputs by name. A picture is {width, height, data}, data RGBA.
 */
export class HandTracker {
  #palm;
  #hand;
  #region = null;
  #size = "";

  constructor(palm, hand) {
    this.#palm = palm;
    this.#hand = hand;
  }

  /** Forget the hand that is followed: the next picture is not from the same scene. */
  reset() {
    this.#region = null;
  }

  /** {landmarks, label, presence} of the hand, or null. landmarks: Float32Array (21, 3), see edgekit.hands.Hand. */
  async track(picture) {
    const size = `${picture.width}x${picture.height}`;
    if (size !== this.#size) [this.#size, this.#region] = [size, null];
    const region = this.#region ?? (await findPalm(this.#palm, picture, LEAST));
    this.#region = null;
    if (region === null) return null;
    const told = await this.#hand(cut(picture, region, SIDE, true), SIDE);
    const { landmarks, pixels } = inPicture(told.landmarks, region, picture);
    const after = aroundHand(pixels),
      presence = told.presence[0],
      first = told.handedness[0];
    if (!(presence > LEAST && after.side > 1)) return null;
    this.#region = after;
    return { landmarks, label: first > 0.5 ? "L" : "R", presence };
  }
}

function inPicture(inside, region, { width, height }) {
  const landmarks = new Float32Array(63),
    pixels = [];
  for (let k = 0; k < 21; k++) {
    const [x, y] = placed(region, [inside[3 * k] / SIDE, inside[3 * k + 1] / SIDE]);
    pixels.push([x, y]);
    landmarks.set([x / width, y / height, ((inside[3 * k + 2] / SIDE / DEPTH) * region.side) / width], 3 * k);
  }
  return { landmarks, pixels };
}
