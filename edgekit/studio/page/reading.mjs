// The view that reads: the letter, how sure it is, the text, and voices.

import { at, plain } from "./dom.mjs";
import { canSpeak, hush, say } from "./speech.mjs";

/** What is shown of a moment: see engine_client.mjs. */
export class Reading {
  constructor(clear) {
    at("clear").addEventListener("click", () => this.#clear(clear));
    at("copy").addEventListener("click", () => this.#copy());
    at("speech").addEventListener("change", () => this.#chosen());
  }

  /** names: of the model's classes. */
  begin(names) {
    at("letter").classList.toggle(
      "word",
      names.some((name) => name.length > 2),
    );
  }

  moment({ hand, events, now, text }) {
    at("letter").textContent = now ? plain(now.label) : "";
    at("sure-bar").style.transform = `scaleX(${now ? now.probability.toFixed(3) : 0})`;
    at("state").textContent = now
      ? `${(100 * now.probability).toFixed(0)} % sure`
      : hand
        ? "A hand, no letter yet"
        : "No hand";
    this.happened(events, text);
  }

  /** Events outside of a moment, too: the camera has stopped. */
  happened(events, text) {
    at("text").textContent = plain(text);
    for (const event of events) this.#tell(event);
  }

  ended({ events, text }) {
    this.happened(events, text);
    at("letter").textContent = "";
    at("sure-bar").style.transform = "scaleX(0)";
    at("state").textContent = "The camera is off.";
  }

  #tell({ kind, label }) {
    const speech = at("speech").value;
    performance.mark(`edgekit ${kind}`, { detail: label }); // for whoever measures
    if (kind === "letter") {
      at("said").textContent = plain(label);
      if (speech === "letters") say(label);
    }
    if (kind === "word ended") {
      at("said").textContent = `Word: ${plain(label)}`;
      if (speech === "words") say(label.toLowerCase());
    }
  }

  #chosen() {
    hush();
    at("speech-note").hidden = at("speech").value === "off" || canSpeak();
  }

  #clear(clear) {
    clear();
    at("text").textContent = "";
    at("said").textContent = "Cleared";
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(at("text").textContent);
      at("said").textContent = "Copied";
    } catch {
      at("said").textContent = "The browser does not let this page copy";
    }
  }
}
