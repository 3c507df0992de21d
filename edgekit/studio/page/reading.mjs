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

  /** models: as `api/studio.json` tells of them; the second one is shown beside the first. */
  begin(models) {
    const long = models.some((model) => model.names.some((name) => name.length > 2));
    at("letter").classList.toggle("word", long);
    at("beside").hidden = models.length < 2;
    if (models.length > 1) at("beside-title").textContent = `Beside it: ${plain(models[1].file)}`;
  }

  moment({ hand, told }) {
    const { now } = told[0];
    at("letter").textContent = now ? plain(now.label) : "";
    at("sure-bar").style.transform = `scaleX(${now ? now.probability.toFixed(3) : 0})`;
    at("state").textContent = now ? howSure(now) : hand ? "A hand, no letter yet" : "No hand";
    this.#happened(told);
  }

  ended({ told }) {
    this.#happened(told);
    at("letter").textContent = "";
    at("sure-bar").style.transform = "scaleX(0)";
    at("state").textContent = "The camera is off.";
  }

  #happened([first, second]) {
    at("text").textContent = plain(first.text);
    for (const event of first.events) this.#tell(event);
    if (!second) return;
    at("beside-now").textContent = second.now ? `${plain(second.now.label)}, ${howSure(second.now)}` : "No letter";
    at("beside-text").textContent = plain(second.text);
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
    for (const id of ["text", "beside-text"]) at(id).textContent = "";
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

const howSure = ({ probability }) => `${(100 * probability).toFixed(0)} % sure`;
