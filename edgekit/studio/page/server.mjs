// What the page asks of whoever serves it: the studio's server, which wants a token, or any server of files.

const served = document.querySelector('meta[name="edgekit-studio"]').content === "served";
const STORE = "edgekit-token";

/** Whether takes can be recorded: an exported page has no server to keep them. */
export const records = served;

/** The token from the address, which is cleared of it, or from an earlier look of this window. */
function findToken() {
  const said = new URLSearchParams(location.hash.slice(1)).get("token");
  if (said) {
    sessionStorage.setItem(STORE, said);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(STORE) ?? "";
}

const token = served ? findToken() : "";

/** An answer that was refused; its message is for people. */
export class Refused extends Error {}

async function ask(path, options = {}) {
  const headers = served ? { Authorization: `Bearer ${token}`, ...options.headers } : {};
  let answer;
  try {
    answer = await fetch(new URL(path, document.baseURI), { ...options, headers });
  } catch {
    throw new Refused(
      served ? "The studio does not answer: is `edgekit studio` still running?" : "The server does not answer.",
    );
  }
  if (answer.ok) return answer;
  throw new Refused(await whyNot(answer));
}

async function whyNot(answer) {
  if (answer.status === 401) {
    return "This page has no key to the studio. Open the address that `edgekit studio` printed in the terminal.";
  }
  try {
    return (await answer.json()).error;
  } catch {
    return `The server answered ${answer.status}.`;
  }
}

export const getJson = async (path) => (await ask(path)).json();

/** body: sent as JSON. */
export async function postJson(path, body = {}) {
  const headers = { "Content-Type": "application/json" };
  return (await ask(path, { method: "POST", headers, body: JSON.stringify(body) })).json();
}

/** The bytes of a file; told: called with how many are here. */
export async function getBytes(path, told) {
  const answer = await ask(path),
    parts = [];
  let length = 0;
  for (const reader = answer.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    told(value.length);
    length += value.length;
  }
  const whole = new Uint8Array(length);
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}
