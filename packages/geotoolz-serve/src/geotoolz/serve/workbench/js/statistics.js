// Numbers and histogram of the view.

import { json, query } from "./api.js";
import { byId, debounced, make, shown } from "./dom.js";

const WIDTH = 320;
const HEIGHT = 110;

export class Statistics {
  constructor(store, map, legends) {
    this.store = store;
    this.map = map;
    this.legends = legends;
    const soon = debounced(() => this.read(), 300);
    store.on(["layer", "time", "at"], () => store.state.tab === "statistics" && soon());
    store.on(["tab"], (state) => state.tab === "statistics" && this.read());
    if (store.state.tab === "statistics") this.read();
  }

  async read() {
    const place = byId("statistics");
    const { layer, time } = this.store.state;
    const view = this.map.view();
    if (!layer || !view) {
      place.replaceChildren(make("p", { class: "note", text: "The layer is not in the view." }));
      return;
    }
    this.asked?.abort();
    this.asked = new AbortController();
    place.setAttribute("aria-busy", "true");
    try {
      const bbox = view.bbox.map((one) => one.toFixed(7)).join(",");
      const values = { bbox, time: this.map.layer().times?.length ? time : null };
      const found = await json(query(`layers/${encodeURIComponent(layer)}/statistics`, values), { signal: this.asked.signal });
      const legend = await this.legends.of(layer).catch(() => null);
      place.replaceChildren(...statisticsContent(found, legend));
    } catch (error) {
      if (error.name !== "AbortError") place.replaceChildren(make("p", { class: "note", text: String(error) }));
    }
    place.removeAttribute("aria-busy");
  }
}

/** Return what is shown of the statistics of some variables. */
export function statisticsContent(found, legend) {
  const variables = Object.entries(found.variables || {});
  if (!variables.length) return [make("p", { class: "note", text: "Nothing to count." })];
  return variables.map(([name, one]) => {
    const title = one.units && one.units !== "1" ? `${name} (${one.units})` : name;
    const share = one.count ? one.valid / one.count : 0;
    const picture = one.classes ? classes(one.classes, one.valid, legend) : one.histogram ? histogram(name, one, legend) : null;
    return make("section", { class: "variable" }, make("h3", { text: title }), picture, one.classes ? null : numbers(one),
      make("p", { class: "note", text: `${one.valid.toLocaleString("en")} valid pixels, ${shown(share * 100, 3)} % of the view` }));
  });
}

function numbers(one) {
  const rows = [["min", one.min], ["mean", one.mean], ["max", one.max], ["median", one.percentiles?.["50"]], ["std", one.std]];
  const cells = rows.filter(([, value]) => value !== undefined).map(([name, value]) =>
    make("div", {}, make("dt", { text: name }), make("dd", { text: shown(value, 4) })));
  return make("dl", { class: "numbers" }, ...cells);
}

function histogram(name, one, legend) {
  const { counts, edges } = one.histogram;
  const most = Math.max(...counts, 1);
  const wide = WIDTH / counts.length;
  const bars = counts.map((count, i) => {
    const tall = count ? Math.max((count / most) * HEIGHT, 1) : 0;
    const middle = (edges[i] + edges[i + 1]) / 2;
    const text = `${shown(edges[i], 3)} to ${shown(edges[i + 1], 3)}: ${count.toLocaleString("en")} pixels`;
    const bar = make("rect", { x: i * wide, y: HEIGHT - tall, width: Math.max(wide - 0.5, 0.5), height: tall, class: "bar" }, make("title", { text }));
    const color = colorOf(middle, legend);
    if (color) bar.style.fill = color;
    return bar;
  });
  const label = `Histogram of ${name}: from ${shown(edges[0], 3)} to ${shown(edges.at(-1), 3)}, most pixels near ${shown(edges[counts.indexOf(most)] ?? edges[0], 3)}`;
  const picture = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label, class: "histogram" }, ...bars);
  const axis = make("div", { class: "range" }, make("span", { text: shown(edges[0], 3) }), make("span", { text: shown(edges.at(-1), 3) }));
  return make("div", {}, picture, axis);
}

/** Return the colour that the map gives a value, if its legend is a ramp. */
function colorOf(value, legend) {
  if (!legend?.colors) return null;
  const place = Math.floor(((value - legend.vmin) / (legend.vmax - legend.vmin)) * legend.colors.length);
  return legend.colors[Math.min(Math.max(place, 0), legend.colors.length - 1)];
}

function classes(list, valid, legend) {
  const colors = new Map((legend?.classes || []).map((one) => [one.value, one.color]));
  const rows = list.filter((one) => one.count).sort((a, b) => b.count - a.count).map((one) => {
    const share = one.count / Math.max(valid, 1);
    const bar = make("span", { class: "share-bar" });
    bar.style.width = `${share * 100}%`;
    if (colors.get(one.value)) bar.style.backgroundColor = colors.get(one.value);
    const text = String(one.name ?? one.value).replaceAll("_", " ");
    return make("li", {}, make("span", { text }), make("span", { class: "faint", text: `${shown(share * 100, 3)} %` }), make("span", { class: "share" }, bar));
  });
  return make("ul", { class: "shares" }, ...rows);
}
