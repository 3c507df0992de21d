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

/* Class of what is signed in each, then in a take without a hand; -1 nobody signs, -2 too close to tell. */
const signed = [@called@];

const model = await load();
const size = model.frames * model.features, count = model.classes.length;
const takes = Array.from({ length: @takes@ }, (_, k) => landmarks.subarray(k * size, (k + 1) * size));

const miscalled = (label, wanted) => wanted > -2 && label !== (wanted < 0 ? null : model.classes[wanted]);

function golden() {
  let worst = 0;
  let wrong = Number(miscalled(model.predict(new Float32Array(size)).label, signed[takes.length]));
  takes.forEach((take, k) => {
    const { label, nearest, logits } = model.predict(take);
    wrong += miscalled(label, signed[k]);
    logits.forEach((value, i) => {
      const difference = Math.abs(value - expected[k * count + i]);
      worst = Math.max(worst, difference); /* NaN stays */
    });
    if (nearest !== model.classes[logits.indexOf(Math.max(...logits))]) worst = NaN;
  });
  console.log(`${takes.length} takes, largest difference of a logit ${worst}, allowed ${allowed}`);
  if (wrong) console.log(`${wrong} takes are called otherwise than they should`);
  return !wrong && worst <= allowed;
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
