// Runs parts of the page under Node.js, for tests: one request as JSON on stdin, one answer on stdout. The page's files
// and onnxruntime-web lie in the folder that the first argument names.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const folder = pathToFileURL(`${process.argv[2]}/`);
const part = (name) => import(new URL(name, folder));
const request = JSON.parse(readFileSync(0, "utf8"));

async function opened() {
  const networks = await part("networks.mjs");
  networks.prepare(1);
  return networks;
}

const tasks = {
  async geometry({ hands, palm }) {
    const { aroundHand, aroundPalm } = await part("regions.mjs");
    return { hands: hands.map(aroundHand), palm: aroundPalm(palm.box, palm.points) };
  },

  async palms({ boxes, scores, least }) {
    const { decoded, merged } = await part("palms.mjs");
    return merged(decoded(Float32Array.from(boxes), Float32Array.from(scores), least));
  },

  async cut({ picture, region, side, replicate }) {
    const { cut } = await part("pixels.mjs");
    return Array.from(cut({ ...picture, data: readFileSync(picture.file) }, region, side, replicate));
  },

  /** fresh: each picture is of another scene. */
  async track({ width, height, files, palm, hand, fresh }) {
    const { openNetwork } = await opened();
    const { HandTracker } = await part("tracker.mjs");
    const tracker = new HandTracker(await openNetwork(readFileSync(palm)), await openNetwork(readFileSync(hand)));
    const found = [];
    for (const file of files) {
      if (fresh) tracker.reset();
      const seen = await tracker.track({ width, height, data: readFileSync(file) });
      found.push(seen && { label: seen.label, landmarks: Array.from(seen.landmarks) });
    }
    return found;
  },

  /** outputs: of the model, one list for all frames, or null: then file is run. */
  async read({ model, file, streams }) {
    const { openClassifier } = await opened();
    const { Reader } = await part("reader.mjs");
    const classify = await openClassifier(readFileSync(file), model.frames);
    const answers = [];
    for (const frames of streams) {
      const reader = new Reader(model, classify), events = [];
      for (const [number, { hand, time, aspect }] of frames.entries()) {
        const seen = hand && { label: hand.label, landmarks: Float32Array.from(hand.landmarks) };
        for (const event of await reader.read(seen, time, aspect)) events.push({ ...event, frame: number });
      }
      events.push(...reader.end().map((event) => ({ ...event, frame: frames.length - 1 })));
      answers.push({ events, text: reader.text });
    }
    return answers;
  },

  async thin({ times }) {
    const { Thinning } = await part("frames.mjs");
    const thinning = new Thinning();
    return times.map((time) => thinning.keeps(time));
  },

  async simd() {
    const { lacking } = await part("engine_client.mjs");
    return lacking();
  },
};

process.stdout.write(JSON.stringify(await tasks[request.task](request)));
