# %% [markdown]
# # U13 · Did anything change that should not have?
#
# A pipeline in production is about to be replaced: a smoother band, another threshold, a case for one satellite. Two
# questions come before the release. *What differs between the two?* is answered by their configuration, without a
# pixel. *What does it do?* is answered by running both on the same scenes. The second answer has to be more than one
# number: a mean hides the few tiles that went wrong, RMSE says nothing of classes, and a probability that is certain
# and wrong weighs more than any difference tells.
#
# **Who needs this:** whoever releases pipelines that others build on, and has to sign that nothing broke.
#
# Install `geotoolz-core[catalog]`, `geotoolz-cloud`, `geotoolz-indices`, `geotoolz-repro` and matplotlib. The scenes
# are four days of T33TWL in August 2023 at 120 m; `GEOTOOLZ_DATA` says where they lie.

# %%
import io
import tempfile
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import geotoolz as gz
from geotoolz.catalog import GeoCatalog
from geotoolz.core import Sequential, Switch
from geotoolz.core.testing import data_path
from geotoolz.diff import AB, config_diff
from geotoolz.indices import NDVI
from geotoolz.io import MetadataWarning
from geotoolz.radiometry import BoxMean

# the files were reduced to 120 m; U1 shows what is said of that
warnings.simplefilter("ignore", MetadataWarning)
work = Path(tempfile.mkdtemp())
archive = data_path("s2_l2a_33TWL_croatia")
catalog = GeoCatalog.build(archive)

# %% [markdown]
# ## What differs
#
# The candidate smooths red and near infrared before the index, asks more of dense vegetation, and writes a default out.

# %%
(work / "v3.yaml").write_text(
    """\
_target_: geotoolz.core.Sequential
operators:
- _target_: geotoolz.cloud.MaskClouds
- _target_: geotoolz.indices.NDVI
- _target_: geotoolz.radiometry.ClassifyByThresholds
  band: ndvi
  breaks: [0.2, 0.5]
  names: [bare, sparse, dense]
  name: cover
"""
)
(work / "v4.yaml").write_text(
    """\
_target_: geotoolz.core.Sequential
operators:
- _target_: geotoolz.cloud.MaskClouds
  flags: null  # the default, written out
- _target_: geotoolz.radiometry.BoxMean
  radius: 1
  bands: [red, nir]
- _target_: geotoolz.indices.NDVI
- _target_: geotoolz.radiometry.ClassifyByThresholds
  band: ndvi
  breaks: [0.2, 0.55]
  names: [bare, sparse, dense]
  name: cover
"""
)
difference = config_diff(work / "v3.yaml", work / "v4.yaml")
print(difference)
# >>> + BoxMean(radius=1, bands=('red', 'nir'))  [operators[1]] (before NDVI)
# >>> ~ ClassifyByThresholds.breaks  [operators[3].breaks]
# >>>   - [0.2, 0.5]
# >>>   + [0.2, 0.55]

# %% [markdown]
# A default that is written out is no difference. In a notebook the object shows both graphs side by side, and
# `to_html()` gives the same as a page that needs nothing from elsewhere. `to_json()` is for a machine.

# %%
(work / "diff.html").write_text(difference.to_html())
print(difference.equal, len(difference), difference.to_html().count("<svg"))
assert [change.kind for change in difference] == ["added", "changed"]
# >>> False 2 2

# %% [markdown]
# Steps that moved are told as moved, and operators that are called by an old name are the same operator. Graphs are
# compared by nodes, edges, inputs and outputs; branches and cases by name.

# %%
before = Switch("platform", {"sentinel-2a": NDVI(), "sentinel-2b": NDVI()})
after = Switch("platform", {"sentinel-2a": Sequential([BoxMean(2), NDVI()]), "sentinel-2b": NDVI()})
print(config_diff(before, after))
print(config_diff(Sequential([BoxMean(1), NDVI()]), Sequential([NDVI(), BoxMean(1)])))
# >>> + BoxMean(radius=2)  [cases[sentinel-2a].operators[0]] (before NDVI)
# >>> > NDVI()  [operators[1] → operators[0]] (before BoxMean)

