// The dates of a layer with a catalog behind it.

import { byId } from "./dom.js";

export class Timeline {
  constructor(store, map) {
    this.store = store;
    this.map = map;
    byId("time-slider").addEventListener("input", (event) => this.to(+event.target.value));
    byId("time-back").addEventListener("click", () => this.to(this.index() - 1));
    byId("time-on").addEventListener("click", () => this.to(this.index() + 1));
    store.on(["layer", "compare", "time"], () => this.show());
    this.show();
  }

  /** Return the dates of the layers that are shown. */
  times() {
    const { layer, compare } = this.store.state;
    const found = [layer, compare].flatMap((name) => this.map.layer(name)?.times || []);
    return [...new Set(found)].sort();
  }

  /** Return the position of the slider: 0 is no date, whatever the layer shows by itself. */
  index() {
    return this.times().indexOf(this.store.state.time) + 1;
  }

  to(index) {
    const times = this.times();
    if (index >= 0 && index <= times.length) this.store.set({ time: index ? times[index - 1] : null });
  }

  show() {
    const times = this.times();
    byId("time").hidden = times.length < 2;
    if (times.length < 2) return;
    const index = this.index();
    const text = index ? `${times[index - 1].slice(0, 16).replace("T", " ")} · ${index} of ${times.length}` : this.map.layer()?.time || "All dates";
    const slider = byId("time-slider");
    slider.max = times.length;
    slider.value = index;
    slider.setAttribute("aria-valuetext", text);
    byId("time-label").textContent = text;
    byId("time-back").disabled = index === 0;
    byId("time-on").disabled = index === times.length;
  }
}
