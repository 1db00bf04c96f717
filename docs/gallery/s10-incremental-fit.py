# %% [markdown]
# # S10 · More training pixels than memory
#
# A label raster for a country has billions of pixels. No estimator takes them at once, and no machine holds them. Those
# with `partial_fit` learn chunk by chunk: every pixel once an epoch, in a drawn order, in memory that does not grow with the
# catalog, and on from where it stood when the machine went down.
#
# **Who needs this:** whoever has labels wall to wall, and fits on a sample only because all of it does not fit.
#
# Install `geotoolz-core[catalog]`, `geotoolz-indices`, `geotoolz-learn` and matplotlib. The scenes are simulated, written to
# a folder, and read from there.

# %%
import functools
import tempfile
import tracemalloc
from pathlib import Path
from unittest import mock

import matplotlib.pyplot as plt
import numpy as np
from sklearn.neural_network import MLPClassifier

import geotoolz as gz
from geotoolz.catalog import ReadLabel
from geotoolz.core import GeotoolzError
from geotoolz.core.testing import simulate_scene
from geotoolz.indices import NDVI
from geotoolz.learn import PixelwiseClassifier, fit_pixelwise_incremental, training_rows
from geotoolz.patch import GridSampler

work = Path(tempfile.mkdtemp())
bands = ("green", "red", "nir", "swir16")

# %% [markdown]
# ## A catalog of scenes and labels
#
# Six scenes side by side, each with a raster of labels. Two more, to the south, are for judging.


# %%
def scene(column: int, row: int = 0):
    """Simulate 2.6 km × 2.6 km of one landscape."""
    origin = (500_000 + 2560 * column, 5_100_000 - 2560 * row)
    name = f"T{row}{column}"
    return simulate_scene((256, 256), bands=bands, truth=True, cloud_cover=0, origin=origin, tile_id=name)


for column in range(6):
    tile = scene(column)
    gz.io.WriteCOG(str(work / "scenes" / "{tile_id}.tif"), bands=bands)(tile)
    gz.io.WriteCOG(str(work / "labels" / "{tile_id}.tif"), bands=("truth_class",))(tile)
catalog = gz.GeoCatalog.from_folder(work / "scenes")
flags = tile.truth_class.attrs
classes = dict(zip(flags["flag_meanings"].split(), flags["flag_values"], strict=True))
del classes["outside"]
labels = ReadLabel(str(work / "labels" / "{tile_id}.tif"), classes=classes)
judged = [scene(2, row=1), scene(4, row=1)]
print(len(catalog), "scenes,", len(classes), "classes")
# >>> 6 scenes, 10 classes

# %% [markdown]
# ## The fit, and the memory it takes
#
# Chips of 64 × 64 pixels come in a drawn order; the rows of eight of them are shuffled together and handed on in chunks of
# 10 000. Held at a time are eight chips and one chunk, however long the catalog is. `tracemalloc` counts what Python and
# NumPy ask for: first while all rows are collected as a table, then while a network learns from the same pixels.

# %%
network = MLPClassifier((24,), learning_rate_init=0.002)
fit = functools.partial(
    fit_pixelwise_incremental, network, NDVI(), labels, sampler=GridSampler(64),
    chunk_size=10_000, block_chips=8, random_state=0,
)  # fmt: skip


def peak(action):
    """Return the result of an action and the most MB that it held at a time."""
    tracemalloc.start()
    result = action()
    most = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return result, most


one = list(catalog.tiles())[:1]
fit(catalog=one, state=work / "one.state")  # what is imported on the way is not what is measured
table, as_table = peak(lambda: training_rows(NDVI(), labels, catalog, GridSampler(64)))
first, in_chunks = peak(lambda: fit(catalog=catalog, state=work / "network.state"))
print(len(table), "rows in a table,", first.metrics["rows"], "rows in", first.metrics["chunks"], "chunks")
given = 12  # MB
print(f"the table fits into {given} MB: {as_table < given}; the chunks do: {in_chunks < given}")
_, for_one = peak(lambda: fit(catalog=one, state=work / "again.state"))
print("six scenes take no more than 1.3 times what one takes:", in_chunks < 1.3 * for_one)
# >>> 393216 rows in a table, 393216 rows in 40 chunks
# >>> the table fits into 12 MB: False; the chunks do: True
# >>> six scenes take no more than 1.3 times what one takes: True

