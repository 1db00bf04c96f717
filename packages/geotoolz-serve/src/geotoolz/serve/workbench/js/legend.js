// The legend, drawn from the very table that coloured the tiles.

import { json } from "./api.js";
import { byId, make, shown } from "./dom.js";

/** Return the content of a legend under a name. */
function legendContent(name, legend) {
  const about = legend.units ? `${legend.title} (${legend.units})` : legend.title || "";
  const title = make("div", {}, make("h2", { text: name }), about && about !== name ? make("p", { class: "note", text: about }) : null);
  if (legend.classes) return [title, make("ul", { class: "classes" }, ...legend.classes.map(classRow))];
  if (legend.colors) return [title, bar(legend.colors), range(legend)];
  const bands = legend.composite || legend.bands || [];
  const rows = bands.slice(0, 3).map((band, i) => make("li", {}, swatch(["#d0443c", "#3f9a4c", "#3b6fd1"][i]), make("span", { text: band })));
  return rows.length ? [title, make("ul", { class: "classes" }, ...rows)] : [title];
}

function classRow({ value, name, color }) {
  const text = String(name).replaceAll("_", " ");
  return make("li", {}, swatch(color), make("span", { text }), value === null ? null : make("span", { class: "faint", text: value }));
}

function swatch(color) {
  const box = make("span", { class: "swatch", "aria-hidden": "true" });
  box.style.backgroundColor = color;
  return box;
}

function bar(colors) {
  const canvas = make("canvas", { class: "ramp", width: colors.length, height: 1, role: "img", "aria-label": "Colour ramp" });
  const pen = canvas.getContext("2d");
  colors.forEach((color, i) => {
    pen.fillStyle = color;
    pen.fillRect(i, 0, 1, 1);
  });
  return canvas;
}

function range({ vmin, vmax }) {
  const middle = (vmin + vmax) / 2;
  return make("div", { class: "range" }, ...[vmin, middle, vmax].map((one) => make("span", { text: shown(one, 3) })));
}

export class LegendCard {
  constructor(store, map) {
    this.place = byId("legend");
    this.known = new Map();
    this.map = map;
    this.store = store;
    store.on(["layer", "compare"], () => this.show(store.state));
    this.show(store.state);
  }

  async of(name) {
    if (!this.known.has(name)) this.known.set(name, await json(`layers/${encodeURIComponent(name)}/legend.json`));
    return this.known.get(name);
  }

  /** Show the legend of a run in place of the layers', as long as its picture lies over them. */
  result(legend) {
    this.run = legend;
    this.show(this.store.state);
  }

  async show({ layer, compare }) {
    if (this.run !== undefined) {
      this.wanted = "";
      this.put(this.run ? [make("div", { class: "legend-part" }, ...legendContent("Result", this.run))] : []);
      return;
    }
    const names = [layer, compare].filter((name) => this.map.layer(name));
    this.wanted = names.join(" ");
    const parts = [];
    for (const name of names) {
      try {
        const title = this.map.layer(name).title || name;
        parts.push(make("div", { class: "legend-part" }, ...legendContent(title, await this.of(name))));
      } catch (error) {
        parts.push(make("p", { class: "note", text: `No legend: ${error}` }));
      }
    }
    if (this.run !== undefined || this.wanted !== names.join(" ")) return; // another layer was chosen meanwhile
    this.put(parts);
  }

  put(parts) {
    this.place.replaceChildren(...parts);
    this.place.hidden = !parts.length;
    // what scrolls has to be reached by keys
    this.place.tabIndex = this.place.scrollHeight > this.place.clientHeight ? 0 : -1;
  }
}
