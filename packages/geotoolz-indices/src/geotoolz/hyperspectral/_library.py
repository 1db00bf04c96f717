"""Spectra in files: ENVI spectral libraries, CSV and text, NumPy."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from geotoolz.core import MissingVariableError, ReadError, nearest

Array = np.ndarray[Any, Any]
_DTYPES = {"1": "u1", "2": "i2", "3": "i4", "4": "f4", "5": "f8", "12": "u2", "13": "u4"}
_MICROMETRES = ("um", "µm", "micrometers", "micrometer", "microns", "micron")
_LONGEST_MICROMETRES = 100.0


class SpectralLibrary(Mapping[str, Array]):
    """Spectra by name: each an array with the columns wavelength (nm) and value.

    A name may be shortened as long as it stays clear which spectrum is meant.

    Parameters
    ----------
    wavelengths : array_like
        Nanometres.
    spectra : mapping of str to array_like
        Values by name; NaN where a spectrum has none.

    Examples
    --------
    >>> library = SpectralLibrary([500.0, 600.0], {"Kaolinite CM9": [0.5, 0.6], "Calcite WS272": [0.8, 0.9]})
    >>> library["kaolinite"][:, 1].tolist()
    [0.5, 0.6]
    """

    def __init__(self, wavelengths: Any, spectra: Mapping[str, Any]) -> None:
        self.wavelengths = _locked(wavelengths)
        self._spectra = {name: _locked(values) for name, values in spectra.items()}

    def __getitem__(self, name: str) -> Array:
        return np.column_stack([self.wavelengths, self._spectra[self._name(name)]])

    def __iter__(self) -> Iterator[str]:
        return iter(self._spectra)

    def __len__(self) -> int:
        return len(self._spectra)

    def __repr__(self) -> str:
        return f"SpectralLibrary({len(self)} spectra, {self.wavelengths.size} bands)"

    def _name(self, asked: str) -> str:
        if asked in self._spectra:
            return asked
        words = asked.lower().split()
        meant = [name for name in self._spectra if all(word in name.lower() for word in words)]
        if len(meant) == 1:
            return meant[0]
        if meant:
            some = "; ".join(repr(name) for name in meant[:5])
            raise MissingVariableError(
                f"{asked!r} may mean {len(meant)} spectra: {some}", fix="say more of it"
            )
        raise MissingVariableError(
            f"the library has no spectrum {asked!r}{nearest(asked, self._spectra)}",
            expected=f"one of its {len(self)} names",
        )


def read_library(path: str | Path) -> SpectralLibrary:
    """Read a spectral library: ENVI (``.sli`` with its ``.hdr``), or CSV with one spectrum per line.

    Of a CSV file the first line gives the wavelengths, the first column the names. Wavelengths in
    micrometres are turned into nanometres, the data-ignore value into NaN. A name that comes twice
    gets a number.

    Parameters
    ----------
    path : path
        The file (of an ENVI library the ``.sli`` or the ``.hdr``).

    Returns
    -------
    SpectralLibrary

    Raises
    ------
    ReadError
        If a file is missing or is no spectral library.
    """
    path = Path(path)
    return _csv_library(path) if path.suffix.lower() in (".csv", ".txt") else _envi_library(path)


def read_spectrum(path: str | Path, name: str | None = None) -> Array:
    """Read one spectrum as columns wavelength (nm) and value, fit to be a detector's target.

    Parameters
    ----------
    path : path
        A library (see `read_library`) with `name`; or a file with one spectrum: ``.npy``, ``.csv`` or
        ``.txt`` with columns wavelength and value, or values alone.
    name : str, optional
        The spectrum's name in a library.

    Returns
    -------
    numpy.ndarray
        Bands × 2, or the values alone if the file holds no wavelengths.

    Raises
    ------
    ReadError
        If a file is missing, or holds no spectrum.
    MissingVariableError
        If the library has no such spectrum; names the nearest.
    """
    path = Path(path)
    if name is not None:
        return read_library(path)[name]
    if path.suffix.lower() in (".sli", ".hdr"):
        found = read_library(path)
        if len(found) != 1:
            raise ReadError(f"{path} holds {len(found)} spectra", expected="name=, which of them")
        return found[next(iter(found))]
    return parse_spectrum(_content(path), str(path))


def read_numbers(path: str | Path) -> tuple[float, ...]:
    """Return a text file's numbers, one per line (band centres); of several columns the last.

    Raises
    ------
    ReadError
        If the file is missing or holds other things.
    """
    rows = list(_lines(_content(Path(path)), str(path)))
    if not rows:
        raise ReadError(f"{path} holds no numbers", expected="one per line")
    return tuple(row[-1] for row in rows)


def parse_spectrum(content: bytes, name: str) -> Array:
    """Return the spectrum in the bytes of a ``.npy``, ``.csv`` or text file."""
    if content[:6] == b"\x93NUMPY":
        try:
            found = np.load(io.BytesIO(content), allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ReadError(f"{name} is no NumPy file of numbers: {error}") from error
    else:
        found = np.array(list(_lines(content, name)), np.float64)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.dtype.kind not in "iuf" or found.ndim not in (1, 2) or not found.size:
        raise ReadError(
            f"{name} holds an array of {found.dtype} {found.shape}",
            expected="one spectrum: values, or columns wavelength and value",
        )
    return found if found.ndim == 1 else in_nanometres(found[:, -2:].astype(np.float64))


def in_nanometres(spectrum: Array) -> Array:
    """Return columns wavelength and value with wavelengths that are clearly micrometres converted."""
    if spectrum.size and np.nanmax(spectrum[:, 0]) < _LONGEST_MICROMETRES:
        return np.column_stack([spectrum[:, 0] * 1000.0, spectrum[:, 1]])
    return spectrum


def read_envi_header(path: Path) -> dict[str, str]:
    """Return the fields of an ENVI header, with names in lower case."""
    text = _content(path).decode("latin1")
    if not text.lstrip().startswith("ENVI"):
        raise ReadError(f"{path} is no ENVI header", expected="a text file that begins with ENVI")
    # a value is the rest of a line, or what stands in braces over several lines
    found = re.findall(r"^\s*([^=\n{}]+?)\s*=\s*(\{[^}]*\}|[^\n]*)", text, re.MULTILINE)
    return {key.strip().lower(): value.strip().strip("{}").strip() for key, value in found}


def read_envi_table(path: Path) -> tuple[Array, Array, dict[str, str]]:
    """Return wavelengths in nm, the numbers of a file in BSQ order (bands, lines, samples), the header."""
    header_path, data_path = _envi_paths(path)
    header = read_envi_header(header_path)
    try:
        shape = tuple(int(header[key]) for key in ("bands", "lines", "samples"))
        dtype = np.dtype(f"{'>' if header.get('byte order') == '1' else '<'}{_DTYPES[header['data type']]}")
        wavelengths = np.array([float(w) for w in header.get("wavelength", "").split(",") if w.strip()])
        offset = int(header.get("header offset", 0))
    except (KeyError, ValueError) as error:
        raise ReadError(f"{header_path}: {error} is missing or cannot be read") from error
    content = _content(data_path)[offset:]
    if len(content) != int(np.prod(shape)) * dtype.itemsize:
        raise ReadError(
            f"{data_path} has {len(content)} bytes",
            expected=f"{shape} of {dtype}, as {header_path.name} says",
        )
    if header.get("interleave", "bsq").lower() != "bsq" and 1 not in shape:
        raise ReadError(f"{data_path} is {header['interleave']}", expected="bsq")
    micro = header.get("wavelength units", "").strip().lower() in _MICROMETRES
    return wavelengths * (1000.0 if micro else 1.0), np.frombuffer(content, dtype).reshape(shape), header


def _envi_library(path: Path) -> SpectralLibrary:
    wavelengths, table, header = read_envi_table(path)
    lines = table.reshape(table.shape[-2:]) if table.shape[0] == 1 else table[:, :, 0].T
    if wavelengths.size not in (0, lines.shape[1]):
        raise ReadError(f"{path} has {wavelengths.size} wavelengths", expected=f"{lines.shape[1]}")
    values = lines.astype(np.float64)
    if ignored := header.get("data ignore value"):
        values[np.isclose(values, float(ignored), rtol=1e-6)] = np.nan
    names = [" ".join(name.split()) for name in header.get("spectra names", "").split(",")]
    if len(names) != len(values):
        names = [f"spectrum {i}" for i in range(1, len(values) + 1)]
    if not wavelengths.size:
        wavelengths, names, values = _own_wavelengths(path, names, values)
    return SpectralLibrary(wavelengths, dict(zip(_distinct(names), values, strict=True)))


def _own_wavelengths(path: Path, names: list[str], values: Array) -> tuple[Array, list[str], Array]:
    """Return the wavelengths that a library keeps as its first spectrum, as the USGS does."""
    if not names or not names[0].lower().startswith("wavelength"):
        raise ReadError(f"{path} has no wavelengths", expected="a field wavelength in the header")
    factor = 1000.0 if np.nanmax(values[0]) < _LONGEST_MICROMETRES else 1.0
    return np.round(values[0] * factor, 3), names[1:], values[1:]


def _envi_paths(path: Path) -> tuple[Path, Path]:
    header = path if path.suffix.lower() == ".hdr" else path.with_suffix(".hdr")
    if path.suffix.lower() != ".hdr":
        return (header if header.exists() else Path(f"{path}.hdr")), path
    for suffix in (".sli", ".lut", ".img", ".dat", ".bsq", ""):
        if (data := path.with_suffix(suffix)).exists():
            return path, data
    raise ReadError(f"{path} has no data file beside it", expected=f"{path.with_suffix('.sli').name}")


def _csv_library(path: Path) -> SpectralLibrary:
    rows = [row for row in csv.reader(io.StringIO(_content(path).decode("utf-8-sig"))) if row]
    try:
        wavelengths = np.array([float(cell) for cell in rows[0][1:]])
        values = [[float(cell) if cell.strip() else np.nan for cell in row[1:]] for row in rows[1:]]
        table = np.array(values, np.float64).reshape(len(values), wavelengths.size)
    except (IndexError, ValueError) as error:
        raise ReadError(
            f"{path} is no spectral library: {error}", expected="a line of wavelengths, then name and values"
        ) from error
    if wavelengths.size and wavelengths.max() < _LONGEST_MICROMETRES:
        wavelengths = wavelengths * 1000.0
    names = [" ".join(row[0].split()) for row in rows[1:]]
    return SpectralLibrary(wavelengths, dict(zip(_distinct(names), table, strict=True)))


def _distinct(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return out


def _lines(content: bytes, name: str) -> Iterator[list[float]]:
    """Yield the numbers of every line of a text file; lines before the first numbers are titles."""
    width = 0
    for number, line in enumerate(content.decode("utf-8-sig", "replace").splitlines(), 1):
        cells = [cell for cell in re.split(r"[,;\s]+", line.strip()) if cell]
        try:
            values = [float(cell) for cell in cells]
        except ValueError:
            values = []
        if not values and not width:
            continue
        if not values and not cells:
            continue
        if not values or (width and len(values) != width):
            raise ReadError(f"line {number} of {name} reads {line!r}", expected=f"{width} numbers")
        width = len(values)
        yield values


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror}") from error


def _locked(values: Any) -> Array:
    own = np.array(values, np.float64)
    own.flags.writeable = False
    return own
