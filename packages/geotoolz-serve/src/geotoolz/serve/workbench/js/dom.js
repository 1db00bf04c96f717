// Small helpers. Texts of the server only ever become text nodes: markup in them is shown, not interpreted.

export const byId = (id) => document.getElementById(id);

/** Return a new element; `attributes` may hold `class`, `text`, listeners (`onclick`) and attributes. */
export function make(tag, attributes = {}, ...children) {
  const element = tag === "svg" || SVG.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const SVG = new Set(["rect", "line", "text", "g", "path", "title"]);

/** Return a number with at most `digits` significant digits, without trailing zeros. */
export function shown(value, digits = 5) {
  if (value === null || value === undefined || Number.isNaN(value)) return "no data";
  if (typeof value !== "number") return String(value);
  return String(Number(value.toPrecision(digits))).replace("-", "\u2212");
}

export function debounced(work, milliseconds) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), milliseconds);
  };
}

/** Say something that the reader has to know; an empty text takes it back. */
export function notice(text) {
  const place = byId("notice");
  place.textContent = text;
  place.hidden = !text;
}

export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = make("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
