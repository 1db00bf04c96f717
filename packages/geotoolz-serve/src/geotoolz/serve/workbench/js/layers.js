// The list of layers, opacity, the layer to compare with, download.

import { blob, query } from "./api.js";
import { byId, make, save } from "./dom.js";

export class LayerPanel {
  constructor(store, map) {
    this.store = store;
    this.map = map;
    byId("layer-list").replaceChildren(...map.layers.map((layer) => this.row(layer)));
    if (!map.layers.length) {
      byId("layer-list").replaceWith(make("p", { class: "note", text: "This server shows no layers. Its settings name them under “layers”." }));
    }
    const none = make("option", { value: "", text: "nothing" });
    byId("compare").replaceChildren(none, ...map.layers.map((one) => make("option", { value: one.name, text: one.title || one.name })));
    byId("compare").addEventListener("change", (event) => store.set({ compare: event.target.value || null }));
    byId("opacity").addEventListener("input", (event) => store.set({ opacity: event.target.value / 100 }));
    byId("whole").addEventListener("click", () => map.whole());
    byId("download").addEventListener("click", () => this.download());
    store.on(["layer", "compare", "opacity"], () => this.show());
    this.show();
  }

  row(layer) {
    const input = make("input", {
      type: "radio", name: "layer", value: layer.name, id: `layer-${layer.name}`,
      onchange: () => this.store.set({ layer: layer.name }),
    });
    const steps = (layer.steps || []).filter((step) => step !== "source");
    const about = layer.description || steps.join(" → ");
    const text = make("span", { class: "layer-text" }, make("span", { class: "layer-title", text: layer.title || layer.name }));
    if (about) text.append(make("span", { class: "note", text: about }));
    return make("label", { for: input.id }, input, text);
  }

  show() {
    const { layer, compare, opacity } = this.store.state;
    for (const input of document.querySelectorAll('input[name="layer"]')) input.checked = input.value === layer;
    byId("opacity").value = Math.round(opacity * 100);
    byId("opacity-value").textContent = `${Math.round(opacity * 100)}\u00a0%`;
    byId("compare").value = compare && this.map.layer(compare) ? compare : "";
    byId("attribution").textContent = this.map.layer()?.attribution || "";
  }

  async download() {
    const note = byId("download-note");
    const view = this.map.view();
    const { layer, time } = this.store.state;
    if (!view || !layer) {
      note.textContent = "The layer is not in the view.";
      return;
    }
    note.textContent = "Fetching the view …";
    try {
      const bbox = view.bbox.map((one) => one.toFixed(7)).join(",");
      const values = { bbox, time: this.map.layer().times?.length ? time : null };
      save(await blob(query(`layers/${encodeURIComponent(layer)}/bbox.tif`, values)), `${layer}.tif`);
      note.textContent = "Saved.";
    } catch (error) {
      note.textContent = `Not saved: ${error}`;
    }
  }
}
