/* @name@.mjs: the classifier in @name@.wasm, written by `edgekit compile --target wasm32`; for browsers and Node.

     import { load } from "./@name@.mjs";
     const model = await load();
     const { label, nearest, logits } = model.predict(landmarks); // label: null where nobody signs, whatever is nearest

   landmarks: Float32Array of @frames@ frames of @features@ numbers, frame after frame, as recorded. */

async function bytesOf(url) {
  if (url.protocol === "file:") return (await import("node:fs/promises")).readFile(url);
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${answer.statusText}`);
  return answer.arrayBuffer();
}

/** source: where the module is, a URL, or its bytes. A model is its own memory: one for each worker. */
export async function load(source = new URL("@name@.wasm", import.meta.url)) {
  const bytes = source instanceof URL ? await bytesOf(source) : source;
  if (!(bytes instanceof ArrayBuffer || ArrayBuffer.isView(bytes))) throw new TypeError("load: expected a URL or bytes");
  const { memory, ...c } = (await WebAssembly.instantiate(bytes)).instance.exports;
  if (!c.landmarks) throw new Error("load: a module that edgekit compile did not write");
  const text = (at) => new TextDecoder().decode(new Uint8Array(memory.buffer, at)).split("\0", 1)[0];
  const frames = c.frames(), features = c.features(), count = c.classes();
  const input = new Float32Array(memory.buffer, c.landmarks(), frames * features);
  const output = new Float32Array(memory.buffer, c.logits(), count);
  const classes = Array.from({ length: count }, (_, k) => text(c.class_name(k)));

  /** { label, nearest, logits }. TypeError for what is no Float32Array, RangeError for a wrong size, NaN or too large numbers. */
  function predict(landmarks) {
    if (!(landmarks instanceof Float32Array)) throw new TypeError("landmarks: expected a Float32Array");
    if (landmarks.length !== input.length)
      throw new RangeError(`landmarks: ${landmarks.length} numbers; expected ${frames} frames of ${features}`);
    input.set(landmarks);
    const status = c.predict();
    if (status) throw new RangeError(`landmarks: ${text(c.status_text(status))}`);
    const nearest = classes[c.largest()];
    return { label: c.is_sign() ? nearest : null, nearest, logits: output.slice() };
  }
  return { frames, features, classes, predict };
}
