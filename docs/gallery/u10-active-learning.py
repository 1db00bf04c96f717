# %% [markdown]
# # U10 · Which chip to label next
#
# An annotator's hour is dear. Let the model say where it does not know: score every chip by the entropy of its own
# probabilities, label the worst, train again.
#
# **Who needs this:** whoever has a thousand chips and an afternoon for labels.
#
# Install `geotoolz-learn`, `geotoolz-indices`, `geotoolz-patch`, `geotoolz-qc` and matplotlib. The scenes are simulated: their
# truth is the annotator that never tires.

# %%
import tempfile

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import RandomForestClassifier

import geotoolz as gz
from geotoolz.core import from_function
from geotoolz.core.testing import simulate_scene
from geotoolz.indices import NDVI, NDWI
from geotoolz.learn import ActiveSampler, PixelwiseProbabilities, TrainingRows, fit_rows
from geotoolz.metrics import MeanScalar
from geotoolz.patch import GridSampler, PatchGrid
from geotoolz.radiometry import SelectBands

about = {
    "shape": (512, 512),
    "bands": ("blue", "green", "red", "nir", "swir16"),
    "cloud_cover": 0,
    "truth": True,
}
features = gz.Sequential([NDVI(), NDWI()])
names = (*about["bands"], "ndvi", "ndwi")

# %% [markdown]
# ## The pool, and the annotator
#
# A scene in 256 chips of 32². To label a chip is to look up its truth; another scene, that nobody labels, tells what the
# map is worth.

# %%
pool = features(simulate_scene(**about, seed=3))
test = features(simulate_scene(**about, seed=8))
grid = PatchGrid(pool, GridSampler(32))
chips = [patch.tile for patch in grid]


def labelled(tiles):
    """Return the rows of some labelled chips: every fourth pixel, as an annotator would."""
    X = np.concatenate([np.column_stack([tile[n].values[::2, ::2].ravel() for n in names]) for tile in tiles])
    y = np.concatenate([tile.truth_class.values[::2, ::2].ravel() for tile in tiles])
    return TrainingRows(X=X[y > 0], features=names, y=y[y > 0])


unseen = labelled([test]).take(slice(None, None, 8))
print(len(chips), "chips in the pool,", len(unseen), "rows to test on")
# >>> 256 chips in the pool, 8192 rows to test on

# %% [markdown]
# ## A score is a pipeline
#
# Probabilities, their entropy, its mean over the chip: one number per chip, from the operators that any driver runs. The
# first model knows six chips.

# %%
forest = RandomForestClassifier(n_estimators=30, min_samples_leaf=2)
rng = np.random.default_rng(0)
first = rng.choice(len(chips), 6, replace=False).tolist()


def scores(model):
    """Return the mean entropy of every chip."""
    unsure = PixelwiseProbabilities(model, classes=(), uncertainty="entropy")(pool)
    mean = MeanScalar("entropy")
    return np.array([float(mean(patch.tile)) for patch in PatchGrid(unsure, GridSampler(32))])


model = fit_rows(forest, labelled([chips[i] for i in first]), random_state=0)
told = scores(model)
ranked = np.argsort(told)[::-1]
print(
    f"knows {len(model.classes)} of {len(np.unique(pool.truth_class))} classes;",
    f"entropy {told.min():.2f} to {told.max():.2f}",
)
rare = [
    np.mean([not np.isin(chips[i].truth_class, model.classes).all() for i in part])
    for part in (ranked[:30], ranked[-30:])
]
print(
    f"chips with a class it has never seen: {rare[0]:.0%} of the 30 least sure, {rare[1]:.0%} of the 30 most sure"
)
# >>> knows 7 of 10 classes; entropy 0.00 to 1.38
# >>> chips with a class it has never seen: 60% of the 30 least sure, 7% of the 30 most sure

# %% [markdown]
# ## The same as a sampler
#
# `ActiveSampler` is the pattern in one object: a base sampler says where chips may lie, a pipeline that ends in a number
# scores them, and the best of a whole catalog come back. It holds no more than it returns, leaves out what has labels
# already, and gives equal chips for equal input. As the sampler of a `PatchGrid` it feeds everything that takes chips.

# %%
ref = model.save(f"{tempfile.mkdtemp()}/first.gtz")
unsure_of = gz.Sequential(
    [PixelwiseProbabilities(ref, classes=(), uncertainty="entropy"), MeanScalar("entropy")]
)
about_chips = {"base": GridSampler(32), "score_op": unsure_of, "k": 12}
top = ActiveSampler(**about_chips)(pool, labelled=first)
by_hand = [int(i) for i in ranked if i not in first][:12]
print([chip.patch.index for chip in top[:4]], [f"{chip.score:.2f}" for chip in top[:4]])
assert [chip.patch.index for chip in top] == by_hand
# >>> [96, 80, 64, 89] ['1.38', '1.36', '1.32', '1.23']

