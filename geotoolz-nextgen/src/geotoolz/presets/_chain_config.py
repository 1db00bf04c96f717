"""What a whole chain is told: one file, checked before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from geotoolz.core import ConfigError, ReadError
from geotoolz.core._yaml import parse

__all__ = ["ChainConfig", "load_config"]

Pipeline = str | dict[str, Any]
_RASTERS = ("probabilities_percent", "binarized_segmentation")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PreprocessConfig(_Part):
    """From scenes to what the models read.

    Attributes
    ----------
    pipeline : str or mapping
        A YAML file, the name of a preset, or the pipeline itself. It has no step that writes.
    variables : list of str, optional
        What is kept; by default all that the pipeline leaves.
    schema : str, optional
        A schema that tiles have to fulfil: ``preprocessed``.
    read : mapping
        How scenes are read: ``resolution``, ``aoi``, ``raw``.
    """

    pipeline: Pipeline
    variables: tuple[str, ...] | None = None
    schema_: Literal["preprocessed"] | None = Field(default=None, alias="schema")
    read: dict[str, Any] = Field(default_factory=dict)


class RefConfig(_Part):
    """A file, pinned by its content."""

    uri: str
    sha256: str


class SegmentConfig(_Part):
    """From features to ``probabilities``: models, one or several, or a pipeline of your own.

    Attributes
    ----------
    models : mapping of str to path or {uri, sha256}
        Checkpoints by name. Of several the mean counts.
    weights : mapping of str to float, optional
        By model.
    keep_members : bool
        Keep what every model says, ``probabilities-model-{name}``.
    uncertainty : bool
        Write how unsure the mean is, and how far the models disagree.
    options : mapping
        Parameters of every `geotoolz.learn.ModelOp`: ``device``, ``batch_size``, ``patch_size``, …
    pipeline : str or mapping, optional
        In place of models: what writes ``probabilities``. It needs no torch.
    """

    models: dict[str, str | RefConfig] = Field(default_factory=dict)
    weights: dict[str, float] | None = None
    keep_members: bool = False
    uncertainty: bool = False
    options: dict[str, Any] = Field(default_factory=dict)
    pipeline: Pipeline | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.models) == (self.pipeline is not None):
            raise ValueError("expected models or a pipeline, one of both")
        if len(self.models) < 2 and (self.weights or self.keep_members or self.uncertainty):
            raise ValueError("weights, keep_members and uncertainty are about several models")
        return self


class PostprocessConfig(_Part):
    """From probabilities to percent and objects: the parameters of `geotoolz.learn.Postprocess`."""

    threshold: float = 0.5
    min_pixels: int = 1
    erosion: int = 0
    connectivity: Literal[8, 4] = 8
    probabilities: str = "probabilities"
    valid: str | None = None


class PolygonsConfig(_Part):
    """Objects as polygons: the parameters of `geotoolz.learn.WritePolygons`.

    Attributes
    ----------
    format : {"parquet", "gpkg", "geojson"}
        Of the file per tile.
    statistics : mapping of str to list of str
        Of any variable that a stage before has written.
    min_area : float
        Square metres.
    connectivity : {4, 8}
    """

    format: Literal["parquet", "gpkg", "geojson"] = "parquet"
    statistics: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    min_area: float = 0.0
    connectivity: Literal[4, 8] = 4


class ExportConfig(_Part):
    """What is delivered.

    Attributes
    ----------
    rasters : list of str
        Variables of the postprocessing that become COGs.
    polygons : PolygonsConfig or None
        None writes none.
    merged : str or None
        The polygons of all tiles in one file below ``out``; None writes none.
    """

    rasters: tuple[str, ...] = Field(default=_RASTERS, min_length=1)
    polygons: PolygonsConfig | None = PolygonsConfig()
    merged: str | None = "objects.parquet"


class EvaluateConfig(_Part):
    """The objects against labels.

    Attributes
    ----------
    labels : str
        Polygons or a raster; ``{tile_id}`` stands for an attribute of the tile.
    column : str, optional
        Column with the class, of polygons.
    positive : int
        The label's code of what is looked for; every other code is background.
    background : bool
        Whether pixels without a label are background, as polygons mean it; otherwise they do not count.
    nearest : bool
        Whether a raster may lie on another grid: the label under a pixel's centre counts.
    """

    labels: str
    column: str | None = None
    positive: int = 1
    background: bool = False
    nearest: bool = False


class RunConfig(_Part):
    """Where and how it is run: no part of what comes out."""

    engine: str | None = None
    workers: int | None = Field(default=None, ge=1)
    max_failures: int | str = "2%"
    timeout: float | None = Field(default=None, gt=0)


class ChainConfig(_Part):
    """A chain from scenes to scores; see `EndToEnd`."""

    catalog: str
    out: str
    preprocess: PreprocessConfig
    segment: SegmentConfig
    postprocess: PostprocessConfig = PostprocessConfig()
    export: ExportConfig = ExportConfig()
    evaluate: EvaluateConfig | None = None
    run: RunConfig = RunConfig()

    @field_validator("out")
    @classmethod
    def _local(cls, out: str) -> str:
        if "://" in out:
            raise ValueError(f"{out!r} is no local folder: stages read what stages write; copy the result")
        return out


def load_config(source: Mapping[str, Any] | str | Path) -> tuple[ChainConfig, Path]:
    """Return a configuration and the folder that its paths are relative to.

    Raises
    ------
    ReadError
        If the file cannot be read.
    ConfigError
        Naming every key that is wrong.
    """
    name, folder, values = "", Path.cwd(), source
    if isinstance(source, str | Path):
        name, folder = str(source), Path(source).resolve().parent
        try:
            values = parse(Path(source).read_text(encoding="utf-8")).value
        except (OSError, UnicodeDecodeError) as error:
            raise ReadError(f"{source} cannot be read: {error}", expected="a YAML file") from error
    if not isinstance(values, Mapping):
        raise ConfigError(
            f"{name or 'the configuration'} holds {type(values).__name__}", expected="a mapping"
        )
    try:
        return ChainConfig.model_validate(dict(values)), folder
    except ValidationError as error:
        raise _told(error, name) from error


def _told(error: ValidationError, name: str) -> ConfigError:
    parts = []
    for one in error.errors():
        where = ".".join(map(str, one["loc"])) or "the configuration"
        said = "is no key" if one["type"] == "extra_forbidden" else one["msg"].removeprefix("Value error, ")
        parts.append(f"{where}: {said[:1].lower()}{said[1:]}")
    return ConfigError(f"{name}: {'; '.join(parts)}" if name else "; ".join(parts))
