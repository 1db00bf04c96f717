"""The import namespace: light, lazy, and clear about what is absent."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import geotoolz

HEAVY = (
    "numpy",
    "xarray",
    "pandas",
    "rasterio",
    "numba",
    "ray",
    "pydantic",
    "dask",
    "pyproj",
    "geopandas",
    "typer",
)


def run_python(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )


def test_import_is_light():
    done = run_python("import geotoolz, sys; print(*sys.modules)", "-X", "importtime")
    assert done.returncode == 0, done.stderr
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    timed = {
        line.rsplit("|", 1)[1].strip().partition(".")[0] for line in done.stderr.splitlines() if "|" in line
    }
    assert "geotoolz" in loaded & timed
    assert not (loaded | timed) & set(HEAVY)


def test_dir_of_the_namespace_imports_nothing_heavy():
    done = run_python("import geotoolz, sys; print(*dir(geotoolz)); print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    names, loaded = (set(line.split()) for line in done.stdout.splitlines())
    assert {"core", "io", "Sequential", "open_tile"} <= names
    assert not {name.partition(".")[0] for name in loaded} & set(HEAVY)


@pytest.mark.parametrize("name", sorted(n for n, d in geotoolz._MODULES.items() if d == "geotoolz-core"))
def test_modules_arrive_on_first_use(name):
    assert getattr(geotoolz, name) is importlib.import_module(f"geotoolz.{name}")


@pytest.mark.parametrize("name", sorted(geotoolz._NAMES))
def test_names_arrive_on_first_use(name):
    home = importlib.import_module(f"geotoolz.{geotoolz._NAMES[name]}")
    assert getattr(geotoolz, name) is getattr(home, name)
    assert name in home.__all__


def test_an_absent_distribution_is_named(monkeypatch):
    monkeypatch.setitem(geotoolz._MODULES, "faraway", "geotoolz-faraway")
    with pytest.raises(AttributeError, match="pip install geotoolz-faraway"):
        _ = geotoolz.faraway
    assert not hasattr(geotoolz, "faraway")


def test_another_missing_module_is_not_hidden(tmp_path, monkeypatch):
    (tmp_path / "halfway.py").write_text("import surely_not_installed\n")
    monkeypatch.setattr(geotoolz, "__path__", [*geotoolz.__path__, str(tmp_path)])
    monkeypatch.setitem(geotoolz._MODULES, "halfway", "geotoolz-halfway")
    with pytest.raises(ModuleNotFoundError, match="surely_not_installed"):
        _ = geotoolz.halfway


def test_a_misspelt_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Sequental'"):
        _ = geotoolz.Sequental


def test_pipelines_without_pixels_need_no_xarray():
    """Loading, hashing and comparing with a journal: xarray and pandas alone would take seconds."""
    code = (
        "import sys; from geotoolz.batch import CatalogPipeline; "
        "from geotoolz.core import Sequential, config_hash; "
        "from geotoolz.io import WriteCOG; from geotoolz.radiometry import SelectBands; "
        "config_hash(Sequential([SelectBands(('red',)), WriteCOG('{item_id}.tif')])); "
        "heavy = {'xarray', 'pandas', 'rasterio', 'pyproj', 'numba', 'scipy', 'dask', 'geopandas'}; "
        "print('loaded', sorted(heavy & set(sys.modules)))"
    )
    done = run_python(code)
    assert done.stdout.strip() == "loaded []", done.stdout + done.stderr
