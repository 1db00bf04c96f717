"""Masking clouds by whatever quality layer the product has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from geotoolz.cloud import _kernels
from geotoolz.cloud._apply import mask_calls
from geotoolz.cloud._masks import bit_pattern, check_flags, require_integers
from geotoolz.cloud._products import LAYERS, QualityLayer
from geotoolz.core import (
    Call,
    Map,
    MissingVariableError,
    ParameterError,
    Plan,
    QuantityError,
    TileSpec,
    VarSpec,
    chosen_bands,
)

_ALL_FLAGS = tuple(dict.fromkeys(flag for layer in LAYERS.values() for flag in layer.flags))
_TEMPORARY = "~mask"


class MaskClouds(Map):
    """Set bands to no-data where the product's own quality layer says cloud, cirrus or shadow.

    The layer is found in the tile, the most telling first: Sentinel-2's scene classification
    (``scl``), Landsat Collection 2's ``qa_pixel``, Sentinel-2's ``qa60``. Its coding is the
    product's; nothing has to be said about bits.

    Reads the layer and the chosen bands; writes the bands in their own dtype with their own
    no-data value. The quality layer stays as it is.

    Parameters
    ----------
    flags : sequence of str
        What to mask: ``cloud``, ``cirrus``, ``shadow``, and further ``snow``, ``water``,
        ``dilated``, ``cloud_medium``, … where the layer knows them; ``nodata`` and ``saturated``
        (SCL 0 and 1) clear the swath's ragged edge. ``cloud`` is SCL 8 and 9,
        QA_PIXEL bit 3, QA60 bit 10. A flag that the layer at hand does not know is told by
        `check`, and is an error if it knows none of them.
    bands : sequence of str, optional
        By default all bands that hold measurements.
    qa : str, optional
        Name of the layer's variable, if several could be meant or its name is another one.
    layer : {"scl", "qa_pixel", "qa60"}, optional
        The layer's coding, if its variable has another name.

    Raises
    ------
    MissingVariableError
        If the tile has no quality layer.
    ParameterError
        For an unknown flag.
    QuantityError
        If the layer does not hold integers, or an integer band has no no-data value.

    References
    ----------
    Sentinel-2 Products Specification Document (SCL, QA60); Landsat 8-9 Collection 2 Level 2
    Science Product Guide (QA_PIXEL).

    Examples
    --------
    >>> from geotoolz.cloud import MaskClouds
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((64, 64), cloud_cover=0.3)
    >>> masked = MaskClouds()(tile)
    >>> bool(masked.red.isnull().mean() > tile.red.isnull().mean())
    True
    """

    flags: tuple[str, ...] = ("cloud", "cirrus", "shadow")
    bands: tuple[str, ...] | None = None
    qa: str | None = None
    layer: str | None = None

    def validate(self) -> None:
        """Check flags and layer."""
        check_flags(self.flags, _ALL_FLAGS, type(self).__name__)
        if self.layer is not None and self.layer not in LAYERS:
            raise ParameterError(f"layer={self.layer!r}", expected=f"one of {', '.join(LAYERS)}")

    def plan(self, tile: TileSpec) -> Plan:
        """Decode the layer once, lay the mask on every band."""
        label = type(self).__name__
        qa, layer = self._layer(tile)
        spec = require_integers(tile, qa, label)
        known = [flag for flag in self.flags if flag in layer.flags]
        if not known:
            raise ParameterError(
                f"{qa!r} knows none of {', '.join(self.flags)}", expected=f"some of {', '.join(layer.flags)}"
            )
        notes = [f"{qa!r} has no flag {flag!r}: not masked" for flag in self.flags if flag not in known]
        pattern = bit_pattern(n for flag in known for n in layer.flags[flag])
        bands = tuple(b for b in chosen_bands(tile, self.bands, label) if b != qa)
        self._same_dims(tile, spec, qa, bands)
        decode: Callable[..., Any] = _kernels.any_bit if layer.coding == "bits" else _kernels.in_classes
        writes, calls = mask_calls(tile, bands, _TEMPORARY, label)
        first = Call((qa,), (_TEMPORARY,), decode, (np.int64(pattern),))
        return Plan(writes=writes, calls=(first, *calls) if calls else (), notes=tuple(notes))

    def _layer(self, tile: TileSpec) -> tuple[str, QualityLayer]:
        label = type(self).__name__
        if self.qa is not None:
            name = tile.find(self.qa, label)
            coding = self.layer or next((role for role in LAYERS if tile.lookup(role) == name), None)
            if coding is None:
                raise ParameterError(
                    f"the coding of {name!r} is not known", expected=f"layer= one of {', '.join(LAYERS)}"
                )
            return name, LAYERS[coding]
        for role, layer in LAYERS.items():
            if self.layer not in (None, role):
                continue
            found = tile.lookup(role)
            if found is not None:
                return found, layer
        raise MissingVariableError(
            f"{label} found no quality layer among {', '.join(tile.variables)}",
            expected=f"one of {', '.join(LAYERS)}",
            fix="read it with the bands, or name it with qa= and layer=",
        )

    def _same_dims(self, tile: TileSpec, layer: VarSpec, qa: str, bands: tuple[str, ...]) -> None:
        for band in bands:
            if tile.variables[band].dims != layer.dims:
                raise QuantityError(f"{qa!r} has dims {layer.dims} and {band!r} {tile.variables[band].dims}")
