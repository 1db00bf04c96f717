// Starts the page.

import { json } from "./api.js";
import { byId, notice } from "./dom.js";
import { Inspector } from "./inspect.js";
import { LayerPanel } from "./layers.js";
import { LegendCard } from "./legend.js";
import { MapView } from "./map.js";
import { inputs, tabs, theme, windows } from "./page.js";
import { PipelinePanel } from "./pipeline.js";
import { Store } from "./state.js";
import { Statistics } from "./statistics.js";
import { Timeline } from "./timeline.js";

async function begin() {
  const store = new Store();
  tabs(store);
  inputs();
  theme();
  windows();
  let layers = [];
  let settings = { title: "Workbench", sandbox: true, max_pixels: 1048576, max_side: 2048 };
  try {
    settings = await json("workbench/settings.json");
    const found = await json("layers");
    layers = Array.isArray(found) ? found : found.layers;
  } catch (error) {
    notice(`The layers could not be read: ${error}`);
  }
  byId("title").textContent = settings.title;
  document.title = settings.title;
  if (!layers.some((one) => one.name === store.state.layer)) store.set({ layer: layers[0]?.name || null });
  const map = new MapView(store, layers);
  const legends = new LegendCard(store, map);
  new LayerPanel(store, map);
  new Inspector(store, map);
  new Statistics(store, map, legends);
  new Timeline(store, map);
  new PipelinePanel(store, map, settings, legends);
  document.documentElement.dataset.ready = "true";
}

begin();