# %% [markdown]
# ## What it does
#
# `AB` runs both on every scene of the catalog. What they read is read once, and where they begin alike they run once:
# the cloud mask is made once here. Every variable is compared by what it holds. `b − a` is the difference.

# %%
report = AB(work / "v3.yaml", work / "v4.yaml", resamples=300).run(catalog)
ndvi, cover = report["ndvi"], report["cover"]
print(ndvi.kind, {name: round(ndvi.metrics[name], 4) for name in ("bias", "mae", "rmse", "q05", "q95")})
print(cover.kind, {name: round(value, 3) for name, value in cover.metrics.items()})
for row in cover.classes:
    print(f"{row.name:<7} {row.share_a:6.1%} → {row.share_b:6.1%}   intersection over union {row.iou:.2f}")
# >>> continuous {'bias': 0.0026, 'mae': 0.0588, 'rmse': 0.0968, 'q05': -0.1233, 'q95': 0.1811}
# >>> classes {'agreement': 0.927, 'kappa': 0.512, 'shift': 0.015, 'gained': 0.0, 'lost': 0.0}
# >>> bare      1.3% →   0.2%   intersection over union 0.15
# >>> sparse    7.5% →   7.1%   intersection over union 0.35
# >>> dense    91.2% →  92.7%   intersection over union 0.93

# %% [markdown]
# NDVI has almost no bias, and is far from unchanged: errors of both signs cancel. Most of the bare ground
# is gone, and dense vegetation has grown although more is asked of it. The confusion matrix says where the pixels
# went: a row per class of the pipeline in use, a column per class of the candidate.

# %%
share = cover.confusion() / cover.confusion().sum()
for row, values in zip(cover.classes, share, strict=True):
    print(f"{row.name:<7}", "  ".join(f"{value:6.1%}" for value in values))
assert np.trace(share) == cover.metrics["agreement"]
# >>> bare      0.2%    0.8%    0.3%
# >>> sparse    0.0%    3.8%    3.7%
# >>> dense     0.0%    2.5%   88.7%

# %% [markdown]
# How sure are these numbers? Pixels of one scene resemble each other, so whole tiles are drawn again for the intervals,
# and with four tiles they are wide. All sums are exact: engines, windows and the order of tiles change no bit.

# %%
low, high = ndvi.intervals["rmse"]
print(low < ndvi.metrics["rmse"] < high, len(ndvi.tiles))
again = AB(work / "v3.yaml", work / "v4.yaml", resamples=300).run(catalog, engine="process", n_workers=2)
print(again.to_json() == report.to_json())
# >>> True 4
# >>> True

# %% [markdown]
# ## The tiles that went wrong
#
# Now a candidate with a slip: a case for one satellite that nobody meant to ship. The scenes are cut into 36 tiles.


# %%
def pieces(path):
    """Cut a scene into nine tiles."""
    scene = gz.open_tile(path, bands=["red", "nir"])
    for i in range(3):
        for j in range(3):
            part = scene.isel(y=slice(305 * i, 305 * (i + 1)), x=slice(305 * j, 305 * (j + 1)))
            yield f"{path.name[:3]}-{path.name[10:18]}-{i}{j}", part


tiles = dict(piece for path in sorted(archive.iterdir()) for piece in pieces(path))
slip = AB(NDVI(), after, worst=3).run(tiles)["ndvi"]
print({name: round(slip.distribution[name], 3) for name in ("min", "q25", "mean", "q75", "max")})
print("two groups:", slip.bimodality.flagged, "·", len(slip.bimodality.worse), "tiles of", len(slip.tiles))
assert {name[:3] for name in slip.bimodality.worse} == {"S2A"}
for one in slip.drifts:
    print("drift along", one.along, "is clear" if one.is_clear else "is not clear")
# >>> {'min': 0.0, 'q25': 0.0, 'mean': 0.061, 'q75': 0.129, 'max': 0.16}
# >>> two groups: True · 18 tiles of 36
# >>> drift along time is clear
# >>> drift along longitude is not clear
# >>> drift along latitude is not clear

# %% [markdown]
# The mean RMSE looks like a moderate change everywhere. It is none at all on half of the tiles, and twice as large on the
# others: the bimodality coefficient (Pfister et al. 2013) lies above 5/9, and the tiles above the split are all of
# Sentinel-2A. What looks like a drift along time is the same slip: the two satellites fly on other days. The worst
# tiles come with pictures.

