"""The base of every operator: fields, validation, configuration, identity."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar, dataclass_transform, get_type_hints

from geotoolz.core import _registry
from geotoolz.core._errors import GeotoolzError, ParameterError, nearest
from geotoolz.core._frozen import FrozenMapping, frozen, thawed

if TYPE_CHECKING:
    import pydantic

    from geotoolz.core._builder import Builder, State

Self = TypeVar("Self", bound="Operator")

Role = Annotated[str, "role"]
"""A field that names a variable of the tile by its role: ``"red"``, ``"nir"``, …"""

_MISSING = dataclasses.MISSING
_FIELD = "field_"
# what conversions raise for values of a kind that nobody thought of; loaders expect errors of ours
_UNFIT = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError)


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(dataclasses.field,))
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Operator:
    """Base of every operator. Subclasses are frozen dataclasses without saying so.

    A subclass declares its parameters as annotated class attributes. They are validated strictly
    at construction (a string is no number), lists become tuples, and the object can be compared,
    hashed, pickled, printed, and turned into configuration and back without further code.

    Attributes
    ----------
    version : int
        Raised when the operator's pixels change for equal parameters; part of the hash.
    tags : frozenset of str
        ``"loads_code"``, ``"reads_files"``, ``"writes_files"`` (kept out of the sandbox),
        ``"approximate"`` (outside the one law).
    aliases : tuple of str
        Old public names; configurations that use them keep loading.
    """

    version: ClassVar[int] = 1
    tags: ClassVar[frozenset[str]] = frozenset()
    aliases: ClassVar[tuple[str, ...]] = ()
    _abstract: ClassVar[bool] = True

    def __init_subclass__(cls, *, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # A class's own __post_init__ and __repr__ stay; everything else comes from dataclasses.
        dataclasses.dataclass(frozen=True, eq=False, repr=False)(cls)
        cls._abstract = abstract
        if not abstract:
            _registry.register(cls)

    def __post_init__(self) -> None:
        given = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        try:
            values = self.prepare(dict(given))
        except GeotoolzError:
            raise
        except _UNFIT as error:
            _validated(type(self), given)  # says which parameter has the wrong type
            raise _unfit(type(self), error) from error
        for name, value in _validated(type(self), values).items():
            object.__setattr__(self, name, value)
        try:
            self.validate()
        except GeotoolzError:
            raise
        except _UNFIT as error:
            raise _unfit(type(self), error) from error

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the raw parameters in the form that the annotations ask for.

        The place to accept a friendlier spelling, such as one name instead of a tuple.
        """
        return values

    def validate(self) -> None:
        """Check parameters against each other; raise `ParameterError`."""

    @classmethod
    def is_abstract(cls) -> bool:
        """Whether this class is a base and cannot be configured."""
        return cls._abstract

    # --- identity ---------------------------------------------------------------------------------
    def parameters(self) -> dict[str, Any]:
        """Return the fields by name."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    def replace(self: Self, **changes: Any) -> Self:
        """Return a copy with other parameters."""
        return dataclasses.replace(self, **changes)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other) or not isinstance(other, Operator):
            return NotImplemented
        from geotoolz.core._config import normalised, to_config, unconfigurable

        if unconfigurable(self) or unconfigurable(other):
            return self.parameters() == other.parameters()
        # NaN parameters compare by their spelling
        return bool(normalised(to_config(self)) == normalised(to_config(other)))

    def __hash__(self) -> int:
        # equal operators may list the keys of a mapping in another order: letters without their order
        return hash((type(self), "".join(sorted(repr(self)))))

    def __repr__(self) -> str:
        shown = [
            f"{f.name}={_short(getattr(self, f.name))}"
            for f in dataclasses.fields(self)
            if not is_default(self, f)
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def _repr_html_(self) -> str:
        from geotoolz.core._draw import draw_html

        return draw_html(self)

    # --- configuration ----------------------------------------------------------------------------
    @classmethod
    def target(cls) -> str:
        """Return the public import path that stands as ``_target_``."""
        return _registry.public_path(cls)

    def config(self, *, defaults: bool = True) -> dict[str, Any]:
        """Return the configuration as plain lists, dicts, strings and numbers.

        Parameters
        ----------
        defaults : bool
            Whether parameters that have their default value are listed.
        """
        from geotoolz.core._config import to_config

        return to_config(self, defaults=defaults)

    def config_hash(self) -> str:
        """Return the SHA-256 of the configuration in canonical JSON; sinks are left out."""
        from geotoolz.core._hash import config_hash

        return config_hash(self)

    # --- structure --------------------------------------------------------------------------------
    def children(self) -> Iterator[tuple[str, Operator]]:
        """Yield the operators among the fields with their paths (``"operators[0]"``)."""
        for field in dataclasses.fields(self):
            yield from _operators_in(getattr(self, field.name), field.name)

    def walk(self, path: str = "") -> Iterator[tuple[str, Operator]]:
        """Yield this operator and everything below it, with paths from here."""
        yield path, self
        for step, child in self.children():
            yield from child.walk(join(path, step))

    def map_children(self: Self, change: Callable[[str, Operator], Operator]) -> Self:
        """Return a copy whose child operators are ``change(path, child)``."""
        changed = {f.name: _mapped(getattr(self, f.name), f.name, change) for f in dataclasses.fields(self)}
        return dataclasses.replace(self, **changed) if any(True for _ in self.children()) else self

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Add this operator's kernel calls to a program; the base classes implement it."""
        raise NotImplementedError(f"{type(self).__name__} is abstract")

    # --- pydantic ---------------------------------------------------------------------------------
    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.is_instance_schema(cls)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, bool]:
        return {"x-operator": True}  # `json_schema` puts the reference; pydantic follows those it knows


