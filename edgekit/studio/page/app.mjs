// The page: opens the engine, and shows one view at a time.

import { showModels, showReport } from "./card.mjs";
import { at, plain, tell } from "./dom.mjs";
import { Engine, lacking } from "./engine_client.mjs";
import { Gallery } from "./gallery.mjs";
import { Reading } from "./reading.mjs";
import { Recording } from "./recording.mjs";
import { getJson, records } from "./server.mjs";
import { Stage } from "./stage.mjs";

const VIEWS = records ? ["read", "record", "takes", "model"] : ["read", "model"];
const WITH_CAMERA = ["read", "record"];

const trouble = (error) => tell(at("trouble"), error && plain(`${error.message ?? error}`));
const engine = new Engine();
const reading = new Reading(() => engine.clear());
const stage = new Stage(engine, {
  moment: (moment) => reading.moment(moment),
  ended: (told) => reading.ended(told),
  trouble,
});
const recording = new Recording(stage, trouble);
const gallery = new Gallery(trouble);

/** Show the view that the address names. */
function show(byUser) {
  const named = location.hash.slice(1);
  if (named === "main") return;
  if (named.startsWith("token=")) {
    location.reload(); // the address of a studio that was started again, opened in this tab
    return;
  }
  const view = VIEWS.includes(named) ? named : "read";
  for (const name of ["read", "record", "takes", "model"]) at(name).hidden = name !== view;
  document.querySelector(".desk").hidden = !WITH_CAMERA.includes(view);
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!WITH_CAMERA.includes(view)) stage.stop();
  gallery.leave();
  if (view === "record") recording.refresh();
  if (view === "takes") gallery.refresh();
  document.title = `${at(`${view}-title`).textContent} - edgekit studio`;
  if (byUser) {
    scrollTo(0, 0);
    at(`${view}-title`).focus({ preventScroll: true });
  }
}

async function begin() {
  for (const element of document.querySelectorAll("[data-served]")) element.hidden = !records;
  const missing = lacking();
  if (missing) throw new Error(missing);
  const told = await getJson("./api/studio.json");
  at("version").textContent = `edgekit ${told.version}`;
  tell(at("note"), told.model.note && plain(told.model.note));
  const models = told.beside ? [told.model, told.beside] : [told.model];
  showModels(models);
  reading.begin(models);
  if (records) {
    showReport(told, trouble);
    recording.begin(told);
  }
  addEventListener("hashchange", () => show(true));
  show(false);
  await engine.open(models, (part) => (at("progress").value = part));
  stage.ready();
}

begin()
  .catch(trouble)
  .finally(() => (at("loading").hidden = true));