# %% [markdown]
# ## Spread, not stacked
#
# The highest scores may all be of one kind. `mode="diverse"` takes the five times as many best, and of these the chips
# that look least alike: k-centres on what `features` makes of them (here the spectra; a network's features do as well),
# away from what is labelled.

# %%
looks = SelectBands(names)
spread = ActiveSampler(**about_chips, mode="diverse", features=looks)(pool, labelled=first)


def kinds(chosen):
    """Return which classes cover most of the chosen chips."""
    return {int(np.bincount(one.patch.tile.truth_class.values.ravel()).argmax()) for one in chosen}


def nearest(chosen):
    """Return the mean distance of each chip's spectrum to the most similar one."""
    rows = np.array([[float(one.patch.tile[n].mean()) for n in names] for one in chosen])
    rows = (rows - rows.mean(axis=0)) / pool[list(names)].to_array().std(("y", "x")).values
    apart = np.linalg.norm(rows[:, None] - rows[None], axis=2) + np.diag(np.full(len(rows), np.inf))
    return float(apart.min(axis=1).mean())


print(
    f"top: {len(kinds(top))} kinds, {nearest(top):.2f} apart; diverse: {len(kinds(spread))}, {nearest(spread):.2f}"
)
assert nearest(spread) > nearest(top)
# >>> top: 6 kinds, 0.51 apart; diverse: 6, 0.92

# %% [markdown]
# ## Scoring less
#
# Scoring a large pool costs more than the labels. Two ways out, which work together: look at a random share of it
# (`presample`), and let a cheap score choose who is shown to the dear one (`screen`; here the mean NDVI, in place of a
# forest).

# %%
seen = []


def counted(tile):
    """Note that the forest was asked."""
    seen.append(tile)
    return tile


dear = gz.Sequential([from_function(counted), unsure_of])
cheap = gz.Sequential([NDVI(name="green_share"), MeanScalar("green_share")])
few = ActiveSampler(GridSampler(32), dear, k=12, presample=0.5, screen=cheap, screen_keep=0.5)(pool)
caught = len({one.patch.index for one in few} & {int(i) for i in ranked[:64]})
print(f"{len(seen)} of {len(chips)} chips scored; {caught} of the 12 are among the 64 least sure")
assert len(seen) == 64
# >>> 64 of 256 chips scored; 12 of the 12 are among the 64 least sure

# %% [markdown]
# ## A learning curve
#
# Eight rounds of three chips. *Active* takes the least sure of those that are left, *random* takes any; two starts each,
# their mean. The least sure chips are those with unknown classes, and learning many odd ones first costs: *random* is ahead
# for some rounds, and behind when the common cases are known.


# %%
def curve(active, seed):
    """Return the accuracy on the other scene after every round."""
    rng, found = np.random.default_rng(seed), []
    known = rng.choice(len(chips), 6, replace=False).tolist()
    for _ in range(9):
        model = fit_rows(forest, labelled([chips[i] for i in known]), random_state=0)
        found.append(float(np.mean(model.predict_rows(unseen.X) == unseen.y)))
        left = np.setdiff1d(np.arange(len(chips)), known)
        known += (
            left[np.argsort(scores(model)[left])[::-1][:3]] if active else rng.choice(left, 3, replace=False)
        ).tolist()
    return found


curves = {
    name: np.mean([curve(name == "active", seed) for seed in (1, 2)], axis=0) for name in ("random", "active")
}
for name, values in curves.items():
    print(f"{name:7}", " ".join(f"{value:.2f}" for value in values))
# >>> random  0.53 0.63 0.65 0.72 0.73 0.73 0.73 0.76 0.76
# >>> active  0.53 0.57 0.59 0.64 0.68 0.71 0.75 0.78 0.80

# %%
unsure = PixelwiseProbabilities(model, classes=(), uncertainty=("entropy", "variance"))(pool)
figure, axes = plt.subplots(1, 2, figsize=(10, 4.2))
axes[0].imshow(unsure.entropy, cmap="magma")
axes[0].set_title("entropy of the first model")
axes[0].set_axis_off()
for name, values in curves.items():
    axes[1].plot(6 + 3 * np.arange(len(values)), values, "o-", label=name)
axes[1].set(xlabel="labelled chips", ylabel="share of right pixels, another scene")
axes[1].legend()

# %% [markdown]
# ## When not to use it
#
# With the first handful of labels: a model that has seen two classes is sure of the wrong things. Where the least sure
# chips are all alike (one cloud edge after another), the highest scores add nothing: spread them, or mix in random ones.
# And never test on chips that were chosen this way: they are the hard ones.
