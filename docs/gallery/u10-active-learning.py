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
import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import RandomForestClassifier

import geotoolz as gz
from geotoolz.core.testing import simulate_scene
from geotoolz.indices import NDVI, NDWI
from geotoolz.learn import PixelwiseProbabilities, TrainingRows, fit_rows
from geotoolz.metrics import MeanScalar
from geotoolz.patch import GridSampler, PatchGrid

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
