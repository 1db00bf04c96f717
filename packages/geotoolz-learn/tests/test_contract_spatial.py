"""The operators of spatial validation keep the contract."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from geotoolz import learn
from geotoolz.core import Operator, load, save
from geotoolz.core.testing import (
    ContractSuite,
    Reference,
    ReferenceSuite,
    case,
    contract_tile,
    simulate_scene,
)
from geotoolz.learn import AreaOfApplicability, BlockID, ToTemporalPixelMajor, training_dissimilarity

OURS = ("AreaOfApplicability", "BlockID")
OTHERS = {
    name: "tests/test_contract_learn.py"
    for name in learn.__all__
    if isinstance(found := getattr(learn, name), type)
    and issubclass(found, Operator)
    and not found.is_abstract()
    and name not in OURS
}


def known(features=("red", "nir"), rows: int = 60):
    """Return the dissimilarity of some rows that look like the contract tile's."""
    X = np.random.default_rng(3).uniform(0.1, 0.9, (rows, len(features)))
    return training_dissimilarity(X, features, importances=range(1, len(features) + 1))


def saved(op: Operator, tile=contract_tile, **skip: str):
    """Return the case of an operator whose rows stand in a file, as a configuration has them."""
    made = case(lambda folder: load(save(op, folder / "saved")), tile, cls=type(op), skip=skip)
    return dataclasses.replace(made, label=repr(op)[:60])


def stack_tile(shape=(17, 23), *, seed: int = 0, times: int = 0):
    """Return a tile of three dates."""
    return contract_tile(shape, seed=seed, times=3)


class TestContract(ContractSuite):
    module = "geotoolz.learn"
    exempt: ClassVar[Mapping[str, str]] = OTHERS
    cases = (
        case(BlockID(70.0)),
        case(BlockID(123.4, "block")),
        case(BlockID(95.0, crs="EPSG:6933")),
        saved(known().operator()),
        saved(known(("swir16", "blue", "green"), 200).operator("d", "inside")),
        saved(
            known(tuple(f"{b}_{k}" for b in ("red", "nir") for k in range(3))).operator(
                adapter=ToTemporalPixelMajor("features")
            ),
            stack_tile,
            stack_equals_dates="its features are the dates: test_applicability.py",
        ),
    )


def block_ids_by_points() -> float:
    """Every pixel's centre, as a point."""
    tile = simulate_scene((60, 70), bands=("red",), cloud_cover=0)
    x, y = np.meshgrid(tile.x.values, tile.y.values)
    wanted = {}
    for place in zip(np.floor(x / 130).ravel(), np.floor(y / 130).ravel(), strict=True):
        wanted.setdefault(place, len(wanted))
    first = np.array(
        [wanted[p] for p in zip(np.floor(x / 130).ravel(), np.floor(y / 130).ravel(), strict=True)]
    )
    ids = BlockID(130.0)(tile).block_id.values.ravel()
    return float(len(set(zip(ids.tolist(), first.tolist(), strict=True))) - len(wanted))


def aoa_by_all_distances() -> float:
    """The distance to every training row, one by one."""
    tile = simulate_scene((40, 50), bands=("red", "nir"), cloud_cover=0)
    found = known()
    rows = np.column_stack([tile[n].values.ravel().astype("f8") for n in ("red", "nir")])
    rows = (rows - found.center) * found.factor
    wanted = np.sqrt(((rows[:, None] - found.points[None]) ** 2).sum(axis=2)).min(axis=1)
    return float(np.abs(found.operator()(tile).di.values.ravel() - wanted).max())


class TestReferences(ReferenceSuite):
    module = "geotoolz.learn"
    exempt: ClassVar[dict[str, str]] = dict.fromkeys(OTHERS, "tests/test_references_learn.py")
    references = (
        Reference(BlockID, "floor(centre / side) of every pixel", block_ids_by_points, 0, "blocks",
                  "test_applicability.py::test_blocks_want_metres"),
        Reference(AreaOfApplicability, "all distances (Meyer, Pebesma 2021)", aoa_by_all_distances, 1e-6, "1",
                  "test_applicability.py::test_what_does_not_fit_together"),
    )  # fmt: skip
