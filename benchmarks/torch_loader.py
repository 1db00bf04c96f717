# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-learn[torch]", "geotoolz-indices", "torchgeo"]
#
# [tool.uv.sources]
# geotoolz-core = { path = "../packages/geotoolz-core", editable = true }
# geotoolz-indices = { path = "../packages/geotoolz-indices", editable = true }
# geotoolz-patch = { path = "../packages/geotoolz-patch", editable = true }
# geotoolz-qc = { path = "../packages/geotoolz-qc", editable = true }
# geotoolz-learn = { path = "../packages/geotoolz-learn", editable = true }
# ///
"""Chips of files as batches of tensors, beside torchgeo.

Claim: at least 3 × as many samples per CPU second as torchgeo's random sampler gives, of the same tiled COG,
shuffled, four bands as float32, by `GeoChips.stream` and by `GeoChips.loader`. One process without workers,
one thread of torch. A plain DataLoader over the chips stands beside: it asks for one batch at a time.

torchgeo needs an environment of its own (its torchvision and the torch of the CPU wheels clash); where it
cannot be imported it is left out, with the reason.

Run: uv run benchmarks/torch_loader.py [--size 4096] [--chips 512]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.data import DataLoader

import geotoolz as gz
from geotoolz.core.testing import simulate_scene
from geotoolz.learn import GeoChips
from geotoolz.patch import RandomSampler

os.environ.setdefault("GDAL_CACHEMAX", "64")  # MB, for all: what our workers take; the scene is larger
BANDS, CHIP, BATCH = ("blue", "green", "red", "nir"), 256, 16


def rate(act: Callable[[], int]) -> float:
    """Return samples per CPU second of the second call."""
    act()
    start = time.process_time()
    count = act()
    return count / (time.process_time() - start)


def main() -> None:
    """Measure, and print the ratio beside the claim."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--chips", type=int, default=512)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.tif"
        gz.io.write_tile(simulate_scene((asked.size, asked.size), bands=BANDS), path)
        chips = GeoChips([path], RandomSampler(CHIP, asked.chips), BANDS)

        def stream() -> int:
            loader = DataLoader(chips.stream(BATCH), batch_size=None)
            return sum(len(batch["image"]) for batch in loader)

        def mapped() -> int:
            return sum(len(batch["image"]) for batch in chips.loader(BATCH))

        def plain() -> int:
            loader = DataLoader(chips, BATCH, shuffle=True, collate_fn=chips.collate)
            return sum(len(batch["image"]) for batch in loader)

        def with_torchgeo() -> int:
            from torchgeo.datasets import RasterDataset
            from torchgeo.samplers import RandomGeoSampler, Units

            class Scene(RasterDataset):
                filename_glob = "scene.tif"
                is_image = True

            data = Scene(folder)
            sampler = RandomGeoSampler(data, CHIP, asked.chips, units=Units.PIXELS)
            return sum(len(batch) for batch in DataLoader(data, 1, sampler=sampler, collate_fn=list))

        rates = {"stream": rate(stream), "loader": rate(mapped), "plain": rate(plain)}
        try:
            theirs = rate(with_torchgeo)
        except (ImportError, RuntimeError) as error:
            print(f"torchgeo left out: {error}")
            theirs = 0.0
        for name, value in rates.items():
            claim = " (no claim: reads nothing ahead)" if name == "plain" else " (claim: 3)"
            beside = f", {value / theirs:.1f} × torchgeo{claim}" if theirs else ""
            print(f"{name}: {value:.0f} samples per CPU second{beside}")


if __name__ == "__main__":
    main()
