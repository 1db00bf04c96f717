// One pixel at every step of the pipeline.

import { json, query } from "./api.js";
import { byId, make, shown } from "./dom.js";

export class Inspector {
  constructor(store, map) {
    this.store = store;
    this.map = map;
    map.map.on("click", ({ latlng }) => this.at(latlng));
    byId("map").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.target === byId("map")) this.at(map.map.getCenter());
      if (event.key === "Escape") this.clear();
    });
    store.on(["layer", "time"], () => this.point && this.read());
  }

  at({ lat, lng }) {
    this.point = [lat, lng];
    this.map.mark(this.point);
    this.store.set({ tab: "inspect" });
    this.read();
  }

  clear() {
    this.point = null;
    this.map.mark(null);
    byId("inspect").replaceChildren();
    byId("inspect-hint").hidden = false;
  }

  async read() {
    const [lat, lon] = this.point;
    const { layer, time } = this.store.state;
    if (!layer) return;
    this.asked?.abort();
    this.asked = new AbortController();
    const place = byId("inspect");
    byId("inspect-hint").hidden = true;
    const heading = make("p", { class: "place", text: `${lat.toFixed(5)}°, ${lon.toFixed(5)}°` });
    try {
      const values = { lon: lon.toFixed(7), lat: lat.toFixed(7), time: this.map.layer()?.times?.length ? time : null };
      const found = await json(query(`layers/${encodeURIComponent(layer)}/point`, values), { signal: this.asked.signal });
      place.replaceChildren(heading, ...scene(found.scene), ...steps(found.steps || []));
    } catch (error) {
      if (error.name !== "AbortError") place.replaceChildren(heading, make("p", { class: "note", text: String(error) }));
    }
  }
}

/** Say whose pixel it is. */
function scene(about) {
  const words = [about?.tile_id, about?.datetime?.slice(0, 10)].filter(Boolean);
  return words.length ? [make("p", { class: "note", text: words.join(" · ") })] : [];
}

/** Return the steps, each with what it changed. */
function steps(list) {
  let before = {};
  return list.map((step, i) => {
    const values = step.values || {};
    const rows = Object.entries(values).filter(([name, one]) => i === 0 || !same(before[name], one));
    const gone = Object.keys(before).filter((name) => !(name in values));
    const kept = Object.keys(values).length - rows.length;
    before = values;
    return make(
      "section", { class: "step" },
      make("h3", {}, make("span", { class: "step-number", text: String(i), "aria-hidden": "true" }), step.step || step.operator || "step"),
      rows.length ? table(rows) : null,
      kept && i > 0 ? make("p", { class: "note", text: `${kept} unchanged` }) : null,
      gone.length ? make("p", { class: "note", text: `no longer there: ${gone.join(", ")}` }) : null,
    );
  });
}

const same = (one, other) => one !== undefined && one.value === other.value;

function table(rows) {
  const body = rows.map(([name, { value, units, name: meaning }]) =>
    make("tr", {}, make("th", { scope: "row", text: name }),
      make("td", { class: value === null ? "faint" : "", text: shown(value) }),
      make("td", { class: "faint", text: meaning?.replaceAll("_", " ") || (units && units !== "1" ? units : "") })));
  return make("table", {}, make("tbody", {}, ...body));
}
