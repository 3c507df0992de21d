// The view of what was recorded: takes as hands that move, what `data check` says of each, and a way to throw one out.

import { at, make, plain } from "./dom.mjs";
import { replay } from "./recording.mjs";
import { getJson, postJson } from "./server.mjs";

const A_PAGE = 12,
  ALL = "";

/** trouble: called with an error, or null. */
export class Gallery {
  #takes = [];
  #found = {};
  #page = 0;
  #stops = [];
  #drawing = 0;

  constructor(trouble) {
    this.trouble = trouble;
    at("shown-class").addEventListener("change", () => this.#turn(0));
    at("only-found").addEventListener("change", () => this.#turn(0));
    at("earlier").addEventListener("click", () => this.#turn(this.#page - 1));
    at("later").addEventListener("click", () => this.#turn(this.#page + 1));
    at("undo").addEventListener("click", () => this.#undo());
  }

  /** Ask for everything again. */
  async refresh() {
    try {
      const [{ takes }, { thrown }] = await Promise.all([getJson("./api/takes"), getJson("./api/counts")]);
      this.#takes = takes;
      at("undo").disabled = thrown === 0;
      this.#classes();
      await this.#turn(this.#page);
      const check = await getJson("./api/check"); // of many takes this lasts seconds
      this.#list([...check.warnings, ...check.notes]);
      if (JSON.stringify(check.takes) === JSON.stringify(this.#found)) return;
      this.#found = check.takes;
      await this.#turn(this.#page);
    } catch (error) {
      this.trouble(error);
    }
  }

  /** Nothing moves any more. */
  leave() {
    this.#stops.forEach((stop) => stop());
    this.#stops = [];
  }

  #list(sentences) {
    at("findings").hidden = sentences.length === 0;
    at("warnings").replaceChildren(...sentences.map((sentence) => make("li", {}, plain(sentence))));
  }

  #classes() {
    const chosen = at("shown-class").value,
      counts = new Map();
    for (const { label } of this.#takes) counts.set(label, (counts.get(label) ?? 0) + 1);
    const options = [...counts].map(
      ([label, count]) => new Option(`${plain(label)} (${count})`, label, false, label === chosen),
    );
    at("shown-class").replaceChildren(new Option(`all (${this.#takes.length})`, ALL), ...options);
  }

  get #chosen() {
    const label = at("shown-class").value,
      only = at("only-found").checked;
    return this.#takes.filter((take) => (label === ALL || take.label === label) && (!only || this.#found[take.key]));
  }

  async #turn(page) {
    const takes = this.#chosen,
      pages = Math.max(Math.ceil(takes.length / A_PAGE), 1);
    this.#page = Math.min(Math.max(page, 0), pages - 1);
    at("earlier").disabled = this.#page === 0;
    at("later").disabled = this.#page === pages - 1;
    at("page-number").textContent = `Page ${this.#page + 1} of ${pages}`;
    at("takes-note").textContent = takes.length ? "" : "No takes here yet.";
    await this.#draw(takes.slice(this.#page * A_PAGE, (this.#page + 1) * A_PAGE));
  }

  async #draw(takes) {
    this.leave();
    const drawing = ++this.#drawing;
    const cards = takes.map((take) => this.#card(take));
    at("gallery").replaceChildren(...cards.map(({ card }) => card));
    for (const { canvas, key } of cards) {
      const { frames, aspect } = await getJson(`./api/takes/${key}`);
      if (drawing !== this.#drawing) return;
      this.#stops.push(replay(canvas, frames, aspect));
    }
  }

  #card(take) {
    const canvas = make("canvas", { width: 240, height: 240 }),
      found = this.#found[take.key] ?? [];
    canvas.setAttribute("aria-hidden", "true");
    const out = make("button", { type: "button" }, "Throw out");
    out.setAttribute("aria-label", `Throw out this take of ${plain(take.label)}`);
    out.addEventListener("click", () => this.#throw(take.key));
    const who = [take.signer || "nobody named", take.session].filter(Boolean).join(", ");
    const card = make(
      "li",
      {},
      canvas,
      make("strong", {}, plain(take.label)),
      make("span", { className: "hint" }, plain(`${who}; ${take.frames} frames, a hand in ${take.with_hand}`)),
      ...found.map((words) => make("span", { className: "found" }, plain(words))),
      out,
    );
    return { card, canvas, key: take.key };
  }

  #throw(key) {
    return this.#change(`./api/takes/${key}/out`, "Thrown out. The button above brings it back.");
  }

  #undo() {
    return this.#change("./api/undo", "The take is back, at the end of its class.");
  }

  /** What had the focus may go with this: it moves to what can be done next, at once. */
  async #change(path, message) {
    let done = "";
    try {
      at("undo").disabled = (await postJson(path)).thrown === 0;
      done = message;
      at(at("undo").disabled ? "takes-title" : "undo").focus();
      this.trouble(null);
    } catch (error) {
      this.trouble(error);
    }
    await this.refresh();
    at("takes-note").textContent = done;
  }
}