# %% [markdown]
# The table grows with every scene, the chunks do not. What the libraries themselves take comes on top, once.
#
# ## Epochs
#
# A `state` keeps how far the fit has come. Asked for more epochs, it goes on: the second and the third are added to the first.
# What is right is counted on the two scenes that no epoch has seen.


# %% rtol=0.1
def right(model) -> float:
    """Return the share of right pixels on the scenes that were kept out."""
    step = PixelwiseClassifier(model, name="cover")
    return float(np.mean([(step(NDVI()(tile)).cover == tile.truth_class).mean() for tile in judged]))


learnt = [right(first)]
for epochs in (2, 3):
    model = fit(catalog=catalog, epochs=epochs, state=work / "network.state")
    learnt.append(right(model))
print("after each epoch:", [round(share, 2) for share in learnt])
print("rows per epoch:", model.metrics["rows_per_epoch"], "in", model.metrics["chunks"], "chunks")
# >>> after each epoch: [0.59, 0.66, 0.69]
# >>> rows per epoch: [393216, 393216, 393216] in 120 chunks

# %% [markdown]
# ## Why it is shuffled
#
# Taken as they lie, pixels come field by field, and the network forgets the forest while it learns the maize.

# %%
in_order = right(fit(catalog=catalog, shuffle=False))
print("one epoch, shuffled, is better than one in order:", learnt[0] > in_order + 0.05)

figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
axes[0].plot([1, 2, 3], learnt, "o-", label="shuffled")
axes[0].plot(1, in_order, "s", label="in order")
axes[0].set(xlabel="epochs", ylabel="share of right pixels, other scenes", xticks=[1, 2, 3], ylim=(0, 1))
axes[0].legend()
shown = {
    "truth": judged[0].truth_class,
    "after three epochs": PixelwiseClassifier(model)(NDVI()(judged[0])).label,
}
for ax, (title, plane) in zip(axes[1:], shown.items(), strict=True):
    ax.imshow(plane, cmap="tab20", vmin=0, vmax=19, interpolation="nearest")
    ax.set_title(title)
    ax.set_axis_off()
# >>> one epoch, shuffled, is better than one in order: True

# %% [markdown]
# ## Interrupted, and taken up again
#
# The order depends on the seed alone. So a fit that was interrupted goes on where its state was last saved (here every
# four chunks), and ends with the model that it would have become: bit for bit, in the second epoch as in the first.


# %%
def interrupted(after: int):
    """Press Ctrl-C in the middle of the fit, after so many chunks."""
    learn, calls = MLPClassifier.partial_fit, iter(range(1000))

    @functools.wraps(learn)
    def learn_or_stop(self, *args, **kwargs):
        if next(calls) == after:
            raise KeyboardInterrupt
        return learn(self, *args, **kwargs)

    return mock.patch.object(MLPClassifier, "partial_fit", learn_or_stop)


small = functools.partial(fit, catalog=one, epochs=2, save_every=4)
undisturbed = small()
try:
    with interrupted(after=10):
        small(state=work / "small.state")
except KeyboardInterrupt:
    print("Ctrl-C; the state is", "kept" if (work / "small.state").exists() else "lost")
resumed = small(state=work / "small.state")


def same(a, b) -> bool:
    """Return whether all weights of two networks have the same bits."""
    pairs = zip(a.estimator.coefs_, b.estimator.coefs_, strict=True)
    return all(left.tobytes() == right.tobytes() for left, right in pairs)


print("taken up again, the same model:", same(resumed, undisturbed), resumed.metrics == undisturbed.metrics)
print("called twice, the same model:", same(small(), undisturbed))
print("another seed, the same model:", same(small(random_state=1), undisturbed))
try:
    small(state=work / "small.state", chunk_size=5_000)
except GeotoolzError as error:
    print(type(error).__name__, "·", str(error).partition("small.state is ")[2])
# >>> Ctrl-C; the state is kept
# >>> taken up again, the same model: True True
# >>> called twice, the same model: True
# >>> another seed, the same model: False
# >>> ParameterError · the state of another fit: chunk_size differ (chunk_size was 10000, and is 5000); call it as before, or give another state

# %% [markdown]
# ## When not to use it
#
# Where a sample is enough, and it mostly is: a forest on 500 000 pixels well spread over the country beats a linear model on a
# billion neighbours that are all alike (`fit_pixelwise`). Forests and boosting have no `partial_fit`. An epoch reads every
# scene once: where reading is dear, take larger chunks of fewer chips. And chips are shuffled eight at a time, not all
# rows of the catalog: where scenes differ much, raise `block_chips` as far as memory goes.
