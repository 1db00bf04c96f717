// Meridians and parallels: without a base map of another site, they say where one is.

const L = window.L;
const STEPS = [30, 15, 10, 5, 2, 1, 0.5, 0.25, 0.1, 0.05, 0.025, 0.01, 0.005, 0.0025, 0.001];

export const Graticule = L.Layer.extend({
  onAdd(map) {
    this.canvas = L.DomUtil.create("canvas", "graticule", map.getPane("graticule"));
    map.on("moveend zoomend resize", this.draw, this);
    document.addEventListener("themechange", () => this.draw());
    this.draw();
  },

  draw() {
    const map = this._map;
    const size = map.getSize();
    const ratio = window.devicePixelRatio || 1;
    L.DomUtil.setPosition(this.canvas, map.containerPointToLayerPoint([0, 0]));
    this.canvas.width = size.x * ratio;
    this.canvas.height = size.y * ratio;
    this.canvas.style.width = `${size.x}px`;
    this.canvas.style.height = `${size.y}px`;
    const pen = this.canvas.getContext("2d");
    const style = getComputedStyle(document.documentElement);
    pen.scale(ratio, ratio);
    pen.strokeStyle = style.getPropertyValue("--graticule");
    pen.fillStyle = style.getPropertyValue("--graticule-text");
    pen.font = `11px ${style.getPropertyValue("--sans")}`;
    const bounds = map.getBounds();
    const step = STEPS.find((one) => (bounds.getEast() - bounds.getWest()) / one >= 4) || STEPS.at(-1);
    this.lines(pen, step, bounds.getWest(), bounds.getEast(), (lon) => {
      const x = Math.round(map.latLngToContainerPoint([0, lon]).x) + 0.5;
      return [x, 0, x, size.y, x + 4, 14, degrees(lon, step, "E", "W")];
    });
    this.lines(pen, step, Math.max(bounds.getSouth(), -85), Math.min(bounds.getNorth(), 85), (lat) => {
      const y = Math.round(map.latLngToContainerPoint([lat, 0]).y) + 0.5;
      return [0, y, size.x, y, 6, y - 4, degrees(lat, step, "N", "S")];
    });
  },

  lines(pen, step, low, high, place) {
    for (let i = Math.ceil(low / step); i * step <= high; i++) {
      const [x0, y0, x1, y1, tx, ty, text] = place(i * step);
      pen.beginPath();
      pen.moveTo(x0, y0);
      pen.lineTo(x1, y1);
      pen.stroke();
      pen.fillText(text, tx, ty);
    }
  },
});

function degrees(value, step, plus, minus) {
  const digits = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9), String(step).split(".")[1]?.length || 0);
  const side = Math.abs(value) < step / 2 ? "" : value > 0 ? plus : minus;
  return `${Math.abs(value).toFixed(digits)}°${side ? ` ${side}` : ""}`;
}
