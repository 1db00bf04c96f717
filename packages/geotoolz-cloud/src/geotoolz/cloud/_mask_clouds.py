"""Masking clouds by whatever quality layer the product has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from geotoolz.cloud import _qa60
from geotoolz.cloud._apply import mask_calls
from geotoolz.cloud._decode import check_choice, chosen_flags, decode_calls, find_layer, listed
from geotoolz.cloud._masks import Confidence
from geotoolz.core import Map, Plan, QuantityError, State, TileSpec, VarSpec, chosen_bands

if TYPE_CHECKING:
    from geotoolz.core import Builder

_TEMPORARY = "~mask"


class MaskClouds(Map):
    """Set bands to no-data where the product's own quality layer says cloud, cirrus or shadow.

    ``MaskClouds(flags)`` is `MaskFromFlags` with the same flags, laid on the bands. The layer is found in
    the tile, the most telling first: Sentinel-2's scene classification (``scl``), Landsat Collection 2's
    ``qa_pixel``, Sentinel-2's ``qa60``, the ``fmask`` of HLS, MODIS ``state_1km``, Planet's UDM2. Its
    coding is the product's; nothing has to be said about bits.

    Reads the layer and the chosen bands; writes the bands in their own dtype with their own
    no-data value. The quality layer stays as it is. Pixels without a code (NaN, 255 in Fmask) are masked,
    unless all flags are about the ground. Looks at one pixel at a time.

    Parameters
    ----------
    flags : str or sequence of str, optional
        What to mask; by default those of ``cloud``, ``cirrus`` and ``shadow`` that the product has (what it
        lacks is told by `check`). Further ``snow``, ``water``, ``dilated``, ``cloud_medium``, … where the
        product has them; ``nodata`` and ``saturated`` (SCL 0 and 1) clear the swath's ragged edge.
        ``cloud`` is SCL 8 and 9, QA_PIXEL bit 3, QA60 bit 10. A flag that the product does not have is
        an error.
    bands : str or sequence of str, optional
        By default all bands that hold measurements.
    qa : str, optional
        Name of the layer's variable, if several could be meant or its name is another one; the flags of
        another product's layer are the words of its CF attribute ``flag_meanings``.
    layer : {"scl", "qa_pixel", "fmask", "state_1km", "qa60", "udm2"}, optional
        The layer's coding, if its variable has another name.
    min_confidence : {"low", "medium", "high"}, optional
        Take the product's confidence, this one or a higher one, instead of the flag's bit; see
        `MaskFromFlags`.

    Raises
    ------
    MissingVariableError
        If the tile has no quality layer.
    ParameterError
        For a flag that the product does not have, naming those that it has.
    QuantityError
        If the layer's data type cannot hold the product's bits, or an integer band has no no-data value.

    References
    ----------
    Sentinel-2 Products Specification Document (SCL, QA60); Landsat 8-9 Collection 2 Level 2
    Science Product Guide (QA_PIXEL); HLS Product User Guide 2.0; MOD09 User's Guide; Planet UDM2.

    Examples
    --------
    >>> from geotoolz.cloud import MaskClouds
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((64, 64), cloud_cover=0.3)
    >>> masked = MaskClouds()(tile)
    >>> bool(masked.red.isnull().mean() > tile.red.isnull().mean())
    True
    """

    flags: tuple[str, ...] | None = None
    bands: tuple[str, ...] | None = None
    qa: str | None = None
    layer: str | None = None
    min_confidence: Confidence | None = None

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept one flag, or band."""
        return listed(values, "flags", "bands")

    def validate(self) -> None:
        """Check flags and layer."""
        check_choice(self.flags, self.qa, self.layer, type(self).__name__)

    def plan(self, tile: TileSpec) -> Plan:
        """Decode the layer once, lay the mask on every band."""
        label = type(self).__name__
        found = find_layer(tile, self.qa, self.layer, label)
        flags, notes = chosen_flags(found, self.flags, self.min_confidence)
        bands = tuple(b for b in chosen_bands(tile, self.bands, label) if b not in found.reserved)
        self._same_dims(tile, tile.variables[found.names[0]], found.names[0], bands)
        decode = decode_calls(tile, found, flags, self.min_confidence, _TEMPORARY, label)
        writes, calls = mask_calls(tile, bands, _TEMPORARY, label)
        notes += _qa60.note(tile, found)
        return Plan(writes=writes, calls=(*decode, *calls) if calls else (), notes=notes)

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Add the calls, and the watch over QA60 layers that were never filled."""
        _qa60.watch(find_layer(state.spec, self.qa, self.layer, type(self).__name__), builder, state, path)
        return super().emit(builder, state, path)

    def _same_dims(self, tile: TileSpec, layer: VarSpec, qa: str, bands: tuple[str, ...]) -> None:
        for band in bands:
            if tile.variables[band].dims != layer.dims:
                raise QuantityError(f"{qa!r} has dims {layer.dims} and {band!r} {tile.variables[band].dims}")
