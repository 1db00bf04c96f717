// What belongs to no tool: tabs, colours, windows, the fold of the panel.

import { byId } from "./dom.js";

const NAMES = ["layers", "inspect", "statistics", "pipeline"];

export function tabs(store) {
  const show = ({ tab }) => {
    for (const name of NAMES) {
      const button = byId(`tab-${name}`);
      button.setAttribute("aria-selected", String(name === tab));
      button.tabIndex = name === tab ? 0 : -1;
      byId(`view-${name}`).hidden = name !== tab;
    }
  };
  for (const [i, name] of NAMES.entries()) {
    const button = byId(`tab-${name}`);
    button.addEventListener("click", () => {
      unfold();
      store.set({ tab: name });
    });
    button.addEventListener("keydown", (event) => {
      const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: NAMES.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = NAMES[(to + NAMES.length) % NAMES.length];
      store.set({ tab: next });
      byId(`tab-${next}`).focus();
    });
  }
  store.on(["tab"], show);
  show(store.state);
  byId("fold").addEventListener("click", () => fold(!document.body.classList.contains("folded")));
}

function fold(folded) {
  document.body.classList.toggle("folded", folded);
  byId("fold").setAttribute("aria-expanded", String(!folded));
  byId("fold").setAttribute("aria-label", folded ? "Unfold the panel" : "Fold the panel");
}

const unfold = () => fold(false);

/** Remember whether keys or a pointer are used: the cross in the map's middle is for keys. */
export function inputs() {
  document.addEventListener("keydown", () => (document.body.dataset.input = "keys"), true);
  document.addEventListener("pointerdown", () => (document.body.dataset.input = "pointer"), true);
}

export function theme() {
  const button = byId("theme");
  const show = () => button.setAttribute("aria-pressed", String(document.documentElement.dataset.theme === "dark"));
  button.addEventListener("click", () => window.switchTheme());
  document.addEventListener("themechange", show);
  show();
}

export function windows() {
  byId("help").addEventListener("click", () => byId("help-dialog").showModal());
  byId("share").addEventListener("click", () => {
    byId("share-link").value = location.href;
    byId("share-note").textContent = "";
    byId("share-dialog").showModal();
    byId("share-link").select();
  });
  byId("share-copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(byId("share-link").value);
      byId("share-note").textContent = "Copied.";
    } catch (error) {
      // without https there is no clipboard
      byId("share-link").select();
      byId("share-note").textContent = "Press Ctrl+C.";
    }
  });
}
