// The worker that finds the hand and reads it: pictures come in, landmarks and events go out. Nothing here knows of the
// page, so that a slow tracker never holds it up.

import { Thinning } from "./frames.mjs";
import { openClassifier, openNetwork, prepare } from "./networks.mjs";
import { Reader } from "./reader.mjs";
import { HandTracker } from "./tracker.mjs";

let tracker, readers, canvas, context;
let queue = Promise.resolve();

const tasks = {
  /** palm, hand, files: contents; models: as `api/studio.json` tells of them, one a file. */
  async open({ palm, hand, files, models, threads }) {
    prepare(threads);
    tracker = new HandTracker(await openNetwork(palm), await openNetwork(hand));
    readers = [];
    for (const [k, model] of models.entries()) {
      readers.push(new Reader(model, await openClassifier(files[k], model.frames)));
      await readers[k].classify(new Float32Array(model.frames * 63)); // the first run takes longest
    }
    postMessage({ kind: "opened" });
  },

  /** picture: ImageBitmap; time: seconds. */
  async frame({ picture, time }) {
    const begin = performance.now();
    const pixels = pixelsOf(picture, true);
    const hand = await tracker.track(pixels);
    const tracked = performance.now();
    const told = [];
    for (const reader of readers) {
      const events = await reader.read(hand, time, pixels.width / pixels.height);
      told.push({ events, now: reader.now, text: reader.text });
    }
    const took = { tracker: tracked - begin, classifier: performance.now() - tracked };
    postMessage({ kind: "moment", picture, hand, told, took }, [picture]);
  },

  /** A recorded take: pictures and their times, seconds. */
  async take({ pictures, times }) {
    postMessage({ kind: "take", take: await readTake(pictures, times) });
  },

  async end() {
    tracker.reset();
    const told = readers.map((reader) => ({ events: reader.end(), now: null, text: reader.text }));
    postMessage({ kind: "ended", told });
  },

  async clear() {
    for (const reader of readers) reader.clear();
  },
};

addEventListener("message", ({ data }) => {
  queue = queue
    .then(() => tasks[data.task](data))
    .catch((error) => {
      postMessage({ kind: "failed", task: data.task, message: String(error?.message ?? error) });
    });
});

/** RGBA of a picture, which is closed unless it is kept. */
function pixelsOf(picture, kept = false) {
  const { width, height } = picture;
  if (!canvas || canvas.width !== width || canvas.height !== height) {
    canvas = new OffscreenCanvas(width, height);
    context = canvas.getContext("2d", { willReadFrequently: true });
  }
  context.drawImage(picture, 0, 0);
  if (!kept) picture.close();
  return context.getImageData(0, 0, width, height);
}

/** What `edgekit record` keeps of a take: {landmarks: [frame or null], hand, aspect, rate, withHand}. */
async function readTake(pictures, times) {
  tracker.reset();
  const thinning = new Thinning(),
    landmarks = [],
    kept = [];
  const votes = { L: 0, R: 0 };
  let aspect = 1;
  for (const [k, picture] of pictures.entries()) {
    const time = times[k] - times[0];
    if (!thinning.keeps(time)) {
      picture.close();
      continue;
    }
    aspect = picture.width / picture.height;
    const hand = await tracker.track(pixelsOf(picture));
    if (hand) votes[hand.label] += 1;
    landmarks.push(hand ? Array.from(hand.landmarks) : null);
    kept.push(time);
  }
  tracker.reset();
  const withHand = votes.L + votes.R,
    span = kept.at(-1) - kept[0];
  const label = !withHand ? "" : votes.L >= votes.R ? "L" : "R";
  return { landmarks, hand: label, aspect, withHand, rate: span > 0 ? (kept.length - 1) / span : null };
}
