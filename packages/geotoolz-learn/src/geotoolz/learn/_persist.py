"""Models in files: a description as JSON, and the estimator beside it in one archive."""

from __future__ import annotations

import hashlib
import io
import json
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from geotoolz.core import ParameterError, ReadError, Ref, nearest
from geotoolz.core._whole_file import write_whole
from geotoolz.learn._estimators import installed
from geotoolz.learn._model import FittedPixelModel, Format, ModelInfo
from geotoolz.learn._skops import archived, dump_skops, load_skops

if TYPE_CHECKING:
    from geotoolz.core import Operator

OtherVersions = Literal["raise", "warn"]
_INFO, _ESTIMATOR = "model.json", "estimator"
_LAYOUT = 1

# Found by these first bytes: pickles from protocol 2 on, and what joblib compresses them with.
_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"\x78\x01", b"\x78\x5e", b"\x78\x9c",
            b"\x78\xda", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x5d\x00\x00", b"\x04\x22\x4d\x18")  # fmt: skip


class ModelVersionWarning(UserWarning):
    """A model was fitted with another version of its library, and is used all the same."""


def save_model(model: FittedPixelModel, path: str | Path, format: Format = "skops") -> Ref:
    """Write a model to one file; see `FittedPixelModel.save`."""
    if format not in ("skops", "joblib"):
        raise ParameterError(f"format={format!r}{nearest(str(format), ('skops', 'joblib'))}",
                             expected="'skops' or 'joblib'")  # fmt: skip
    target, kept = Path(path), _kept(model.estimator)
    estimator = _skops_bytes(kept) if format == "skops" else _joblib_bytes(kept)
    about = {"layout": _LAYOUT, "format": format, "sha256": hashlib.sha256(estimator).hexdigest(),
             "model": _plain_info(model)}  # fmt: skip
    content = _archive({_INFO: json.dumps(about, indent=1, ensure_ascii=False).encode(),
                        f"{_ESTIMATOR}.{format}": estimator})  # fmt: skip
    write_whole(target, content, parents=True)
    return Ref(str(target), hashlib.sha256(content).hexdigest())


def load_model(
    source: str | Path | Ref,
    *,
    trusted: Sequence[str] = (),
    trust: bool = False,
    sha256: str | None = None,
    other_versions: OtherVersions = "raise",
) -> FittedPixelModel:
    """Load a model that `FittedPixelModel.save` wrote.

    A skops file is loaded without running code: types that skops does not know are listed, and loaded only
    if they are named in `trusted`. A joblib file is a pickle, and a pickle can run anything: it is loaded
    only with ``trust=True`` and the SHA-256 that the file must have.

    Parameters
    ----------
    source : str, Path or Ref
        The file; of a `Ref` the content must be the one that it names.
    trusted : sequence of str
        Types (``"package.module.Type"``) that a skops file may hold besides those that skops trusts.
    trust : bool
        Load a joblib file.
    sha256 : str, optional
        What the content must hash to; a `Ref` says it already.
    other_versions : {"raise", "warn"}
        What to do where the library that the estimator comes from has another version now, in its first or
        second number.

    Returns
    -------
    FittedPixelModel

    Raises
    ------
    ReadError
        If the file is missing, is no model, holds a pickle that was not to be trusted, was fitted with
        another version, or has other content than was asked for.
    """
    if other_versions not in ("raise", "warn"):
        raise ParameterError(f"other_versions={other_versions!r}", expected="'raise' or 'warn'")
    content, digest = _content(source, sha256)
    about, members = _opened(content, _name(source))
    info = _info(about, _name(source))
    _require_versions(info, _name(source), other_versions)
    estimator = members[about["format"]]
    if hashlib.sha256(estimator).hexdigest() != about["sha256"]:
        raise ReadError(
            f"{_name(source)} holds another estimator than it says", expected="a file as it was saved"
        )
    if about["format"] == "joblib":
        loaded = _from_joblib(estimator, trust, digest, _name(source))
    else:
        loaded = load_skops(estimator, trusted, _name(source))
    return FittedPixelModel(
        estimator=loaded, token=digest or hashlib.sha256(content).hexdigest(), **vars(info)
    )


def read_info(source: str | Path | Ref) -> ModelInfo:
    """Return what is known of a model in a file, without loading its estimator.

    Parameters
    ----------
    source : str, Path or Ref
        The file; of a `Ref` the content must be the one that it names.
    """
    content, _ = _content(source, None)
    return _info(_opened(content, _name(source))[0], _name(source))


@lru_cache(maxsize=64)
def info_of_ref(ref: Ref) -> ModelInfo:
    """Return `read_info` of a pinned file, read once per process."""
    return read_info(ref)


def _name(source: str | Path | Ref) -> str:
    return source.uri if isinstance(source, Ref) else str(source)


