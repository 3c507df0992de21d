// The view of the model: what its file says of itself, its card, and the last report.

import { at, make, plain } from "./dom.mjs";
import { postJson } from "./server.mjs";

/** models: as `api/studio.json` tells of them, one or two. */
export function showModels(models) {
  at("facts").replaceChildren(...models.flatMap((model) => facts(model, models.length > 1)));
  const [{ card }] = models;
  at("card").replaceChildren(...(card === null ? [] : paragraphs(card)));
}

function facts(model, several) {
  const rows = [
    ["file", model.file],
    ["size", `${(model.bytes / 1000).toFixed(1)} KB`],
    ["SHA-256", model.sha256],
    ["reads", `${model.frames} frames of one hand`],
    ["classes", model.names.join(", ")],
    ...model.facts,
  ];
  const lines = rows.flatMap(([what, value]) => [make("dt", {}, what), make("dd", {}, plain(value))]);
  return [...(several ? [make("h2", {}, plain(model.file))] : []), make("dl", { className: "facts" }, ...lines)];
}

/** told: as `api/studio.json`; report: seconds since 1970 when the last one was written, or null; report_text: of the
    last run, as Markdown, or null. */
export function showReport({ report: made, report_text: text }, trouble) {
  at("report").hidden = made === null;
  at("report-note").textContent = made === null ? "" : `written ${new Date(1000 * made).toLocaleString()}`;
  if (made === null && text === null) at("report-note").textContent = "The work directory has no report yet.";
  at("told").hidden = text === null;
  at("report-text").replaceChildren(...(text === null ? [] : paragraphs(text)));
  at("report").addEventListener("click", async () => {
    try {
      const { path } = await postJson("./api/report");
      open(path, "_blank", "noopener");
    } catch (error) {
      trouble(error);
    }
  });
}

/** As much of Markdown as the card has: headings, paragraphs, lists, tables and code. Everything else is text. */
function paragraphs(text) {
  const parts = text.split(/^(```[^]*?^```)$/m); // every other one is code, which may hold empty lines
  const blocks = parts.flatMap((part, k) => (k % 2 ? [part] : part.split(/\n{2,}/)));
  return blocks
    .map((block) => block.trim())
    .filter(Boolean)
    .map(paragraph);
}

function paragraph(block) {
  const lines = block.split("\n");
  if (block.startsWith("#")) return make(/^#\s/.test(block) ? "h2" : "h3", {}, block.replace(/^#+\s*/, ""));
  if (block.startsWith("```"))
    return focusable(make("pre", {}, make("code", {}, lines.slice(1, -1).join("\n"))), "Command");
  if (block.startsWith("|")) return focusable(make("div", { className: "scroll" }, table(lines)), "Table");
  if (block.startsWith("- "))
    return make("ul", {}, ...block.split(/\n(?=- )/).map((item) => make("li", {}, ...words(item.slice(2)))));
  return make("p", {}, ...words(block));
}

/** What may be wider than the page can be scrolled by keys, too. */
function focusable(element, name) {
  element.tabIndex = 0;
  element.setAttribute("role", "region");
  element.setAttribute("aria-label", name);
  return element;
}

function table([head, , ...rows]) {
  const cells = (line, name) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => make(name, {}, ...words(cell.trim())));
  const body = make("tbody", {}, ...rows.map((line) => make("tr", {}, ...cells(line, "td"))));
  return make("table", {}, make("thead", {}, make("tr", {}, ...cells(head, "th"))), body);
}

/** Text with its code; of links the words alone, since the card's lead to files beside it. */
function words(text) {
  const flat = text.replace(/\s*\n\s*/g, " ").replace(/\[([^\]]+)\]\([^)]*\)/g, "$1");
  return flat.split(/`([^`]+)`/).map((part, k) => (k % 2 ? make("code", {}, part) : part));
}
