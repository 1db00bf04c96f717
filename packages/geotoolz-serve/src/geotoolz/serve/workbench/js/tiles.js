// A layer of tiles: Leaflet's grid with pictures that stop loading when they are scrolled away.

import { address, query } from "./api.js";

const L = window.L;

export const Tiles = L.GridLayer.extend({
  initialize(layer, options) {
    this.layer = layer;
    const [west, south, east, north] = layer.bounds || [-180, -85, 180, 85];
    L.GridLayer.prototype.initialize.call(this, {
      bounds: [[south, west], [north, east]],
      minNativeZoom: layer.minzoom ?? 0,
      maxNativeZoom: layer.maxzoom ?? 22,
      maxZoom: 24,
      ...options,
    });
    this.on("tileunload", ({ tile }) => tile.removeAttribute("src"));
  },

  createTile(coords, done) {
    const tile = document.createElement("img");
    tile.alt = "";
    tile.onload = () => done(null, tile);
    tile.onerror = (error) => done(error, tile);
    tile.src = this.tileAddress(coords);
    return tile;
  },

  tileAddress({ x, y, z }) {
    const sharp = window.devicePixelRatio > 1 ? "@2x" : "";
    const path = `tiles/${encodeURIComponent(this.layer.name)}/${z}/${x}/${y}${sharp}.png`;
    return address(query(path, { time: this.options.time, v: (this.layer.config_hash || "").slice(0, 8) }));
  },
});