def join(path: str, step: str) -> str:
    """Join two paths of a pipeline.

    Examples
    --------
    >>> join("operators[1]", "index"), join("", "index")
    ('operators[1].index', 'index')
    """
    if not path or not step:
        return path or step
    return f"{path}.{step}"


def is_default(op: Operator, field: dataclasses.Field[Any]) -> bool:
    """Whether a field has the value that it has when it is not given."""
    value = getattr(op, field.name)
    if field.default is not _MISSING:
        default = frozen(field.default)
    elif field.default_factory is not _MISSING:
        default = frozen(field.default_factory())
    else:
        return False
    same = value is default or value == default
    return bool(same) or (value != value and default != default)


def _short(value: Any) -> str:
    if isinstance(value, tuple) and value and all(isinstance(item, Operator) for item in value):
        return "[" + ", ".join(map(repr, value)) + "]"
    return repr(value)


def _operators_in(value: Any, path: str) -> Iterator[tuple[str, Operator]]:
    if isinstance(value, Operator):
        yield path, value
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _operators_in(item, f"{path}[{index}]")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _operators_in(item, f"{path}[{key}]")


def _mapped(value: Any, path: str, change: Callable[[str, Operator], Operator]) -> Any:
    if isinstance(value, Operator):
        return change(path, value)
    if isinstance(value, tuple):
        return tuple(_mapped(item, f"{path}[{i}]", change) for i, item in enumerate(value))
    if isinstance(value, Mapping):
        return FrozenMapping({k: _mapped(item, f"{path}[{k}]", change) for k, item in value.items()})
    return value


_models: dict[Any, type[pydantic.BaseModel]] = {}


def model_of(cls: type[Operator]) -> type[pydantic.BaseModel]:
    """Return the pydantic model of an operator's parameters, built at the first use."""
    if cls not in _models:
        _models[cls] = _modelled(cls)
    return _models[cls]


def _modelled(cls: type[Operator]) -> type[pydantic.BaseModel]:
    import pydantic

    hints = get_type_hints(cls, include_extras=True)
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        default: Any = ...
        if field.default is not _MISSING:
            default = field.default
        factory = None if field.default_factory is _MISSING else field.default_factory
        # aliased, because parameters may be called like attributes of pydantic's own base class
        info = (
            pydantic.Field(default_factory=factory, alias=field.name)
            if factory is not None
            else pydantic.Field(default, alias=field.name)
        )
        fields[f"{_FIELD}{field.name}"] = (hints[field.name], info)
    # protected_namespaces: a parameter may be called model_…
    config = pydantic.ConfigDict(
        strict=True, extra="forbid", arbitrary_types_allowed=True, protected_namespaces=()
    )
    return pydantic.create_model(cls.__name__, __config__=config, **fields)


def _validated(cls: type[Operator], values: dict[str, Any]) -> dict[str, Any]:
    """Validate parameters strictly and return them frozen."""
    import pydantic

    if not values:
        return {}
    model = model_of(cls)
    try:
        checked = model.model_validate(thawed(frozen(values)))
    except pydantic.ValidationError as error:
        raise _parameter_error(cls, error) from None
    return {name: frozen(getattr(checked, f"{_FIELD}{name}")) for name in values}


def _parameter_error(cls: type[Operator], error: pydantic.ValidationError) -> ParameterError:
    details = []
    for item in error.errors(include_url=False):
        place = ".".join(str(part) for part in item["loc"] if not str(part).endswith("]"))
        given = item.get("input")
        hint = _no_operator(given) if item["msg"].endswith("instance of Operator") else ""
        details.append(f"{place}={_clip(given)}: {item['msg'][0].lower()}{item['msg'][1:]}{hint}")
    first = str(error.errors(include_url=False)[0]["loc"][0])
    return _about(first, ParameterError(f"{cls.__name__} cannot be made: " + "; ".join(details)))


def _no_operator(given: Any) -> str:
    """Return how what was given in the place of an operator is written."""
    if isinstance(given, type):
        return f" ({given.__name__}() is one)"
    if isinstance(given, str) and given.isprintable() and len(given) < 100:
        return f" (in a file: {{_target_: {given}}})"
    return " (in a file: a mapping with '_target_')" if isinstance(given, Mapping) else ""


def _unfit(cls: type[Operator], error: Exception) -> ParameterError:
    return ParameterError(f"{cls.__name__} cannot be made of these parameters: {error}")


def _about(parameter: str, error: ParameterError) -> ParameterError:
    """Mark an error with the parameter that it is about, so that a loader finds its line."""
    error.parameter = parameter  # type: ignore[attr-defined]
    return error


def _clip(value: Any, length: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= length else text[: length - 1] + "…"


def check_parameter_names(cls: type[Operator], given: Mapping[str, Any]) -> None:
    """Raise `ParameterError` for a parameter that the operator does not have, or lacks.

    Raises
    ------
    ParameterError
        Naming the nearest parameter.
    """
    known = {f.name: f for f in dataclasses.fields(cls)}
    for name in given:
        if name not in known:
            raise _about(
                name,
                ParameterError(
                    f"{cls.__name__} has no parameter {name!r}{nearest(name, known)}",
                    expected=f"{', '.join(known) or 'none'}",
                    fix="correct the name, or leave it out",
                ),
            )
    for name, field in known.items():
        if name not in given and field.default is _MISSING and field.default_factory is _MISSING:
            raise ParameterError(f"{cls.__name__} lacks its parameter {name!r}")
