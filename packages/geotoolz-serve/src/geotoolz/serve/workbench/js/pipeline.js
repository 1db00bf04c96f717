// The pipeline editor: checked while one types, run on the view when one asks.

import { json, picture, post } from "./api.js";
import { byId, debounced, make } from "./dom.js";
import { Editor } from "./editor.js";
import { statisticsContent } from "./statistics.js";

const START = `_target_: geotoolz.core.Sequential
operators:
  - _target_: geotoolz.indices.NDVI
  - _target_: geotoolz.viz.Colormap
    band: ndvi
    vmin: -0.2
    vmax: 0.9
`;

const colours = (band, { vmin, vmax }, cmap) => `_target_: geotoolz.viz.Colormap
band: ${band}
cmap: ${JSON.stringify(cmap).replace(/^"(\w+)"$/, "$1")}
vmin: ${vmin}
vmax: ${vmax}
`;

export class PipelinePanel {
  constructor(store, map, settings, legends) {
    this.store = store;
    this.map = map;
    this.legends = legends;
    this.verdict = null; // of the text as it stands
    this.settings = settings;
    const soon = debounced(() => this.check(), 250);
    const keep = debounced((text) => this.keep(text), 250);
    this.editor = new Editor((text) => {
      this.verdict = null;
      this.typed = true;
      byId("verdict").textContent = "";
      keep(text);
      soon();
    });
    this.editor.text = store.state.yaml || START;
    store.on(["yaml"], (state) => this.follow(state.yaml));
    store.on(["tab"], (state) => state.tab === "pipeline" && this.open());
    store.on(["layer"], () => this.loaded && this.check());
    byId("take").addEventListener("click", () => this.take());
    byId("run").addEventListener("click", () => this.run());
    byId("clear").addEventListener("click", () => {
      this.clear();
      byId("run").focus();
    });
    store.on(["layer", "time"], () => this.clear());
    // whoever shares a link has left the field
    byId("yaml").addEventListener("blur", () => this.typed && this.keep(this.editor.text));
    byId("yaml").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.run();
    });
    if (!settings.sandbox) {
      byId("run").disabled = true;
      byId("run-note").textContent = "This server runs no pipelines of visitors.";
    }
    if (store.state.tab === "pipeline") this.open();
  }

  async open() {
    this.editor.draw();
    if (this.loaded) return;
    this.loaded = true;
    if (this.store.state.yaml) this.check();
    else this.take();
    try {
      this.editor.operators = (await json("workbench/operators.json")).operators;
    } catch (error) {
      this.loaded = false; // asked again when the panel is opened again
    }
  }

  keep(text) {
    this.keeping = true;
    this.store.set({ yaml: text });
    this.keeping = false;
  }

  follow(text) {
    if (this.keeping || text === this.editor.text) return;
    this.editor.text = text || START;
    this.check();
  }

  /** Put the layer's own pipeline into the editor; of a layer without one, its colours. */
  async take() {
    const layer = this.map.layer();
    try {
      if (layer?.pipeline) this.editor.text = (await json(`pipelines/${encodeURIComponent(layer.pipeline)}`)).yaml;
      else this.editor.text = layer?.kind === "ramp" ? colours(layer.variables[0], await this.legends.of(layer.name), layer.colormap) : START;
    } catch (error) {
      byId("run-note").textContent = String(error);
    }
    await this.check();
  }

  /** Ask what the server thinks of the text; what was asked before is forgotten. */
  check() {
    this.checking = this.ask();
    return this.checking;
  }

  /** Wait until there is a verdict of the text as it stands. */
  async judged() {
    if (!this.verdict) this.check();
    for (let last = null; last !== this.checking; ) {
      last = this.checking;
      await last;
    }
  }

  async ask() {
    this.asked?.abort();
    this.asked = new AbortController();
    const text = this.editor.text;
    try {
      const body = { yaml: text, layer: this.store.state.layer };
      const verdict = await json("workbench/validate", post(body, this.asked.signal));
      if (text !== this.editor.text) return;
      this.verdict = verdict;
      this.tell(verdict.problems);
    } catch (error) {
      if (error.name !== "AbortError") this.tell([{ line: 1, column: 1, end_column: 2, severity: "error", message: String(error) }]);
    }
  }

  tell(problems) {
    this.editor.mark(problems);
    const errors = problems.filter((one) => one.severity === "error").length;
    const verdict = byId("verdict");
    verdict.className = `verdict ${errors ? "error" : problems.length ? "warning" : "fine"}`;
    const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
    verdict.textContent = errors ? plural(errors, "error") : problems.length ? plural(problems.length, "remark") : "Valid";
    byId("problems").replaceChildren(...problems.map((one) => this.row(one)));
  }

  row({ line, column, severity, message, fix }) {
    return make("li", { class: severity }, make(
      "button", { type: "button", onclick: () => this.editor.goTo(line, column) },
      make("span", { class: "where", text: `Line ${line}, column ${column}` }), message,
      fix ? make("span", { class: "note", text: fix }) : null,
    ));
  }

  /** Run the text on the visible part of the layer. */
  async run() {
    const note = byId("run-note");
    const view = this.map.view();
    const { layer, time } = this.store.state;
    if (!this.settings.sandbox) return;
    if (!view || !layer) {
      note.textContent = "The layer is not in the view.";
      return;
    }
    await this.judged();
    if (!this.verdict?.valid) {
      note.textContent = "Not run: the text has errors.";
      return;
    }
    const { bbox, size } = view;
    const most = this.settings.max_side / Math.max(...size);
    const ratio = Math.min(1, most, Math.sqrt(this.settings.max_pixels / (size[0] * size[1])));
    const body = { yaml: this.editor.text, layer, bbox, size: size.map((side) => Math.max(1, Math.floor(side * ratio))) };
    if (time && this.map.layer().times?.length) body.time = time;
    byId("run").disabled = true;
    note.textContent = "Running …";
    try {
      const { body: seen, rescale } = await picture("sandbox/run", post({ ...body, format: "png" }));
      this.map.showResult(URL.createObjectURL(seen), bbox);
      document.body.classList.add("has-result");
      byId("clear").hidden = false;
      this.legends.result(this.verdict.legend ?? null);
      note.textContent = `On the map: ${body.size.join(" × ")} pixels.`;
      byId("run-result").replaceChildren(...await this.numbers(body, rescale));
    } catch (error) {
      note.textContent = `Not run: ${error}`;
    }
    byId("run").disabled = false;
  }

  /** Return the statistics of a run, and show the legend of a picture that the view gave its limits. */
  async numbers(body, rescale) {
    const { measured, legend } = this.verdict;
    const parts = [];
    if (measured && !measured.length) return parts;
    if (!measured && rescale) parts.push(make("p", { class: "note", text: "Colours from the 2nd to the 98th percentile of this view. A Colormap as last step gives colours with a legend." }));
    const told = await json("sandbox/run", post({ ...body, bands: measured || undefined, rescale: measured ? undefined : rescale, format: "json" }));
    if (told.legend) this.legends.result(told.legend);
    return [...parts, ...statisticsContent(told, legend || told.legend)];
  }

  clear() {
    this.map.removeResult();
    document.body.classList.remove("has-result");
    this.legends.result(undefined);
    byId("clear").hidden = true;
    if (this.settings.sandbox) byId("run-note").textContent = "";
    byId("run-result").replaceChildren();
  }
}
