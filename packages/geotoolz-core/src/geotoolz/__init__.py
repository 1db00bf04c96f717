"""Satellite-image pipelines on plain ``xr.Dataset`` tiles.

One import namespace, several distributions: ``geotoolz-core`` owns this file, the others add their modules
beside it. Nothing heavy is imported here; a module (``geotoolz.cloud``) and the most used names
(``geotoolz.Sequential``) arrive when they are first asked for.
"""

from typing import TYPE_CHECKING

# Literally this line: type checkers and griffe know it, other spellings give griffe a cyclic alias.
__path__ = __import__("pkgutil").extend_path(__path__, __name__)

__version__ = "0.1.0"

# Where each module lives. An absent one is then answered with the distribution to install.
_MODULES = {
    "batch": "geotoolz-core",
    "catalog": "geotoolz-core",
    "core": "geotoolz-core",
    "grid": "geotoolz-core",
    "io": "geotoolz-core",
    "radiometry": "geotoolz-core",
    "vector": "geotoolz-core",
    "viz": "geotoolz-core",
    "cloud": "geotoolz-cloud",
    "correction": "geotoolz-cloud",
    "temporal": "geotoolz-cloud",
    "indices": "geotoolz-indices",
    "hyperspectral": "geotoolz-indices",
    "sar": "geotoolz-indices",
    "terrain": "geotoolz-indices",
    "fusion": "geotoolz-indices",
    "learn": "geotoolz-learn",
    "nextgen": "geotoolz-nextgen",
    "presets": "geotoolz-nextgen",
    "patch": "geotoolz-patch",
    "augment": "geotoolz-patch",
    "qc": "geotoolz-qc",
    "metrics": "geotoolz-qc",
    "repro": "geotoolz-repro",
    "diff": "geotoolz-repro",
    "serve": "geotoolz-serve",
}

# The most used names, and the module that has them.
_NAMES = {
    "Branch": "core",
    "CatalogPipeline": "batch",
    "GeoCatalog": "catalog",
    "Graph": "core",
    "Input": "core",
    "Job": "batch",
    "Sequential": "core",
    "Switch": "core",
    "check": "core",
    "dump": "core",
    "freeze": "core",
    "load": "core",
    "open_tile": "io",
    "preset": "core",
    "run": "core",
    "save": "core",
    "stream": "io",
}

if TYPE_CHECKING:
    import geotoolz.augment as augment
    import geotoolz.batch as batch
    import geotoolz.catalog as catalog
    import geotoolz.cloud as cloud
    import geotoolz.core as core
    import geotoolz.correction as correction
    import geotoolz.diff as diff
    import geotoolz.fusion as fusion
    import geotoolz.grid as grid
    import geotoolz.hyperspectral as hyperspectral
    import geotoolz.indices as indices
    import geotoolz.io as io
    import geotoolz.learn as learn
    import geotoolz.metrics as metrics
    import geotoolz.nextgen as nextgen
    import geotoolz.patch as patch
    import geotoolz.presets as presets
    import geotoolz.qc as qc
    import geotoolz.radiometry as radiometry
    import geotoolz.repro as repro
    import geotoolz.sar as sar
    import geotoolz.serve as serve
    import geotoolz.temporal as temporal
    import geotoolz.terrain as terrain
    import geotoolz.vector as vector
    import geotoolz.viz as viz
    from geotoolz.batch import CatalogPipeline as CatalogPipeline
    from geotoolz.batch import Job as Job
    from geotoolz.catalog import GeoCatalog as GeoCatalog
    from geotoolz.core import Branch as Branch
    from geotoolz.core import Graph as Graph
    from geotoolz.core import Input as Input
    from geotoolz.core import Sequential as Sequential
    from geotoolz.core import Switch as Switch
    from geotoolz.core import check as check
    from geotoolz.core import dump as dump
    from geotoolz.core import freeze as freeze
    from geotoolz.core import load as load
    from geotoolz.core import preset as preset
    from geotoolz.core import run as run
    from geotoolz.core import save as save
    from geotoolz.io import open_tile as open_tile
    from geotoolz.io import stream as stream

# Type checkers must not see __getattr__: with it every misspelt attribute would type-check.
if not TYPE_CHECKING:

    def __getattr__(name):
        from importlib import import_module

        if name in _NAMES:
            value = getattr(import_module(f"{__name__}.{_NAMES[name]}"), name)
            globals()[name] = value
            return value
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        target = f"{__name__}.{name}"
        try:
            return import_module(target)
        except ModuleNotFoundError as err:
            if err.name != target:  # the module is there, one of its dependencies is not: that is the news
                raise
            dist = _MODULES[name]
            raise AttributeError(
                f"{target} is not installed; it comes with {dist}: pip install {dist}"
            ) from None


def __dir__() -> list[str]:
    """List the installed modules and the lazy names, so that completion finds them before their first use."""
    from importlib.util import find_spec

    found = {name for name in _MODULES if find_spec(f"{__name__}.{name}") is not None}
    return sorted({*globals(), *_NAMES, *found})
