# %% [markdown]
# # S8 · Spatial cross-validation
#
# Pixels beside each other are alike. A cross-validation that deals them out at random asks the model for pixels whose
# neighbours it has learnt by heart: the score is too good, and so is every choice that was made by it.
#
# **Who needs this:** whoever tunes a model on pixels and means to map where no training pixels are.
#
# Install `geotoolz-core[catalog]`, `geotoolz-indices`, `geotoolz-learn` and matplotlib. The data are real: terrain (SRTM) and
# land cover (NLCD) of Zion, Utah; `GEOTOOLZ_DATA` says where they lie.

# %%
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold

import geotoolz as gz
from geotoolz.core.testing import data_path
from geotoolz.grid import MatchGrid
from geotoolz.learn import BlockID, fit_pixelwise, fit_rows, training_rows
from geotoolz.patch import RandomSampler
from geotoolz.radiometry import SelectBands
from geotoolz.terrain import TPI, Aspect, Slope

# %% [markdown]
# ## What grows where, told from the terrain
#
# Elevation comes in degrees and 90 m, land cover in UTM and 31 m: `MatchGrid.like` brings one to the other. The features
# are the terrain's shape.

# %%
folder = data_path("dem_nlcd_zion")
cover = gz.open_tile(folder / "nlcd.tif").rename(levels="cover")
terrain = gz.open_tile(folder / "srtm.tif").rename(band_1="dem")
tile = MatchGrid.like(cover)(terrain).assign(cover=cover.cover)
features = gz.Sequential([Slope(), Aspect(), TPI(300.0), TPI(1500.0, name="tpi_1500")])
print(dict(tile.sizes), "classes", np.unique(cover.cover.values[cover.cover.values < 255]).tolist())
# >>> {'y': 1359, 'x': 1073} classes [1, 2, 3, 4, 5, 6, 7, 8]

# %% [markdown]
# ## Rows with a block number
#
# `BlockID` numbers squares of 5 km, counted from the origin of the reference system: any scene and any window gives the
# same number to the same place. `group_band` says that the number is no label but what must stay together. The
# southern third is kept out altogether: the region that the map is wanted for.

# %%
labels = gz.Sequential([SelectBands(("cover",)), BlockID(5000.0)])
rows = training_rows(features, labels, [tile], RandomSampler(64, count=200), 12_000, group_band="block_id")
south = rows.xy[:, 1] < np.quantile(rows.xy[:, 1], 1 / 3)
known, unknown = rows.take(np.flatnonzero(~south)), rows.take(np.flatnonzero(south))
print(
    rows.features,
    len(known),
    "rows in",
    len(np.unique(known.groups)),
    "blocks;",
    len(unknown),
    "rows of the south",
)
# >>> ('dem', 'slope', 'aspect', 'tpi', 'tpi_1500') 8009 rows in 43 blocks; 3991 rows of the south

# %% [markdown]
# ## The same search, dealt two ways
#
# How small may the leaves of the trees be? A small leaf learns a place by heart. `fit_rows` hands the block numbers to
# `GridSearchCV` as `groups=`, and `GroupKFold` keeps blocks whole.

# %%
leaves = (1, 5, 25, 100)
forest = RandomForestClassifier(n_estimators=60, random_state=0)
scores, chosen = {}, {}
for name, folds in {
    "pixels at random": KFold(5, shuffle=True, random_state=0),
    "whole blocks": GroupKFold(5),
}.items():
    search = GridSearchCV(forest, {"min_samples_leaf": list(leaves)}, cv=folds)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # KFold says that it ignores the groups: the point of this page
        model = fit_rows(search, known, random_state=0)
    scores[name], chosen[name] = model.estimator.cv_results_["mean_test_score"], model
    told, true = model.metrics["search"]["best_score"], np.mean(model.predict_rows(unknown.X) == unknown.y)
    print(
        f"{name:17} leaf {model.estimator.best_params_['min_samples_leaf']:3}: told {told:.3f}, in the south {true:.3f}"
    )
# >>> pixels at random  leaf   1: told 0.768, in the south 0.506
# >>> whole blocks      leaf  25: told 0.741, in the south 0.510

# %%
seen = [
    np.mean(fit_rows(forest.set_params(min_samples_leaf=n), known).predict_rows(unknown.X) == unknown.y)
    for n in leaves
]
figure, ax = plt.subplots(figsize=(6.5, 3.6))
for name, values in {**scores, "the south itself": seen}.items():
    ax.plot(leaves, values, "o-", label=name)
ax.set(
    xscale="log",
    xlabel="pixels per leaf, at least",
    ylabel="share of right pixels",
    xticks=leaves,
    xticklabels=leaves,
)
ax.legend()

# %% [markdown]
# ## In one call
#
# `fit_pixelwise` does both steps: it reads the chips, hands on the groups, and returns the model of the best parameters,
# fitted on all rows.

# %%
search = GridSearchCV(forest, {"min_samples_leaf": list(leaves)}, cv=GroupKFold(5))
model = fit_pixelwise(
    search,
    features,
    labels,
    [tile],
    RandomSampler(64, count=200),
    6_000,
    group_band="block_id",
    random_state=0,
)
print(model.metrics["search"]["best_params"], model.features)
# >>> {'min_samples_leaf': 25} ('dem', 'slope', 'aspect', 'tpi', 'tpi_1500')

# %% [markdown]
# ## When not to use it
#
# Where the map is wanted exactly where the samples are (gaps between plots of one field): random folds ask the right
# question there. Blocks smaller than the distance over which the target is alike still leak; blocks so large that five
# folds see five landscapes make the score a lottery. `spatial_folds("buffer", …)` leaves a strip out instead, and
# `TemporalFolds` does for years what blocks do for places.
