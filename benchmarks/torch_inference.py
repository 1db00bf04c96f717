# /// script
# requires-python = ">=3.11"
# dependencies = ["geotoolz-learn[torch]", "monai"]
#
# [tool.uv.sources]
# geotoolz-core = { path = "../packages/geotoolz-core", editable = true }
# geotoolz-patch = { path = "../packages/geotoolz-patch", editable = true }
# geotoolz-qc = { path = "../packages/geotoolz-qc", editable = true }
# geotoolz-learn = { path = "../packages/geotoolz-learn", editable = true }
# ///
"""A network on a scene, patch by patch, beside MONAI's sliding window and torch alone.

Claims: beyond the network's own forward passes ModelOp takes at most 8 % of them; batches go through within
3 % of what the bare network manages at the same batch size; what is allocated besides the scene and the
result does not grow with the scene; tiled and whole-scene results are equal bit for bit. CPU time, one
thread, in one process; memory as tracemalloc sees it: numpy's, not torch's.

A peer that cannot be imported is left out, with the reason.

Run: uv run benchmarks/torch_inference.py [--size 2048] [--width 16] [--depth 3]
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from geotoolz.core import run
from geotoolz.core.testing import simulate_scene
from geotoolz.learn import Checkpoint, CheckpointConfig, ModelOp, UNet
from geotoolz.learn._model_op_network import Network

BANDS = ("green", "red", "nir", "swir16")
PATCH, BATCH = 256, 4
Array = np.ndarray[Any, Any]


def checkpoint(width: int, depth: int) -> Checkpoint:
    """Return a network in memory."""
    torch.manual_seed(0)
    model = {"architecture": "unet", "in_channels": len(BANDS), "classes": 1, "width": width, "depth": depth}
    net = UNet(len(BANDS), 1, width, depth).eval()
    return Checkpoint(CheckpointConfig("geotoolz", model, BANDS, PATCH, "regression"), net.state_dict())


def cpu(act: Callable[[], object]) -> float:
    """Return the CPU seconds of the second call; the first compiles."""
    act()
    start = time.process_time()
    act()
    return time.process_time() - start


def overhead(op: ModelOp, tile: Any) -> tuple[float, float, int]:
    """Return CPU seconds in all and inside the network, and how many batches it got."""
    inside, count = 0.0, 0
    own = Network.__call__

    def timed(self: Network, x: Array, *more: Any) -> Array:
        nonlocal inside, count
        start = time.process_time()
        found = own(self, x, *more)
        inside, count = inside + time.process_time() - start, count + 1
        return found

    run(op, tile, threads=1)
    Network.__call__ = timed  # type: ignore[method-assign]
    try:
        start = time.process_time()
        run(op, tile, threads=1)
        return time.process_time() - start, inside, count
    finally:
        Network.__call__ = own  # type: ignore[method-assign]


def monai_seconds(net: torch.nn.Module, tile: Any) -> tuple[float, float] | str:
    """Return CPU seconds of MONAI's sliding window, in all and inside the network."""
    try:
        from monai.inferers import sliding_window_inference
    except ImportError as error:
        return str(error)
    x = torch.from_numpy(np.stack([tile[n].values for n in BANDS]))[None]
    inside = 0.0

    def timed(batch: torch.Tensor) -> Any:
        nonlocal inside
        start = time.process_time()
        found = net(batch)
        inside += time.process_time() - start
        return found

    with torch.inference_mode():
        sliding_window_inference(x, (PATCH, PATCH), BATCH, timed, overlap=0.25)
        inside, start = 0.0, time.process_time()
        sliding_window_inference(x, (PATCH, PATCH), BATCH, timed, overlap=0.25)
    return time.process_time() - start, inside


def peak(op: ModelOp, tile: Any) -> float:
    """Return the MB that numpy takes besides the scene and the result."""
    tracemalloc.start()
    result = run(op, tile, threads=1)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (most - result.class_0.nbytes) / 1e6


def main() -> None:
    """Measure, and print ratios beside the claims."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--depth", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    held = checkpoint(asked.width, asked.depth)
    net, op = held.network(), ModelOp(held, patch_size=PATCH, batch_size=BATCH)
    tile = simulate_scene((asked.size, asked.size), bands=BANDS)

    total, inside, batches = overhead(op, tile)
    print(f"ModelOp: {total / inside - 1:.1%} beyond {batches} forward passes (claim: 8 % at most)")
    theirs = monai_seconds(net, tile)
    if isinstance(theirs, str):
        print(f"MONAI left out: {theirs}")
    else:
        print(f"MONAI:   {theirs[0] / theirs[1] - 1:.1%} beyond its forward passes; "
              f"it takes {theirs[0] / total:.2f} × our CPU time in all")  # fmt: skip

    batch = np.random.default_rng(0).random((BATCH, len(BANDS), PATCH, PATCH), np.float32)
    tensor = torch.from_numpy(batch)
    bare, ours = [], []
    for _ in range(9):  # by turns: the machine's pace changes by more than is to be shown
        with torch.inference_mode():
            bare.append(cpu(lambda: [net(tensor) for _ in range(4)]))
        ours.append(cpu(lambda: [op.network(batch) for _ in range(4)]))
    print(f"a batch of {BATCH}: {min(ours) / min(bare):.3f} × the bare network (claim: 1.03 at most)")

    small = simulate_scene((asked.size // 2, asked.size), bands=BANDS)
    print(f"memory besides scene and result: {peak(op, small):.0f} MB for {asked.size // 2} rows, "
          f"{peak(op, tile):.0f} MB for {asked.size}")  # fmt: skip

    x = torch.from_numpy(np.stack([small[n].values for n in BANDS]))
    with torch.inference_mode():
        whole = net(torch.stack([x, x]))[0, 0].numpy()
    print(
        "largest difference from the whole scene: "
        f"{np.abs(run(op, small).class_0.values - whole).max()} (claim: 0)"
    )


if __name__ == "__main__":
    main()
