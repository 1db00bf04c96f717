// The map: one or two layers of tiles, a swipe between them, the result of a run, the inspected pixel.

import { byId } from "./dom.js";
import { Graticule } from "./graticule.js";
import { Tiles } from "./tiles.js";

const L = window.L;

export class MapView {
  constructor(store, layers) {
    this.store = store;
    this.layers = layers;
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.map = L.map("map", {
      zoomControl: false,
      attributionControl: false,
      zoomAnimation: !calm,
      fadeAnimation: !calm,
      minZoom: 1,
      maxZoom: 22,
    });
    L.control.zoom({ position: "topright" }).addTo(this.map);
    L.control.scale({ position: "bottomleft", imperial: false }).addTo(this.map);
    for (const [name, level] of [["graticule", 150], ["first", 200], ["second", 210], ["result", 220], ["names", 230]]) {
      this.map.createPane(name).style.zIndex = level;
    }
    for (const name of ["graticule", "names"]) this.map.getPane(name).style.pointerEvents = "none";
    this.start();
    new Graticule().addTo(this.map);
    this.map.on("moveend", () => this.remember());
    this.map.on("move zoom resize", () => this.clip());
    new ResizeObserver(() => this.map.invalidateSize({ pan: false })).observe(byId("map"));
    store.on(["layer", "time"], () => this.show("first"));
    store.on(["compare", "time"], () => this.show("second"));
    store.on(["opacity"], (state) => this.shownFirst?.setOpacity(state.opacity));
    store.on(["swipe"], () => this.clip());
    store.on(["at"], (state) => this.follow(state.at));
    this.show("first");
    this.show("second");
    this.swipeHandle();
  }

  start() {
    const { at } = this.store.state;
    if (at) this.map.setView([at.lat, at.lon], at.zoom);
    else this.whole();
  }

  /** Show all of the layer. */
  whole() {
    const [west, south, east, north] = this.layer()?.bounds || [-120, -55, 140, 65];
    const space = byId("map").clientWidth < 600 ? 6 : 24;
    this.map.fitBounds([[south, west], [north, east]], { padding: [space, space], animate: false });
  }

  layer(name = this.store.state.layer) {
    return this.layers.find((one) => one.name === name) || null;
  }

  remember() {
    const { lat, lng } = this.map.getCenter();
    this.moving = true;
    this.store.set({ at: { zoom: this.map.getZoom(), lat, lon: lng } });
    this.moving = false;
  }

  follow(at) {
    if (at && !this.moving) this.map.setView([at.lat, at.lon], at.zoom, { animate: false });
  }

  show(pane) {
    const { state } = this.store;
    const key = pane === "first" ? "shownFirst" : "shownSecond";
    this[key]?.remove();
    this[key] = null;
    const layer = this.layer(pane === "first" ? state.layer : state.compare);
    if (layer) {
      const time = layer.times?.length ? state.time : null;
      this[key] = new Tiles(layer, { pane, time, opacity: pane === "first" ? state.opacity : 1 }).addTo(this.map);
    }
    this.clip();
  }

  /** Cut the two layers off at the handle. */
  clip() {
    const { compare, swipe } = this.store.state;
    const first = this.map.getPane("first");
    const second = this.map.getPane("second");
    const handle = byId("swipe");
    handle.hidden = !this.shownSecond;
    if (!this.shownSecond) {
      first.style.clip = "";
      return;
    }
    const size = this.map.getSize();
    const from = this.map.containerPointToLayerPoint([0, 0]);
    const to = this.map.containerPointToLayerPoint(size);
    const x = from.x + size.x * swipe;
    first.style.clip = `rect(${from.y}px, ${x}px, ${to.y}px, ${from.x}px)`;
    second.style.clip = `rect(${from.y}px, ${to.x}px, ${to.y}px, ${x}px)`;
    handle.style.left = `${swipe * 100}%`;
    handle.setAttribute("aria-valuenow", Math.round(swipe * 100));
    handle.querySelector(".swipe-left").textContent = this.layer()?.title || "";
    handle.querySelector(".swipe-right").textContent = this.layer(compare)?.title || "";
  }

  swipeHandle() {
    const handle = byId("swipe");
    const to = (value) => this.store.set({ swipe: Math.min(Math.max(value, 0), 1) });
    handle.addEventListener("keydown", (event) => {
      const { swipe } = this.store.state;
      const steps = { ArrowLeft: swipe - 0.02, ArrowRight: swipe + 0.02, PageDown: swipe - 0.1, PageUp: swipe + 0.1, Home: 0, End: 1 };
      if (!(event.key in steps)) return;
      event.preventDefault();
      to(steps[event.key]);
    });
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      event.preventDefault();
      handle.focus();
    });
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const box = byId("map").getBoundingClientRect();
      to((event.clientX - box.left) / box.width);
    });
  }

  /** Return the visible part of the layer: degrees, and pixels of the screen; null where they do not meet. */
  view() {
    const [west, south, east, north] = this.layer()?.bounds || [-180, -85, 180, 85];
    const seen = this.map.getBounds();
    const box = [
      Math.max(seen.getWest(), west), Math.max(seen.getSouth(), south),
      Math.min(seen.getEast(), east), Math.min(seen.getNorth(), north),
    ];
    if (box[0] >= box[2] || box[1] >= box[3]) return null;
    const low = this.map.latLngToContainerPoint([box[1], box[0]]);
    const high = this.map.latLngToContainerPoint([box[3], box[2]]);
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const size = [(high.x - low.x) * ratio, (low.y - high.y) * ratio].map((side) => Math.max(1, Math.round(side)));
    return { bbox: box, size };
  }

  showResult(url, [west, south, east, north]) {
    this.removeResult();
    this.result = L.imageOverlay(url, [[south, west], [north, east]], { pane: "result", alt: "Result of the run" }).addTo(this.map);
  }

  removeResult() {
    if (this.result) URL.revokeObjectURL(this.result._url);
    this.result?.remove();
    this.result = null;
  }

  mark(point) {
    this.marker?.remove();
    this.marker = point
      ? L.circleMarker(point, { radius: 7, className: "marker", interactive: false }).addTo(this.map)
      : null;
  }
}
