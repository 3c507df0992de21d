// The view that records: who, when, which sign; a countdown, a second, and the take is kept or thrown away.

import { at, make, plain } from "./dom.mjs";
import { drawHand, fitted } from "./drawing.mjs";
import { getJson, postJson } from "./server.mjs";

const COUNTDOWN = 3,
  TAKE_S = 1,
  FRAME_MS = 1000 / 30;

/** stage: of the camera. trouble: called with an error, or null. */
export class Recording {
  #counts = {};
  #own = new Set();
  #taken = null;
  #busy = false;
  #replay = null;

  constructor(stage, trouble) {
    Object.assign(this, { stage, trouble });
    at("take").addEventListener("click", () => this.#take());
    at("keep").addEventListener("click", () => this.#keep());
    at("throw").addEventListener("click", () => this.#throw());
    at("add").addEventListener("submit", (event) => this.#add(event));
    for (const id of ["signer", "session"]) at(id).addEventListener("change", () => this.refresh());
    at("wanted").addEventListener("change", () => this.#show());
    at("record").addEventListener("keydown", (event) => this.#key(event));
  }

  /** told: as `api/studio.json`. */
  begin({ signer, today, file }) {
    at("signer").value = signer;
    at("session").value = today;
    at("file").textContent = `Takes go to ${plain(file)}; models learn from them with edgekit run --data.`;
  }

  /** What the file holds now by this person on this day. */
  async refresh() {
    try {
      const who = new URLSearchParams({ signer: at("signer").value.trim(), session: at("session").value.trim() });
      this.#counts = (await getJson(`./api/counts?${who}`)).counts;
      this.#show();
    } catch (error) {
      this.trouble(error);
    }
  }

  get #sign() {
    return document.querySelector("#signs input:checked")?.value ?? null;
  }

  get #wanted() {
    return Math.max(1, Math.round(Number(at("wanted").value)) || 1);
  }

  #show() {
    const chosen = this.#sign,
      names = [...new Set([...Object.keys(this.#counts), ...this.#own])];
    const next = chosen !== null && names.includes(chosen) ? chosen : names[0];
    at("signs").replaceChildren(...names.map((name) => this.#option(name, name === next)));
    this.#name();
  }

  #option(name, checked) {
    const count = this.#counts[name] ?? 0;
    const input = make("input", { type: "radio", name: "sign", value: name, checked });
    input.addEventListener("change", () => this.#name());
    const told = make("small", {}, `${count} of ${this.#wanted}`);
    return make(
      "label",
      { className: count >= this.#wanted ? "done" : "", title: plain(name) },
      input,
      make("b", {}, plain(name)),
      told,
    );
  }

  #name() {
    const sign = this.#sign;
    if (!this.#taken) at("take").textContent = sign === null ? "Record" : `Record ${plain(sign)}`;
  }

  #add(event) {
    event.preventDefault();
    const name = at("new-sign").value.trim();
    if (!name) return;
    this.#own.add(name);
    at("new-sign").value = "";
    this.#show();
    this.#choose(name);
  }

  #choose(name) {
    const found = [...document.querySelectorAll("#signs input")].find((input) => input.value === name);
    if (found) found.checked = true;
    this.#name();
  }

  async #take() {
    const sign = this.#sign;
    if (sign === null || !this.stage.runs || this.#busy || this.#taken) return;
    this.#busy = at("take").disabled = true;
    try {
      await this.#countDown(sign);
      const caught = await this.stage.capture(TAKE_S);
      this.#say(caught ? "Looking for the hand" : "The camera stopped: nothing was taken.");
      if (caught) this.#judge(sign, await this.stage.engine.take(caught.pictures, caught.times));
    } catch (error) {
      this.trouble(error);
    } finally {
      this.#busy = false;
      at("countdown").hidden = true;
      at("take").disabled = !this.stage.runs || this.#taken !== null;
    }
  }

  async #countDown(sign) {
    at("countdown").hidden = false;
    for (let left = COUNTDOWN; left > 0; left--) {
      at("countdown").textContent = left;
      this.#say(`${plain(sign)} in ${left}`);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    at("countdown").hidden = true;
    this.#say("Recording");
  }

  #judge(sign, take) {
    const frames = take.landmarks.length;
    if (!take.withHand) {
      this.#say(`No hand in any of ${frames} frames: thrown away.`);
      return;
    }
    this.#taken = { sign, take };
    const rate = take.rate ? ` at ${take.rate.toFixed(0)} a second` : "";
    at("judge-text").textContent = `${plain(sign)}: ${frames} frames${rate}, a hand in ${take.withHand}.`;
    this.#say(at("judge-text").textContent);
    at("judge").hidden = false;
    this.#replay = replay(
      at("replay"),
      take.landmarks.map((frame) => frame ?? []),
      take.aspect,
    );
    at("keep").focus();
  }

  async #keep() {
    if (!this.#taken) return;
    const { sign, take } = this.#taken;
    const said = {
      label: sign,
      new_class: this.#own.has(sign),
      signer: at("signer").value.trim(),
      session: at("session").value.trim(),
    };
    try {
      at("keep").disabled = true;
      const { landmarks, hand, aspect } = take;
      this.#counts = (await postJson("./api/takes", { ...said, landmarks, hand, aspect })).counts;
      this.trouble(null);
      this.#done(`Kept: ${this.#counts[sign]} of ${this.#wanted} of ${plain(sign)}.`);
      this.#show();
      if (this.#counts[sign] >= this.#wanted) this.#next();
    } catch (error) {
      this.trouble(error); // the take stays, to be kept once there is room
    } finally {
      at("keep").disabled = false;
    }
  }

  #throw() {
    if (this.#taken) this.#done("Thrown away.");
  }

  #done(message) {
    this.#replay?.();
    this.#taken = null;
    at("judge").hidden = true;
    at("take").disabled = !this.stage.runs;
    this.#name();
    this.#say(message);
    at("take").focus();
  }

  /** The first sign that has not enough takes yet. */
  #next() {
    const missing = Object.keys(this.#counts).find((name) => this.#counts[name] < this.#wanted);
    if (missing !== undefined) this.#choose(missing);
  }

  #key(event) {
    if (event.key !== "x" || !this.#taken || event.target.matches("input")) return;
    event.preventDefault();
    this.#throw();
  }

  #say(message) {
    at("take-note").textContent = message;
  }
}

/** Shows a take's frames on a canvas again and again, or where motion is not wanted its middle one. Returns what stops
    it. */
export function replay(canvas, frames, aspect) {
  const place = fitted(frames, aspect, canvas);
  const shown = (k) => drawHand(canvas, place(frames[k]));
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
    const seen = frames.map((frame, k) => (frame.some((value) => value !== 0) ? k : -1)).filter((k) => k >= 0);
    shown(seen[seen.length >> 1] ?? 0);
    return () => {};
  }
  let k = 0;
  const timer = setInterval(() => shown(k++ % frames.length), FRAME_MS);
  return () => clearInterval(timer);
}
