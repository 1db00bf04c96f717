"""A slice opened for reading in windows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from geotoolz.catalog._load import described, require_other_names, sources_of
from geotoolz.core import TileSpec

if TYPE_CHECKING:
    import numpy as np

    from geotoolz.catalog._slice import GeoSlice
    from geotoolz.io._sign import Sign

_WHOLE = slice(None)


class OpenSlice:
    """A slice's tile without its pixels, and its pixels window by window.

    Attributes
    ----------
    spec : TileSpec
        What `GeoSlice.load` would return, undrawn.
    """

    def __init__(self, part: GeoSlice, sign: Sign = None) -> None:
        from geotoolz.io import open_scene

        geobox = part.geobox
        self._readers: dict[str, Any] = {}
        variables: dict[str, Any] = {}
        attrs: dict[str, Any] | None = None
        for number, source in enumerate(sources_of(part)):
            reader = open_scene(source, bands=part.bands, geobox=geobox, sign=sign)
            require_other_names(variables, reader.spec.variables, part, number)
            variables.update(reader.spec.variables)
            self._readers.update(dict.fromkeys(reader.spec.variables, reader))
            attrs = described(reader.spec.attrs, part) if attrs is None else attrs
        rows, cols = map(int, geobox.shape)
        self.spec = TileSpec(variables, {"y": rows, "x": cols}, geobox, (0, 0), attrs or {})

    @property
    def inputs(self) -> tuple[str, ...]:
        """The files that are read, for fingerprints."""
        return tuple(dict.fromkeys(path for reader in self._readers.values() for path in reader.inputs))

    def arrays(
        self, names: Iterable[str], rows: slice = _WHOLE, cols: slice = _WHOLE
    ) -> dict[str, np.ndarray[Any, Any]]:
        """Read a window of some variables as arrays."""
        return {name: self._readers[name].arrays((name,), rows, cols)[name] for name in names}
