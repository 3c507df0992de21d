// ONNX files run by onnxruntime-web.

import * as ort from "./ort/ort.wasm.min.mjs";

/** Before the first file. threads: of one run; more than one needs a cross-origin isolated page. */
export function prepare(threads) {
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;
}

/** A function from (Float32Array, shape) to the file's outputs by name, each a Float32Array. content: its bytes. */
export async function openFile(content) {
  const session = await ort.InferenceSession.create(content, { executionProviders: ["wasm"] });
  const input = session.inputNames[0];
  return async (numbers, shape) => {
    const told = await session.run({ [input]: new ort.Tensor("float32", numbers, shape) });
    return Object.fromEntries(Object.entries(told).map(([name, tensor]) => [name, tensor.data]));
  };
}

/** A network of the tracker: a function from a square cut-out and its side to outputs. */
export async function openNetwork(content) {
  const run = await openFile(content);
  return (numbers, side) => run(numbers, [1, side, side, 3]);
}

/** A classifier: a function from a take of `frames` frames to its outputs, Float32Array (classes,). */
export async function openClassifier(content, frames) {
  const run = await openFile(content);
  return async (take) => Object.values(await run(take, [1, frames, take.length / frames]))[0];
}
