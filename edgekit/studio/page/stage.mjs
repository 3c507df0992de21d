// The camera's part of the page: its picture with the hand over it, and a loop that gives pictures to whoever wants
// them.

import { Camera } from "./camera.mjs";
import { at } from "./dom.mjs";
import { drawHand } from "./drawing.mjs";

const FIGURES_S = 2;

/** engine: see engine_client.mjs. moment, ended: called with what the reader tells. trouble: called with an error. */
export class Stage {
  #loops = [];
  #capture = null;

  constructor(engine, { moment, ended, trouble }) {
    Object.assign(this, { engine, moment, ended, trouble });
    this.camera = new Camera(at("video"), (error) => this.#fail(error));
    at("start").addEventListener("click", () => (this.camera.runs ? this.stop() : this.start()));
    at("cameras").addEventListener("change", () => this.#change());
  }

  get runs() {
    return this.camera.runs;
  }

  /** The engine has opened. */
  ready() {
    at("start").disabled = false;
  }

  async start() {
    at("start").disabled = true;
    try {
      await this.camera.start(at("cameras").value);
      this.trouble(null);
      this.#show();
      await this.#list();
      this.#run();
    } catch (error) {
      this.trouble(error);
    } finally {
      at("start").disabled = false;
    }
  }

  /** The camera is off, and what was being signed has ended. */
  async stop() {
    if (!this.runs) return;
    this.camera.stop();
    this.#drop();
    this.#show();
    this.ended(await this.engine.end());
  }

  /** Pictures of so many seconds: {pictures, times}. null where the camera stops meanwhile. */
  capture(seconds) {
    if (!this.runs) return Promise.resolve(null);
    drawHand(at("overlay"), null);
    return new Promise((resolve) => (this.#capture = { seconds, pictures: [], times: [], resolve }));
  }

  async #run() {
    try {
      for (let grabbed; (grabbed = await this.camera.next()) !== null;) {
        if (this.#capture) this.#collect(grabbed);
        else await this.#read(grabbed);
      }
    } catch (error) {
      this.#fail(error);
    }
    if (!this.runs) this.#drop();
  }

  /** What is being captured comes to nothing. */
  #drop() {
    this.#capture?.resolve(null);
    this.#capture = null;
  }

  async #read({ picture, time }) {
    const moment = await this.engine.frame(picture, time);
    this.#draw(moment);
    if (!this.runs) return;
    this.#count(moment.took);
    this.moment(moment);
  }

  #collect({ picture, time }) {
    const { seconds, pictures, times, resolve } = this.#capture;
    const almost = seconds - 0.5 / 30;
    if (times.length && time - times[0] >= almost) {
      picture.close();
      this.#capture = null;
      resolve({ pictures, times });
      return;
    }
    pictures.push(picture);
    times.push(time);
  }

  /** The hand over the picture that it was found in: the video is some pictures ahead. */
  #draw({ picture, hand }) {
    const { width, height } = picture,
      canvas = at("overlay");
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    drawHand(canvas, this.runs && hand ? hand.landmarks : null, this.runs && !this.#capture ? picture : null);
    picture.close();
  }

  /** How fast it goes, over the last seconds. */
  #count(took) {
    const now = performance.now() / 1000;
    this.#loops.push({ now, ...took });
    while (now - this.#loops[0].now > FIGURES_S) this.#loops.shift();
    if (this.#loops.length < 3) return;
    const mean = (name) => this.#loops.reduce((sum, loop) => sum + loop[name], 0) / this.#loops.length;
    const rate = (this.#loops.length - 1) / (now - this.#loops[0].now);
    const times = `tracker ${mean("tracker").toFixed(0)} ms, classifier ${mean("classifier").toFixed(1)} ms`;
    at("figures").textContent = `${rate.toFixed(0)} pictures a second: ${times}`;
  }

  async #change() {
    if (!this.runs) return;
    await this.stop();
    await this.start();
  }

  async #list() {
    const cameras = await this.camera.list(),
      chosen = at("cameras").value;
    at("cameras").replaceChildren(...cameras.map(({ id, name }) => new Option(name, id, false, id === chosen)));
    at("which").hidden = cameras.length < 2;
  }

  #fail(error) {
    this.camera.stop();
    this.#drop();
    this.#show();
    this.trouble(error);
    this.engine.end().then(this.ended, this.trouble);
  }

  #show() {
    const runs = this.runs;
    at("start").textContent = runs ? "Stop the camera" : "Start the camera";
    at("start").classList.toggle("primary", !runs);
    at("asleep").hidden = runs;
    at("take").disabled = !runs;
    this.#loops = [];
    at("figures").textContent = "";
    drawHand(at("overlay"), null);
  }
}
