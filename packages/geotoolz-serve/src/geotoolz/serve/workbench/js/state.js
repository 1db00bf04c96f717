// What is shown, in one place; kept in the address behind the #, so that a link shows the same.

const START = { at: null, layer: null, opacity: 1, compare: null, swipe: 0.5, time: null, tab: "layers", yaml: "" };

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function toBase64(text) {
  const bytes = new TextEncoder().encode(text);
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function fromBase64(text) {
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(binary, (char) => char.charCodeAt(0)));
  } catch (error) {
    return ""; // somebody cut the link
  }
}

/** Return the state that a fragment describes; what it does not say, or says wrongly, has its default. */
export function parsed(fragment) {
  const given = new URLSearchParams(fragment.replace(/^#/, ""));
  const state = { ...START };
  const at = (given.get("at") || "").split("/").map(Number);
  if (at.length === 3 && at.every(Number.isFinite)) {
    state.at = { zoom: clamp(at[0], 0, 24), lat: clamp(at[1], -85, 85), lon: clamp(at[2], -180, 180) };
  }
  const percent = (name) => (given.has(name) && Number.isFinite(+given.get(name)) ? clamp(+given.get(name), 0, 100) / 100 : null);
  state.opacity = percent("opacity") ?? START.opacity;
  state.swipe = percent("swipe") ?? START.swipe;
  state.layer = given.get("layer");
  state.compare = given.get("with");
  state.time = given.get("time");
  state.tab = ["layers", "inspect", "statistics", "pipeline"].includes(given.get("tab")) ? given.get("tab") : START.tab;
  state.yaml = given.has("yaml") ? fromBase64(given.get("yaml")) : "";
  return state;
}

/** Return the fragment of a state, without what has its default. */
export function fragment(state) {
  const out = new URLSearchParams();
  if (state.at) {
    const digits = Math.max(2, Math.ceil(state.at.zoom / 3));
    out.set("at", `${Number(state.at.zoom.toFixed(2))}/${state.at.lat.toFixed(digits)}/${state.at.lon.toFixed(digits)}`);
  }
  if (state.layer) out.set("layer", state.layer);
  if (state.opacity < 1) out.set("opacity", Math.round(state.opacity * 100));
  if (state.compare) {
    out.set("with", state.compare);
    out.set("swipe", Math.round(state.swipe * 100));
  }
  if (state.time) out.set("time", state.time);
  if (state.tab !== START.tab) out.set("tab", state.tab);
  if (state.yaml) out.set("yaml", toBase64(state.yaml));
  return `#${out.toString().replaceAll("%2F", "/").replaceAll("%3A", ":")}`;
}

export class Store {
  constructor() {
    this.state = parsed(location.hash);
    this.listeners = [];
    window.addEventListener("hashchange", () => this.set(parsed(location.hash)));
  }

  /** Change some values, tell who listens, and put them into the address. */
  set(changes) {
    const changed = new Set(Object.keys(changes).filter((key) => JSON.stringify(changes[key]) !== JSON.stringify(this.state[key])));
    if (!changed.size) return;
    this.state = { ...this.state, ...changes };
    history.replaceState(null, "", fragment(this.state));
    for (const listener of this.listeners) listener(this.state, changed);
  }

  /** Call `listener(state)` whenever one of the values changes. */
  on(names, listener) {
    this.listeners.push((state, changed) => names.some((name) => changed.has(name)) && listener(state));
  }
}
