// Meridians and parallels: without a base map of another site, they say where one is.

const L = window.L;
const STEPS = [30, 15, 10, 5, 2, 1, 0.5, 0.25, 0.1, 0.05, 0.025, 0.01, 0.005, 0.0025, 0.001];

export const Graticule = L.Layer.extend({
  onAdd(map) {
    this.canvas = L.DomUtil.create("canvas", "graticule", map.getPane("graticule"));
    this.names = L.DomUtil.create("canvas", "graticule-names", map.getPane("names"));
    map.on("moveend zoomend resize", this.draw, this);
    document.addEventListener("themechange", () => this.draw());
    this.draw();
  },

  draw() {
    const map = this._map;
    const size = map.getSize();
    const style = getComputedStyle(document.documentElement);
    const [lines, names] = [this.canvas, this.names].map((canvas) => this.cleared(canvas, size));
    lines.strokeStyle = style.getPropertyValue("--graticule");
    names.fillStyle = style.getPropertyValue("--text");
    names.strokeStyle = style.getPropertyValue("--halo");
    names.lineWidth = 3;
    names.lineJoin = "round";
    names.font = `11px ${style.getPropertyValue("--sans")}`;
    const bounds = map.getBounds();
    // on phones there is room for few names, and a legend in the corner
    const [many, left, edge] = size.x < 600 ? [2, 180, 120] : [4, 0, 36];
    const step = STEPS.find((one) => (bounds.getEast() - bounds.getWest()) / one >= many) || STEPS.at(-1);
    each(step, bounds.getWest(), bounds.getEast(), (lon) => {
      const x = Math.round(map.latLngToContainerPoint([0, lon]).x) + 0.5;
      line(lines, x, 0, x, size.y);
      if (x >= left && x < size.x - 130) name(names, x + 4, 14, degrees(lon, step, "E", "W"));
    });
    each(step, Math.max(bounds.getSouth(), -85), Math.min(bounds.getNorth(), 85), (lat) => {
      const y = Math.round(map.latLngToContainerPoint([lat, 0]).y) + 0.5;
      line(lines, 0, y, size.x, y);
      if (y > edge && y < size.y - edge) name(names, 6, y - 4, degrees(lat, step, "N", "S"));
    });
  },

  /** Lay a canvas over the view, sharp on every screen. */
  cleared(canvas, size) {
    const ratio = window.devicePixelRatio || 1;
    L.DomUtil.setPosition(canvas, this._map.containerPointToLayerPoint([0, 0]));
    canvas.width = size.x * ratio;
    canvas.height = size.y * ratio;
    canvas.style.width = `${size.x}px`;
    canvas.style.height = `${size.y}px`;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    return pen;
  },
});

function each(step, low, high, work) {
  for (let i = Math.ceil(low / step); i * step <= high; i++) work(i * step);
}

function line(pen, x0, y0, x1, y1) {
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
}

/** Write over whatever the layers show. */
function name(pen, x, y, text) {
  pen.strokeText(text, x, y);
  pen.fillText(text, x, y);
}

function degrees(value, step, plus, minus) {
  const digits = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9), String(step).split(".")[1]?.length || 0);
  const side = Math.abs(value) < step / 2 ? "" : value > 0 ? plus : minus;
  return `${Math.abs(value).toFixed(digits)}°${side ? ` ${side}` : ""}`;
}
