/* Takes turns among WebAssembly modules of `edgekit compile` and onnxruntime-web; called by bench/wasm.py.

   Arguments: a folder with plan.json, {takes, rounds, contenders: {name: {module} or {onnx}}} with paths, and takes as
   a file of float32. Prints JSON: node, versions, samples_ns and the logits of the first take, by contender. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const plan = JSON.parse(await readFile(process.argv[2]));
const require = createRequire(pathToFileURL(process.argv[2]));
const ort = await import(pathToFileURL(require.resolve("onnxruntime-web/wasm").replace(/\.js$/, ".mjs")));
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

const now = () => process.hrtime.bigint();

async function module(path) {
  const model = await (await import(pathToFileURL(path))).load();
  return async (take) => {
    const begun = now();
    const { logits } = model.predict(take);
    return [Number(now() - begun), logits];
  };
}

async function session(path) {
  const options = { executionProviders: ["wasm"], graphOptimizationLevel: "all", executionMode: "sequential" };
  const opened = await ort.InferenceSession.create(new Uint8Array(await readFile(path)), options);
  const [input] = opened.inputNames, [output] = opened.outputNames;
  const [, frames, features] = plan.shape;
  return async (take) => {
    const begun = now();
    const found = await opened.run({ [input]: new ort.Tensor("float32", take, [1, frames, features]) });
    const took = Number(now() - begun);
    return [took, found[output].data];
  };
}

const { buffer } = await readFile(plan.takes), size = plan.shape[1] * plan.shape[2];
const takes = Array.from({ length: plan.shape[0] }, (_, k) => new Float32Array(buffer, 4 * k * size, size));
const runs = {}, samples_ns = {}, logits = {};
for (const [name, { module: path, onnx }] of Object.entries(plan.contenders)) {
  runs[name] = path ? await module(path) : await session(onnx);
  samples_ns[name] = [];
  logits[name] = Array.from((await runs[name](takes[0]))[1]);
  for (const until = now() + 500_000_000n; now() < until; ) await runs[name](takes[0]); /* until the engine optimises */
}
const order = Object.keys(runs);
for (let round = 0; round < plan.rounds; round++) {
  for (let k = order.length - 1; k > 0; k--) {
    const other = Math.floor(Math.random() * (k + 1));
    [order[k], order[other]] = [order[other], order[k]];
  }
  for (const name of order) {
    await runs[name](takes[round % takes.length]);
    samples_ns[name].push((await runs[name](takes[round % takes.length]))[0]);
  }
}
const versions = { node: process.version, v8: process.versions.v8, "onnxruntime-web": ort.env.versions.web };
console.log(JSON.stringify({ versions, samples_ns, logits }));
