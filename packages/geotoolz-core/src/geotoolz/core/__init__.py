"""The algebra: tiles, operators, plans, and the runner that every driver shares."""

from __future__ import annotations

from geotoolz.core._as_tile import TileChangedWarning, as_tile
from geotoolz.core._branch import Branch
from geotoolz.core._builder import Builder, State
from geotoolz.core._check import Finding, check
from geotoolz.core._choose import choose
from geotoolz.core._compile import CONFIG_HASH_ATTR, Program, compile
from geotoolz.core._config import from_config, to_config
from geotoolz.core._coord import Coord
from geotoolz.core._draw import draw
from geotoolz.core._errors import (
    BatchError,
    CatalogError,
    ConfigError,
    ExecutorError,
    GeotoolzError,
    GridMismatchError,
    MissingCRSError,
    MissingDependencyError,
    MissingVariableError,
    NotFrozenError,
    OutsideError,
    ParameterError,
    QCError,
    QCWarning,
    QuantityError,
    RaisedError,
    ReadError,
    TileError,
    UnknownOperatorError,
    UntrustedOperatorError,
    WriteError,
    nearest,
)
from geotoolz.core._extent import Extent
from geotoolz.core._footprint import ALL, POINT, WHOLE, Footprint
from geotoolz.core._freeze import freeze
from geotoolz.core._frozen_array import ArrayParam, FrozenArray, as_array
from geotoolz.core._function import FromFunction, Tap, from_function
from geotoolz.core._graph import Graph, Input, Join, Merge, Node
from geotoolz.core._grid import geobox_of, spatial_coords, tile_from_arrays
from geotoolz.core._hash import config_hash
from geotoolz.core._jit import flat_view, kernel, pixelwise
from geotoolz.core._json_schema import json_schema
from geotoolz.core._load import dump, load, load_sandboxed
from geotoolz.core._map import Map, TileOperator
from geotoolz.core._observers import Observer, Profile, ShapeTrace, Snapshot
from geotoolz.core._operator import Operator, Role
from geotoolz.core._operator import join as join_path
from geotoolz.core._pixel_hash import pixel_hash
from geotoolz.core._presets import preset
from geotoolz.core._quantity import (
    chosen_bands,
    image_bands,
    is_flags,
    is_surface_reflectance,
    require_physical,
)
from geotoolz.core._reduce import Assertion, Freezable, Reduce
from geotoolz.core._ref import Ref
from geotoolz.core._registry import find as find_operator
from geotoolz.core._registry import registered as registered_operators
from geotoolz.core._regrid import GridChange
from geotoolz.core._requirements import Requirements, requirements
from geotoolz.core._run import RunResult, run, run_detailed
from geotoolz.core._save import save
from geotoolz.core._sequential import Sequential
from geotoolz.core._sink import Sink
from geotoolz.core._specs import Call, Plan, TileSpec, VarSpec
from geotoolz.core._switch import Raise, Switch
from geotoolz.core._tile_schema import POSTPROCESSED, PREPROCESSED, SEGMENTED, TileSchema, VarSchema
from geotoolz.core._verbs import verb
from geotoolz.core._yaml import Limits

__all__ = [
    "ALL",
    "CONFIG_HASH_ATTR",
    "POINT",
    "POSTPROCESSED",
    "PREPROCESSED",
    "SEGMENTED",
    "WHOLE",
    "ArrayParam",
    "Assertion",
    "BatchError",
    "Branch",
    "Builder",
    "Call",
    "CatalogError",
    "ConfigError",
    "Coord",
    "ExecutorError",
    "Extent",
    "Finding",
    "Footprint",
    "Freezable",
    "FromFunction",
    "FrozenArray",
    "GeotoolzError",
    "Graph",
    "GridChange",
    "GridMismatchError",
    "Input",
    "Join",
    "Limits",
    "Map",
    "Merge",
    "MissingCRSError",
    "MissingDependencyError",
    "MissingVariableError",
    "Node",
    "NotFrozenError",
    "Observer",
    "Operator",
    "OutsideError",
    "ParameterError",
    "Plan",
    "Profile",
    "Program",
    "QCError",
    "QCWarning",
    "QuantityError",
    "Raise",
    "RaisedError",
    "ReadError",
    "Reduce",
    "Ref",
    "Requirements",
    "Role",
    "RunResult",
    "Sequential",
    "ShapeTrace",
    "Sink",
    "Snapshot",
    "State",
    "Switch",
    "Tap",
    "TileChangedWarning",
    "TileError",
    "TileOperator",
    "TileSchema",
    "TileSpec",
    "UnknownOperatorError",
    "UntrustedOperatorError",
    "VarSchema",
    "VarSpec",
    "WriteError",
    "as_array",
    "as_tile",
    "check",
    "choose",
    "chosen_bands",
    "compile",
    "config_hash",
    "draw",
    "dump",
    "find_operator",
    "flat_view",
    "freeze",
    "from_config",
    "from_function",
    "geobox_of",
    "image_bands",
    "is_flags",
    "is_surface_reflectance",
    "join_path",
    "json_schema",
    "kernel",
    "load",
    "load_sandboxed",
    "nearest",
    "pixel_hash",
    "pixelwise",
    "preset",
    "registered_operators",
    "require_physical",
    "requirements",
    "run",
    "run_detailed",
    "save",
    "spatial_coords",
    "tile_from_arrays",
    "to_config",
    "verb",
]