def _content(source: str | Path | Ref, sha256: str | None) -> tuple[bytes, str | None]:
    """Return a file's bytes, and their hash where somebody said what it must be."""
    if isinstance(source, Ref):
        return source.read_bytes(), source.sha256
    if sha256 is not None:
        return Ref(str(source), sha256).read_bytes(), sha256
    try:
        return Path(source).read_bytes(), None
    except OSError as error:
        raise ReadError(f"{source} cannot be read: {error.strerror}", expected="a model file") from error


def _opened(content: bytes, name: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the description and the estimator's bytes by their format."""
    if content.startswith(_PICKLES):
        raise ReadError(
            f"{name} is a pickle, and loading one can run anything",
            expected="a model that FittedPixelModel.save wrote",
            fix="if you made it yourself: wrap_estimator(joblib.load(path), features=[…]).save(…)",
        )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            if _INFO not in names:
                raise ReadError(
                    f"{name} has no {_INFO}" + (": a bare skops file" if "schema.json" in names else ""),
                    expected="a model that FittedPixelModel.save wrote",
                    fix="wrap_estimator(skops.io.load(path), features=[…]).save(…)",
                )
            about = json.loads(archive.read(_INFO))
            members = {n.rpartition(".")[2]: archive.read(n) for n in names if n.startswith(f"{_ESTIMATOR}.")}
    except (zipfile.BadZipFile, ValueError, KeyError) as error:
        raise ReadError(
            f"{name} is no model: {error}", expected="a model that FittedPixelModel.save wrote"
        ) from error
    if not isinstance(about, dict) or about.get("layout") != _LAYOUT or about.get("format") not in members:
        raise ReadError(
            f"{name} has the layout {about.get('layout') if isinstance(about, dict) else about!r}",
            expected=f"layout {_LAYOUT}",
            fix="load it with the version of geotoolz-learn that wrote it",
        )
    return about, members


def _require_versions(info: ModelInfo, name: str, other_versions: str) -> None:
    for library, then in info.versions.items():
        if library in ("python", "numpy", "geotoolz-learn"):
            continue
        now = installed(library)
        if now is not None and then.split(".")[:2] == now.split(".")[:2]:
            continue
        found = f"{name} was fitted with {library} {then}, and here is {now or 'none'}"
        if other_versions == "raise":
            raise ReadError(
                found,
                expected=f"{library} {'.'.join(then.split('.')[:2])}",
                fix=f"install {library}=={then}, fit anew, or other_versions='warn'",
            )
        warnings.warn(found, ModelVersionWarning, stacklevel=3)


def _kept(estimator: Any) -> Any:
    """Return what predicts: of a search its best estimator, without splitters and scorers."""
    return getattr(estimator, "best_estimator_", estimator)


def _skops_bytes(estimator: Any) -> bytes:
    try:
        return dump_skops(estimator)
    except Exception as error:  # skops raises whatever the object's own state raises
        raise ParameterError(
            f"skops cannot keep {type(estimator).__name__}: {error}",
            fix='save(path, format="joblib"), and load it with trust=True where you know where it comes from',
        ) from error


def _joblib_bytes(estimator: Any) -> bytes:
    import joblib

    buffer = io.BytesIO()
    joblib.dump(estimator, buffer)
    return buffer.getvalue()


def _from_joblib(content: bytes, trust: bool, digest: str | None, name: str) -> Any:
    if not trust or digest is None:
        lacks = "trust=True" if not trust else "its SHA-256"
        raise ReadError(
            f"{name} holds its estimator as a pickle, and {lacks} was not given",
            expected="trust=True and the file's SHA-256: a pickle can run anything",
            fix="load it so only where you know where it comes from; or save it with skops",
        )
    import joblib

    return joblib.load(io.BytesIO(content))


def _archive(members: Mapping[str, bytes]) -> bytes:
    return archived(members, zipfile.ZIP_DEFLATED)


def _plain_info(model: ModelInfo) -> dict[str, Any]:
    """Return the description as plain JSON values."""
    from dataclasses import fields

    own = {f.name: getattr(model, f.name) for f in fields(ModelInfo)}
    for name in ("adapter", "nodata_policy"):
        own[name] = own[name].config()
    own["classes"] = [c if isinstance(c, str) else int(c) for c in model.classes]
    return own


def _info(about: Mapping[str, Any], name: str) -> ModelInfo:
    from geotoolz.core import from_config

    own = dict(about["model"])
    try:
        for part in ("adapter", "nodata_policy"):
            made: Operator = from_config(own[part])
            own[part] = made
        for each in ("features", "methods", "classes", "class_names", "codes", "targets"):
            own[each] = tuple(own[each])
        for each in ("extent", "dates"):
            own[each] = None if own[each] is None else tuple(own[each])
        return ModelInfo(**own)
    except (KeyError, TypeError) as error:
        raise ReadError(f"{name} has a description that cannot be read: {error}",
                        expected="a model that FittedPixelModel.save wrote") from error  # fmt: skip
