"""Labels as vectors: classes and their codes, and geometries in a CRS."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core._errors import (
    CatalogError,
    MissingCRSError,
    MissingVariableError,
    ParameterError,
    ReadError,
    nearest,
)

if TYPE_CHECKING:
    import geopandas as gpd

Classes = Mapping[str, int | None]
RASTERS = (".tif", ".tiff", ".jp2", ".vrt", ".img")


@dataclass(frozen=True)
class Legend:
    """What the codes of a label mean.

    Parameters
    ----------
    codes : tuple of int
        The codes, ascending.
    meanings : tuple of str
        Their names.
    fill : int
        The code of pixels without a label.
    wide : bool
        Whether codes above 255 may occur that are not listed.
    """

    codes: tuple[int, ...]
    meanings: tuple[str, ...]
    fill: int
    wide: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """``uint8`` where all codes and the fill fit, else ``uint16``."""
        return np.dtype(np.uint16 if self.wide or max((*self.codes, self.fill)) > 255 else np.uint8)

    def attrs(self) -> dict[str, Any]:
        """Return CF attributes: ``flag_values`` and ``flag_meanings`` where the codes are known."""
        if not self.codes:
            return {"quantity": "flags"}
        return {
            "quantity": "flags",
            "flag_values": np.array(self.codes, self.dtype),
            "flag_meanings": " ".join("_".join(m.split()) or "_" for m in self.meanings),
        }


def make_legend(
    found: list[Any], classes: Classes | None, fill: int | None, where: str
) -> tuple[Legend, dict[Any, int | None]]:
    """Give values their codes.

    Parameters
    ----------
    found : list
        The distinct values, without nulls.
    classes : mapping or None
        Value (as text) to code; None as a code means "unlabelled". Without it whole numbers are their own
        codes, and text gets 1, 2, … in alphabetical order.
    fill : int or None
        Code of the unlabelled; by default 255, or 65535 where the codes need ``uint16``.
    where : str
        Named in errors.

    Returns
    -------
    legend : Legend
    codes : dict
        Value to code.

    Raises
    ------
    ParameterError
        If a value has no class, or a code does not fit.
    """
    codes = _numbered(found, where) if classes is None else _given(found, classes, where)
    meanings: dict[int, str] = {}
    if classes is None:
        meanings = {code: _meaning(value) for value, code in codes.items() if code is not None}
    else:
        for name, given in classes.items():
            if given is not None:  # several values may share a code
                meanings[given] = f"{meanings[given]}_or_{name}" if given in meanings else str(name)
    if fill is None:
        fill = 255 if max(meanings, default=0) < 255 else 65535
    for code in (*meanings, fill):
        if type(code) is not int or not 0 <= code <= 65535:
            raise ParameterError(
                f"code {code!r} in {where}",
                expected="whole numbers from 0 to 65535",
                fix="map the values: classes={…}",
            )
    if fill in meanings:
        raise ParameterError(
            f"fill {fill} is the code of {meanings[fill]!r}", expected="a code of its own for the unlabelled"
        )
    ordered = tuple(sorted(meanings))
    return Legend(ordered, tuple(meanings[c] for c in ordered), fill), codes


def _meaning(value: Any) -> str:
    return value if isinstance(value, str) else f"class_{value}"


def _numbered(found: list[Any], where: str) -> dict[Any, int | None]:
    if all(isinstance(v, str) for v in found):
        return {value: code for code, value in enumerate(sorted(found), 1)}
    codes: dict[Any, int | None] = {}
    for value in found:
        if isinstance(value, (str, bool)) or float(value) != int(value):
            raise ParameterError(
                f"{where} holds {value!r}",
                expected="text or whole numbers",
                fix="map the values: classes={…}",
            )
        codes[value] = int(value)
    return codes


def _given(found: list[Any], classes: Classes, where: str) -> dict[Any, int | None]:
    codes: dict[Any, int | None] = {}
    unknown = []
    for value in found:
        text = (
            value if isinstance(value, str) else str(int(value)) if float(value) == int(value) else str(value)
        )
        if text in classes:
            codes[value] = classes[text]
        else:
            unknown.append(text)
    if unknown:
        shown = ", ".join(map(repr, sorted(unknown)[:5]))
        raise ParameterError(
            f"{where} holds {shown}{' …' if len(unknown) > 5 else ''}, which classes does not name",
            expected=f"one of {', '.join(classes)}",
            fix="add them, or map them to None to leave them unlabelled",
        )
    return codes


@dataclass(frozen=True, eq=False)
class LabelTable:
    """Vector labels in their own CRS, with one code per geometry.

    Parameters
    ----------
    geometries : array of shapely geometries
        In file order: a later one lies on top of an earlier one.
    codes : array of int
        Their codes.
    crs : str
        Their CRS.
    legend : Legend
        What the codes mean.
    """

    geometries: np.ndarray[Any, Any]
    codes: np.ndarray[Any, Any]
    crs: str
    legend: Legend
    _projected: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)

    def in_crs(self, crs: str) -> np.ndarray[Any, Any]:
        """Return the geometries in a CRS; every vertex is projected by itself, so windows see the same."""
        if crs not in self._projected:
            import geopandas as gpd

            series = gpd.GeoSeries(self.geometries, crs=self.crs)
            self._projected[crs] = np.asarray(series if crs == self.crs else series.to_crs(crs))
        return self._projected[crs]


def label_table(
    source: str | Path | gpd.GeoDataFrame,
    column: str | None = None,
    classes: Classes | None = None,
    fill: int | None = None,
) -> LabelTable:
    """Read vector labels and give them codes.

    Parameters
    ----------
    source : path or GeoDataFrame
        GeoPackage, GeoParquet, GeoJSON, or what else geopandas reads.
    column : str, optional
        Column with the class; without it every geometry is class 1, ``"labelled"``.
    classes, fill
        As for `make_legend`.

    Raises
    ------
    ReadError, MissingCRSError, MissingVariableError, CatalogError, ParameterError
        If the file cannot be read, has no CRS, lacks the column, is empty, or holds values without a class.
    """
    if isinstance(source, (str, Path)):
        held = tuple(sorted(classes.items())) if classes is not None else None
        return _cached_table(str(source), _stamp(Path(source)), column, held, fill)
    return _table(source, "the labels", column, classes, fill)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError as err:
        raise ReadError(
            f"{path} cannot be read: {err.strerror}", expected="a file with labels", fix="correct the path"
        ) from err
    if stat.st_size == 0:
        raise ReadError(f"{path} has 0 bytes", expected="a file with labels")
    return stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=8)
def _cached_table(
    path: str,
    stamp: tuple[int, int],
    column: str | None,
    classes: tuple[tuple[str, int | None], ...] | None,
    fill: int | None,
) -> LabelTable:
    return _table(_read(path), path, column, dict(classes) if classes is not None else None, fill)


def _read(path: str) -> gpd.GeoDataFrame:
    import geopandas as gpd

    try:
        if path.lower().endswith((".parquet", ".geoparquet")):
            return gpd.read_parquet(path)
        with warnings.catch_warnings():  # odd field types of other columns are nobody's business here
            warnings.simplefilter("ignore")
            return gpd.read_file(path)
    except (OSError, ValueError, RuntimeError) as err:  # pyogrio's errors are RuntimeErrors
        raise ReadError(
            f"{path} cannot be read: {err}", expected="GeoPackage, GeoParquet or GeoJSON"
        ) from err


def _table(
    frame: gpd.GeoDataFrame, where: str, column: str | None, classes: Classes | None, fill: int | None
) -> LabelTable:
    from geotoolz.catalog._slice import crs_text

    if getattr(frame, "crs", None) is None:
        raise MissingCRSError(
            f"{where} has no CRS", expected="labels with a CRS", fix="set it with set_crs and save them"
        )
    if column is not None and column not in frame.columns:
        have = [str(c) for c in frame.columns if c != frame.geometry.name]
        raise MissingVariableError(
            f"{where} has no column {column!r}{nearest(column, have)}",
            expected=f"one of {', '.join(have) or 'none'}",
        )
    usable = (frame.geometry.notna() & ~frame.geometry.is_empty).to_numpy(bool, copy=True)
    values = np.full(len(frame), "labelled", object) if column is None else frame[column].to_numpy(object)
    usable &= np.array([v is not None and v == v and type(v).__name__ != "NAType" for v in values], bool)
    if not usable.any():
        raise CatalogError(f"{where} has no geometry with a class", expected="at least one")
    values = np.array([v.item() if isinstance(v, np.generic) else v for v in values[usable]], object)
    found = list(dict.fromkeys(values))
    shown = where if column is None else f"column {column!r} of {where}"
    # without a column there is one class, whatever `classes` calls it
    if column is None and classes is not None:
        raise ParameterError("classes is given without column", fix="name the column that holds the classes")
    legend, codes = make_legend(found, classes, fill, shown)
    given = [codes[v] for v in values]
    kept = np.array([code is not None for code in given], bool)
    geometries = np.asarray(frame.geometry)[usable][kept]
    return LabelTable(
        geometries,
        np.array([c for c in given if c is not None], np.int64),
        crs_text(str(frame.crs.to_wkt())),
        legend,
    )
