"""BandMath keeps the contract."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from geotoolz import radiometry
from geotoolz.core import Operator
from geotoolz.core.testing import ContractSuite, case, contract_tile
from geotoolz.radiometry import BandMath

OTHERS = {
    name: "tests/test_contract.py"
    for name in radiometry.__all__
    if isinstance(found := getattr(radiometry, name), type)
    and issubclass(found, Operator)
    and not found.is_abstract()
    and found is not BandMath
}


class TestBandMath(ContractSuite):
    module = "geotoolz.radiometry"
    exempt: ClassVar[Mapping[str, str]] = OTHERS
    cases = (
        case(BandMath("(nir - red) / (nir + red)", name="ndvi")),
        case(BandMath("red * 2", name="red", long_name="twice", quantity="index")),
        case(BandMath("nir - red", units="W"), partial(contract_tile, raw=True)),
        case(
            BandMath(
                {"a": "exp(n) * B04 ** (1 / 3)", "b": "where(scl == 4 and n > k, n / B04, k)"},
                variables={"n": "nir"},
                constants={"k": 0.4},
            )
        ),
    )
