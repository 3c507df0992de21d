// The page's end of the worker in engine.mjs.

import { getBytes } from "./server.mjs";

/** The simplest module with a SIMD instruction: what a browser without SIMD refuses. */
const SIMD = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
];
const NEEDED = "Chrome or Edge 91, Firefox 114, Safari 16.4, or a later one, will do.";

//: Of both networks of the tracker, about: for the part that has been loaded.
const NETWORK_BYTES = 7.73e6;

/** What this browser lacks, as a message, or null. */
export function lacking() {
  if (typeof WebAssembly !== "object" || !WebAssembly.validate(new Uint8Array(SIMD))) {
    return `This browser has no WebAssembly with SIMD, which the hand tracker needs. ${NEEDED}`;
  }
  if (typeof OffscreenCanvas !== "function" || typeof createImageBitmap !== "function") {
    return `This browser has no OffscreenCanvas, which the hand tracker needs. ${NEEDED}`;
  }
  return null;
}

/** Half of the cores, four at most, where the page may have threads at all. */
const threads = () =>
  globalThis.crossOriginIsolated ? Math.min(4, Math.max(1, (navigator.hardwareConcurrency ?? 2) >> 1)) : 1;

/** Tracker and reader in a worker. One task at a time; each method ends when the worker is done with it. */
export class Engine {
  #worker;
  #waiting = [];

  constructor() {
    this.#worker = new Worker(new URL("./engine.mjs", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }) => this.#answer(data);
    this.#worker.onerror = () => this.#answer({ kind: "failed", message: "the tracker's code was not loaded" });
  }

  /** Fetch networks and models, and open them. progress: called with the part that is done, 0 to 1. */
  async open(models, progress) {
    const names = ["palm", "hand", ...["model", "beside"].slice(0, models.length)];
    const whole = NETWORK_BYTES + models.reduce((sum, model) => sum + model.bytes, 0);
    let here = 0;
    const told = (bytes) => progress(Math.min((here += bytes) / whole, 1));
    const [palm, hand, ...files] = await Promise.all(names.map((name) => getBytes(`./api/${name}.onnx`, told)));
    const given = [palm, hand, ...files].map((each) => each.buffer);
    await this.#ask({ task: "open", palm, hand, files, models, threads: threads() }, given);
  }

  /** A moment: {picture, hand, told, took}; the picture is the same one, told is {events, now, text} of each model. */
  frame(picture, time) {
    return this.#ask({ task: "frame", picture, time }, [picture]);
  }

  /** A recorded take: see `readTake` in engine.mjs. */
  async take(pictures, times) {
    return (await this.#ask({ task: "take", pictures, times }, pictures)).take;
  }

  /** The camera has stopped: {told}, as of a moment. */
  end() {
    return this.#ask({ task: "end" }, []);
  }

  clear() {
    this.#worker.postMessage({ task: "clear" });
  }

  #ask(message, transferred) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(message, transferred);
    });
  }

  #answer(data) {
    const asked = this.#waiting.shift();
    if (data.kind === "failed") asked?.reject(new Error(data.message));
    else asked?.resolve(data);
  }
}
