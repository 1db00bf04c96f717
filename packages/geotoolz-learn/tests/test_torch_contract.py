"""Models as operators keep the contract."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="pip install 'geotoolz-learn[torch]'")

from gtz_torch import as_input, config, network, saved, whole  # noqa: E402

from geotoolz import learn  # noqa: E402
from geotoolz.core.testing import ContractSuite, Reference, ReferenceSuite, case, contract_tile  # noqa: E402
from geotoolz.core.testing._contract_help import is_operator  # noqa: E402
from geotoolz.learn import Checkpoint, Ensemble, ModelOp  # noqa: E402

OURS = ("Ensemble", "ModelOp")
OTHERS = {
    name: "the other test_contract files"
    for name in learn.__all__
    if is_operator(getattr(learn, name)) and name not in OURS
}


ABOUT = {"task": "binary", "classes": ["positive"], "halo": 0, "stride": 1, "patch_size": 16}
MEMBERS = {n: ModelOp(f"import:gtz_functions.share_of_{n}", inputs=n, **ABOUT) for n in ("red", "nir")}


class TestContractTorch(ContractSuite):
    module = "geotoolz.learn"
    exempt: ClassVar[Mapping[str, str]] = OTHERS
    cases = (
        case(lambda f: ModelOp(saved(f, 3), patch_size=40, batch_size=3, name="cover"), cls=ModelOp),
        case(
            ModelOp(
                "import:gtz_functions.brightest", inputs=["red", "nir"], classes=["top"], mode="pixelwise"
            ),
        ),
        case(
            ModelOp(
                "import:gtz_functions.twice_as_fine",
                inputs="red",
                classes=("red",),
                zoom=2,
                halo=1,
                stride=1,
                task="super_resolution",
                mode="crop",
                patch_size=8,
            )
        ),
        case(Ensemble(MEMBERS, weights={"red": 1.0, "nir": 3.0}, keep_members=True, uncertainty=True)),
    )


def whole_scene_by_torch() -> float:
    """Run the network on the whole scene with torch alone, normalised and filled up with numpy."""
    net, about, tile = network(3, depth=2), config(3, depth=2), contract_tile((90, 71), gaps=False)
    probabilities = whole(net, as_input(tile, about, 4)).softmax(0).numpy()[:, :90, :71]
    made = ModelOp(Checkpoint(about, dict(net.state_dict())), patch_size=64)(tile)
    wrong = (made.label.values != probabilities.argmax(0)).sum()
    names = [f"probability_{name}" for name in about.classes]
    return float(
        wrong + max(np.abs(made[n].values - p).max() for n, p in zip(names, probabilities, strict=True))
    )


def mean_of_members_by_hand() -> float:
    """Average two functions' probabilities pixel by pixel in Python floats."""
    tile = contract_tile((12, 10))
    out = Ensemble(MEMBERS, weights={"red": 1.0, "nir": 3.0})(tile).probabilities.values
    worst = 0.0
    for value, red, nir in zip(out.flat, tile.red.values.flat, tile.nir.values.flat, strict=True):
        known = [(w, min(max(float(v), 0), 1)) for w, v in ((1.0, red), (3.0, nir)) if not math.isnan(v)]
        if not known:
            assert math.isnan(value)
            continue
        expected = sum(w * v for w, v in known) / sum(w for w, _ in known)
        worst = max(worst, abs(float(value) - expected))
    return worst


class TestReferencesTorch(ReferenceSuite):
    module = "geotoolz.learn"
    exempt: ClassVar[Mapping[str, str]] = OTHERS
    references = (
        Reference(
            ModelOp,
            "torch on the whole scene, normalised by NumPy",
            whole_scene_by_torch,
            0.0,
            bad_input="test_model_op.py::test_a_band_that_the_tile_lacks_is_told_before_pixels",
        ),
        Reference(
            Ensemble,
            "a weighted mean in Python floats",
            mean_of_members_by_hand,
            1e-7,
            bad_input="test_torch_models.py::test_weights_of_no_member_are_refused",
        ),
    )
