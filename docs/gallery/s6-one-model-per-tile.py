# %% [markdown]
# # S6 · One model per tile
#
# The same crop looks different a month later. Where regions stand at different points of their calendar, a model of all
# regions mixes up what each of them could tell apart. The remedy is old: a model per tile, and a step that picks the
# right one by an attribute of the scene.
#
# **Who needs this:** whoever maps several regions, sensors or seasons, and sees one model do badly in all of them.
#
# Install `geotoolz-core`, `geotoolz-learn` and matplotlib. The scenes are simulated, because there the truth is known for
# every pixel: six tiles, each with a ground and a date of its own, from the end of April to the middle of July.

# %%
import tempfile
from pathlib import Path
from unittest import mock

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import RandomForestClassifier

import geotoolz as gz
from geotoolz.core import GeotoolzError
from geotoolz.core.testing import simulate_scene
from geotoolz.learn import (
    ModelRegistry,
    PixelwiseClassifier,
    TrainingRows,
    fit_rows,
    load_model,
    training_rows,
)
from geotoolz.patch import GridSampler
from geotoolz.radiometry import SelectBands

work = Path(tempfile.mkdtemp())
features = SelectBands(("red", "nir", "swir16"))

# %% [markdown]
# ## Six tiles
#
# Models learn from the west of every tile and are judged in its east, 150 m away.

# %%
dates = {
    "32TPS": "2023-04-25", "32TPT": "2023-05-05", "32TQS": "2023-05-15",
    "33TUL": "2023-06-25", "33TUM": "2023-07-05", "33TVL": "2023-07-15",
}  # fmt: skip
west, east = {}, {}
for number, (tile_id, date) in enumerate(dates.items()):
    scene = simulate_scene(
        (360, 360),
        resolution=30,
        seed=number,
        crs=f"EPSG:326{tile_id[:2]}",
        datetime=f"{date}T10:00Z",
        bands=features.names,
        truth=True,
        cloud_cover=0,
        tile_id=tile_id,
    )
    west[tile_id], east[tile_id] = scene.isel(x=slice(0, 180)), scene.isel(x=slice(185, None))
print({name: scene.attrs["datetime"][:10] for name, scene in east.items()})
# >>> {'32TPS': '2023-04-25', '32TPT': '2023-05-05', '32TQS': '2023-05-15', '33TUL': '2023-06-25', '33TUM': '2023-07-05', '33TVL': '2023-07-15'}

# %% [markdown]
# ## A registry
#
# A registry is a folder with a manifest. Every tile gives 2400 pixels to its own model; one more model has the pixels of
# all six. `add` keeps what was measured beside the model, and the manifest is read without touching an estimator.

# %%
forest = RandomForestClassifier(40, min_samples_leaf=3)
models = ModelRegistry(work / "models")
rows = {
    name: training_rows(features, "truth_class", [scene], GridSampler(60), 2400)
    for name, scene in west.items()
}
for name, own in rows.items():
    models.add(name, fit_rows(forest, own, random_state=0, pipeline=features))
everything = TrainingRows.concatenate(list(rows.values()))
models.add("everywhere", fit_rows(forest, everything, random_state=0, pipeline=features))
for entry in (models["32TPS"], models["everywhere"]):
    print(
        f"{entry.name:10}  {entry.n_rows:5} rows of {', '.join(entry.features)}; {len(entry.classes)} classes"
    )
# >>> 32TPS        2400 rows of red, nir, swir16; 10 classes
# >>> everywhere  14400 rows of red, nir, swir16; 10 classes

# %% [markdown]
# ## One step for all tiles
#
# `switch` makes a step that looks at an attribute of the scene, here `tile_id`, and asks that model. It is configuration
# like any other: models stand in it by path and SHA-256, and it can be kept as YAML.

# %%
local = models.switch("tile_id", cases={name: name for name in dates}, name="cover")
gz.save(local, work / "cover.yaml")
print("from YAML the same:", gz.load(work / "cover.yaml").config_hash() == local.config_hash())

overall = PixelwiseClassifier(models.ref("everywhere"), name="cover")
right = {"one for all": [], "own": []}
for scene in east.values():
    for how, step in (("one for all", overall), ("own", local)):
        right[how].append(float((step(scene).cover == scene.truth_class).mean()))
for name, *shares in zip(dates, *right.values(), strict=True):
    print(name, "right: one for all {:.2f}, own model {:.2f}".format(*shares))
