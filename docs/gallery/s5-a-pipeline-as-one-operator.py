# %% [markdown]
# # S5 · A whole scikit-learn pipeline as one operator
#
# Imputer, scaler, polynomial features, ridge regression: to scikit-learn that is one estimator, and to geotoolz it is one
# operator. Gaps in a feature are the pipeline's business (`nodata="propagate"`); a pixel without any feature stays empty.
#
# **Who needs this:** whoever has a scikit-learn `Pipeline` and wants it on rasters without taking it apart.
#
# Install `geotoolz-learn`, `geotoolz-indices` and matplotlib. The scene is real: Landsat 8 and Sentinel-1 over Peru on one
# grid (`GEOTOOLZ_DATA` says where it lies).

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

import geotoolz as gz
from geotoolz.core import GeotoolzError
from geotoolz.core.testing import data_path
from geotoolz.indices import NDVI
from geotoolz.learn import BlockID, NanPolicy, PixelwiseRegressor, fit_pixelwise
from geotoolz.patch import GridSampler
from geotoolz.radiometry import SelectBands

folder = data_path("s1_l8_colocated_scikiteo_peru")
work = Path(tempfile.mkdtemp())

# %% [markdown]
# ## Green seen by radar
#
# The radar sees through clouds, Landsat does not. What does backscatter tell of NDVI? The strip in the middle lacks VH, as
# where a burst was lost; the corner has no radar at all.

# %%
radar = gz.open_tile(folder / "S1_2018_VV_VH_clip.tif").rename(band_1="vv", band_2="vh", band_3="ratio")
optical = gz.open_tile(folder / "LC08_003069_20180906_clip.tif").rename(band_3="red", band_4="nir")
tile = radar.assign(red=optical.red, nir=optical.nir)
for name in ("red", "nir"):
    tile[name] = (tile[name] * 1e-4).astype("float32").assign_attrs(tile[name].attrs, quantity="reflectance")
tile["vh"] = tile.vh.copy()
tile.vh[:, 50:60] = np.nan
for name in ("vv", "vh", "ratio"):
    tile[name] = tile[name].copy()
    tile[name][:20, :20] = np.nan
print({name: int(tile[name].isnull().sum()) for name in ("vv", "vh", "ratio")}, "pixels lack it")
# >>> {'vv': 400, 'vh': 1440, 'ratio': 400} pixels lack it

# %% [markdown]
# ## One estimator
#
# `NanPolicy(on_input="propagate")` lets rows with gaps through to the imputer; rows without any feature, and rows without a
# label, are left out. The cross-validation holds out blocks of 500 m and fits all four stages without them.

# %%
estimator = make_pipeline(
    SimpleImputer(strategy="median"),
    StandardScaler(),
    PolynomialFeatures(2, interaction_only=True),
    Ridge(1.0),
)
target = gz.Sequential([NDVI(), BlockID(500.0), SelectBands(("ndvi", "block_id"))])
model = fit_pixelwise(
    estimator, SelectBands(("vv", "vh", "ratio")), target, [tile], GridSampler(32), 5000,
    nodata_policy=NanPolicy(on_input="propagate"), group_band="block_id", cv=GroupKFold(5), random_state=0,
)  # fmt: skip
print(model, model.targets)
print(f"R² {model.metrics['cv']['mean']:.2f} in blocks held out")
# >>> FittedPixelModel(Pipeline, 3 features, 5000 rows) ('ndvi',)
# >>> R² 0.64 in blocks held out

# %% [markdown]
# ## One operator
#
# `nodata="propagate"` hands gaps to the model's own imputer; with the default, `"mask"`, the strip would stay empty. An
# estimator that takes no NaN refuses to be asked for it.

# %%
reference = model.save(work / "green.gtz")
predicted = PixelwiseRegressor(reference, nodata="propagate", names=("green",))(tile)
masked = PixelwiseRegressor(reference, names=("green",))(tile)
print(
    "empty:", int(predicted.green.isnull().sum()), "or, with nodata='mask',", int(masked.green.isnull().sum())
)

values = np.column_stack([tile[name].values.ravel() for name in model.features])
some = np.isfinite(values).any(axis=1)
by_hand = model.estimator.predict(values[some].astype(model.dtype)).ravel()
print("as by hand:", bool(np.allclose(predicted.green.values.ravel()[some], by_hand, rtol=1e-6)))

strict = fit_pixelwise(Ridge(), SelectBands(("vv", "vh", "ratio")), "red", [tile], GridSampler(32), 500)
try:
    PixelwiseRegressor(strict, nodata="propagate")(tile)
except GeotoolzError as error:
    print(type(error).__name__, "·", error)
# >>> empty: 400 or, with nodata='mask', 1440
# >>> as by hand: True
# >>> ParameterError · PixelwiseRegressor has nodata='propagate', and the model's estimator takes no NaN; expected one that does: HistGradientBoosting, or a pipeline with SimpleImputer; nodata='mask'

# %%
figure, axes = plt.subplots(1, 3, figsize=(10, 3.4))
shown = {
    "NDVI (Landsat)": NDVI()(tile).ndvi,
    "from radar, propagate": predicted.green,
    "from radar, mask": masked.green,
}
for ax, (title, plane) in zip(axes, shown.items(), strict=True):
    picture = ax.imshow(plane, cmap="RdYlGn", vmin=0, vmax=0.9)
    ax.set_title(title)
    ax.set_axis_off()
figure.colorbar(picture, ax=axes, shrink=0.8)

# %% [markdown]
# ## When not to use it
#
# Where a gap means something: a median in place of what a cloud hides is a guess that nobody sees on the map. Leave
# `nodata="mask"`, or write the count of missing features beside the prediction. And a linear model of backscatter is no
# substitute for an optical image: the score above says how much it explains.
