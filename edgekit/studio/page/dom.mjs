// Elements found, made and filled. Text only ever goes in as text: names of classes and people may hold markup.

/** The element of an id; it is in index.html. */
export const at = (id) => document.getElementById(id);

/** A new element. properties: set on it; children: elements and texts. */
export function make(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** Show a message, or hide its place where there is none. */
export function tell(place, message) {
  place.textContent = message ?? "";
  place.hidden = !message;
}

/** Words without what a screen or a screen reader would obey: control characters and marks of direction. */
export const plain = (text) => text.replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "\u{fffd}");