print("its own model is better in", int(np.sum(np.array(right["own"]) > right["one for all"])), "of 6 tiles")
# >>> from YAML the same: True
# >>> 32TPS right: one for all 0.86, own model 0.90
# >>> 32TPT right: one for all 0.85, own model 0.88
# >>> 32TQS right: one for all 0.81, own model 0.85
# >>> 33TUL right: one for all 0.78, own model 0.81
# >>> 33TUM right: one for all 0.80, own model 0.86
# >>> 33TVL right: one for all 0.69, own model 0.83
# >>> its own model is better in 6 of 6 tiles

# %% [markdown]
# Each of the six has seen a sixth of the pixels that the seventh has seen, and is better on its own ground. Nothing else differs:
# the same forest, the same bands.

# %%
shown = "33TVL"
figure, axes = plt.subplots(1, 4, figsize=(13, 3.4), width_ratios=[0.7, 0.7, 0.7, 1.5], layout="constrained")
planes = {
    "truth": east[shown].truth_class,
    "one for all": overall(east[shown]).cover,
    "own model": local(east[shown]).cover,
}
for ax, (title, plane) in zip(axes, planes.items(), strict=False):
    ax.imshow(plane, cmap="tab20", vmin=0, vmax=19, interpolation="nearest")
    ax.set_title(f"{shown}: {title}")
    ax.set_axis_off()
places = np.arange(len(dates))
for offset, (how, shares) in zip((-0.2, 0.2), right.items(), strict=True):
    axes[3].bar(places + offset, shares, 0.4, label=how)
axes[3].set(xticks=places, xticklabels=list(dates), ylim=(0.5, 1), title="share of right pixels")
axes[3].tick_params(axis="x", rotation=45)
axes[3].legend(loc="upper right", ncols=2)

# %% [markdown]
# ## Loaded when needed, and few at a time
#
# A country has hundreds of tiles, and a forest takes some megabytes. A model is loaded when the first scene asks for it;
# four are held at a time, and the one that was not used for longest goes first. So the order of the scenes matters: tile by
# tile every model is loaded once, in turn each of six is gone when its tile comes round again. (The counting looks over
# the package's shoulder; nothing else on this page does.)


# %%
def loads(order: list[str]) -> int:
    """Map the tiles in this order and return how many models were loaded from their files."""
    with mock.patch("geotoolz.learn._handle.load_model", wraps=load_model) as counted:
        for name in order:
            local(east[name].isel(y=slice(0, 40)))
    return counted.call_count


local(east["33TVL"])  # the last four tiles are held now, whatever was before
for order in (["33TVL"] * 5, sorted([*dates] * 3), [*dates] * 3):
    print(f"{len(order):2} scenes of {len(set(order))} tiles, {' '.join(order[:4])} …: {loads(order)} loads")
# >>>  5 scenes of 1 tiles, 33TVL 33TVL 33TVL 33TVL …: 0 loads
# >>> 18 scenes of 6 tiles, 32TPS 32TPS 32TPS 32TPT …: 6 loads
# >>> 18 scenes of 6 tiles, 32TPS 32TPT 32TQS 33TUL …: 18 loads

# %% [markdown]
# ## A tile without a model
#
# It is an error before a pixel is read, and says what there is. Where a general model is good enough for the rest of the
# world, say so: `default` takes the name of a model, or any other step.

# %%
unknown = east["33TUM"].assign_attrs(tile_id="33TUN")
nameless = east["33TUM"].copy()
del nameless.attrs["tile_id"]
for scene in (unknown, nameless):
    try:
        local(scene)
    except GeotoolzError as error:
        print(type(error).__name__, "·", error)

rest = models.switch("tile_id", cases={name: name for name in dates}, default="everywhere", name="cover")
print("with a default:", rest(unknown).cover.equals(overall(unknown).cover))
# >>> TileError · tile_id is '33TUN' (did you mean '33TUM'?); expected one of 32TPS, 32TPT, 32TQS, 33TUL, 33TUM, 33TVL; add a case or a default
# >>> TileError · the tile has no attribute 'tile_id', by which Switch chooses; expected one of 32TPS, 32TPT, 32TQS, 33TUL, 33TUM, 33TVL; set tile.attrs['tile_id'], or give a default
# >>> with a default: True

# %% [markdown]
# ## When not to use it
#
# Where a tile has few training pixels, or lacks a class that it needs: its own model cannot predict what it was never
# shown, and the general one can. Where the difference between regions can be measured (elevation, day of the year,
# degree days), give it to one model as a feature. And at the border of two tiles two models meet: expect a seam, and
# look for it. Many tiles need not mean many models: `cases` may send several tiles to one.