# %% alt=NDVI_of_both_pipelines_and_their_difference_for_the_worst_tile_and_RMSE_of_all_tiles
figure, axes = plt.subplots(1, 4, figsize=(11, 2.9), layout="constrained")
worst = slip.worst[0]
for axis, (name, png) in zip(axes, worst.pictures.items(), strict=False):
    axis.imshow(plt.imread(io.BytesIO(png)))
    axis.set(title=name if name == "difference" else f"NDVI, {name}", xticks=[], yticks=[])
axes[3].hist(slip.values, bins=24, color="tab:blue")
axes[3].axvline(slip.bimodality.split, color="0.3", linestyle=":")
_ = axes[3].set(xlabel="RMSE of a tile", ylabel="tiles")

# %% [markdown]
# ## Probabilities
#
# A model's probability is compared as one: cross-entropy and Kullback–Leibler divergence of the candidate from the
# pipeline in use, the Jensen–Shannon divergence, Brier's score. What a variable holds is read from its attributes;
# `kinds` says it where they do not. Here a "probability of vegetation" is NDVI squeezed into 0 … 1.


# %%
def vegetation(tile, sharpness):
    """Return a tile with a probability that is made of NDVI."""
    p = 1 / (1 + np.exp(-sharpness * (NDVI()(tile).ndvi - 0.4)))
    return tile.assign(probability=p.astype("float32").assign_attrs(quantity="probability", units="1"))


chances = {name: vegetation(tile, 12.0) for name, tile in list(tiles.items())[:4]}
smoothed = AB(Sequential([]), BoxMean(1, ("probability",)), variables=("probability",))
found = smoothed.run(chances)["probability"]
print(found.kind, {name: float(f"{found.metrics[name]:.3g}") for name in ("cross_entropy", "kl", "brier")})
assert found.metrics["kl"] > 0 and found.metrics["impossible"] == 0
# >>> probability {'cross_entropy': 0.161, 'kl': 0.0593, 'brier': 0.0181}

# %% [markdown]
# Where the candidate calls impossible what the other holds possible, both divergences are infinite: nothing is
# clipped. Such pixels are counted as `impossible`, and the Jensen–Shannon divergence stays finite.
#
# ## A gate for releases
#
# What a release may change stands in a file beside the pipeline. Unknown keys are refused, so that a misspelt limit is
# not a limit that always holds.

# %%
(work / "limits.yaml").write_text(
    """\
variables:
  ndvi:
    pooled: {bias: 0.005, rmse: 0.06}
    per_tile: {rmse: 0.1}
  cover:
    pooled: {agreement: 0.95}
    per_class: {shift: 0.02}
"""
)
judged = report.judged(work / "limits.yaml")
print(judged.passed, int(judged.exit_code))
for check in judged.verdict.failures:
    print(check.what)
judged.save(work / "ab.html")
assert "data:image/png" in (work / "ab.html").read_text()
# >>> False 4
# >>> cover agreement
# >>> ndvi rmse
# >>> ndvi rmse of tile S2A_33TWL_20230818_0_L2A
# >>> ndvi rmse of tile S2B_33TWL_20230810_0_L2A

# %% [markdown]
# Seven classified pixels of a hundred changed, and the two clouded days differ most: there a window of 3 × 3 pixels often
# holds few that are left. This candidate is not released. On the command line the same gate ends with exit code 4:
#
# ```console
# $ geotoolz repro diff v3.yaml v4.yaml
# $ geotoolz repro ab v3.yaml v4.yaml scenes/ --tolerances limits.yaml --html ab.html
# ```

# %% [markdown]
# ## When not to use it
#
# - **To say which of the two is right.** Both may be wrong in the same way. That takes a reference
#   ([metrics](../guide/qc.md#metrics)).
# - **For outputs on different grids.** They are named and not compared: bring one onto the grid of the other on purpose.
# - **As proof that nothing changed anywhere.** Tiles that were not looked at were not looked at; take a sample that has
#   every season, satellite and surface that the pipeline meets.
# - **Trusting the configuration alone.** Two parameters that mean the same are a difference in configuration and none
#   in pixels, and a new version of a library is the other way round. Read the first, trust the second.
