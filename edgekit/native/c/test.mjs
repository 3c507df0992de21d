/* Golden vectors of @name@.wasm, written by `edgekit compile --target wasm32`: `node test.mjs`.
   @about@
   With a number as argument it also times that many predictions. */
import { load } from "./@name@.mjs";

/* Largest difference of a logit. */
const allowed = @allowed@;
const landmarks = new Float32Array([
@landmarks@
]);
const expected = new Float32Array([
@expected@
]);

const model = await load();
const size = model.frames * model.features, count = model.classes.length;
const takes = Array.from({ length: @takes@ }, (_, k) => landmarks.subarray(k * size, (k + 1) * size));

function golden() {
  let worst = 0;
  takes.forEach((take, k) => {
    const { label, logits } = model.predict(take);
    logits.forEach((value, i) => {
      const difference = Math.abs(value - expected[k * count + i]);
      worst = Math.max(worst, difference); /* NaN stays */
    });
    if (label !== model.classes[logits.indexOf(Math.max(...logits))]) worst = NaN;
  });
  console.log(`${takes.length} takes, largest difference of a logit ${worst}, allowed ${allowed}`);
  return worst <= allowed;
}

function refused() {
  const spoiled = [NaN, Infinity, -Infinity, 1e30].map((value) => takes[0].map((x, i) => (i ? x : value)));
  const strange = [...spoiled, takes[0].slice(1), new Float32Array(0), Array.from(takes[0]), null, undefined];
  const taken = strange.filter((landmarks) => {
    try {
      return model.predict(landmarks);
    } catch (error) {
      return !/^landmarks: (NaN or infinity|a number is too large|\d+ numbers; expected|expected a)/.test(error.message);
    }
  });
  if (taken.length) console.log(`${taken.length} kinds of bad input were not refused`);
  return !taken.length;
}

function timed(runs) {
  const times = Array.from({ length: runs }, (_, run) => {
    const begun = performance.now();
    model.predict(takes[run % takes.length]);
    return performance.now() - begun;
  });
  console.log(`${(1e3 * times.sort((a, b) => a - b)[runs >> 1]).toFixed(1)} us a prediction (median)`);
}

const failed = !golden() || !refused();
if (Number(process.argv[2]) > 0) timed(Number(process.argv[2]));
process.exitCode = Number(failed);
