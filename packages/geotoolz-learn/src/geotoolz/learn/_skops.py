"""Estimators out of skops files: no code is run, and node indices are checked."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from geotoolz.core import ReadError

# skops does not trust these, because scikit-learn follows their node indices without looking. They are
# loaded here, and every index is checked before the estimator is handed out.
_TREE = "sklearn.tree._tree.Tree"
_PREDICTOR = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
# Plain objects that hold numbers and do nothing when they are made.
PLAIN = (
    "geotoolz.learn._quantile_models.QuantileRegressors",
    "numpy.dtype",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
)
CHECKED = (_TREE, _PREDICTOR)
_DATE = (1980, 1, 1, 0, 0, 0)


def load_skops(content: bytes, trusted: Sequence[str], name: str) -> Any:
    """Return the estimator of a skops file.

    Parameters
    ----------
    content : bytes
        The file.
    trusted : sequence of str
        Types that it may hold besides those that skops trusts.
    name : str
        Where it comes from, for messages.

    Raises
    ------
    ReadError
        If it holds other types (they are listed), cannot be read, or has trees whose nodes lead nowhere.
    """
    import skops.io

    allowed = {*trusted, *CHECKED, *PLAIN}
    try:
        unknown = skops.io.get_untrusted_types(data=content)
    except Exception as error:  # a broken archive, or one of another schema: skops raises what it meets
        raise ReadError(
            f"the estimator in {name} cannot be read: {error}", expected="a skops file"
        ) from error
    strange = [one for one in unknown if one not in allowed]
    if strange:
        raise ReadError(
            f"the estimator in {name} holds {', '.join(strange)}",
            expected="types that skops trusts",
            fix=f"if you know where the file comes from: trusted={strange}",
        )
    try:
        estimator = skops.io.loads(content, trusted=[*unknown])
    except (ImportError, AttributeError) as error:
        raise ReadError(f"the estimator in {name} needs what is not installed: {error}") from error
    require_sound_trees(estimator, name)
    return estimator


def dump_skops(estimator: Any) -> bytes:
    """Return an estimator as a skops file: equal estimators give equal bytes."""
    import skops.io

    return _canonical(skops.io.dumps(estimator))


def _canonical(content: bytes) -> bytes:
    """Number objects and files in their order: skops names them after their places in memory."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        schema = json.loads(archive.read("schema.json"))
        members = {name: archive.read(name) for name in archive.namelist() if name != "schema.json"}
    names: dict[Any, Any] = {}

    def numbered(value: Any) -> Any:
        if isinstance(value, list):
            return [numbered(item) for item in value]
        if not isinstance(value, dict):
            return value
        own = {}
        for key, item in value.items():
            if key == "__id__":
                own[key] = names.setdefault(item, len(names) + 1)
            elif key == "file" and item in members:
                own[key] = names.setdefault(item, f"{len(names) + 1}.{item.rpartition('.')[2]}")
            else:
                own[key] = numbered(item)
        return own

    files = {"schema.json": json.dumps(numbered(schema)).encode()}
    files.update({names[name]: data for name, data in members.items()})
    return archived(files)


def archived(files: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return an archive whose bytes depend on nothing but its files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _DATE), files[name], compression, 1)
    return buffer.getvalue()


def require_sound_trees(estimator: Any, name: str = "the model") -> None:
    """Raise unless all nodes of all trees lead to nodes, and ask for features that there are.

    Raises
    ------
    ReadError
        Naming the first tree that is broken.
    """
    for holder, tree in _trees(estimator):
        limit = getattr(holder, "n_features_in_", None)
        check = _sound_tree if _path(tree) == _TREE else _sound_predictor
        if not check(tree, limit):
            raise ReadError(
                f"{name} holds a tree of {type(holder).__name__} whose nodes lead outside of it",
                expected="a file as it was saved",
            )


def _path(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _trees(root: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every tree below an object with every estimator that hands rows on to it unchecked."""
    seen: set[int] = set()
    waiting: list[tuple[Any, Any]] = [(None, root)]
    while waiting:
        holder, value = waiting.pop()
        if _path(value) in CHECKED:
            yield holder, value
            continue
        if id(value) in seen or isinstance(value, str | bytes | int | float | complex) or value is None:
            continue
        seen.add(id(value))
        if isinstance(value, np.ndarray):
            parts: Iterable[Any] = value.ravel().tolist() if value.dtype == object else ()
        elif isinstance(value, dict):
            parts = [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            parts = value
        else:
            holder, parts = value, list(getattr(value, "__dict__", {}).values())
            yield from _of_members(value)
        waiting.extend((holder, part) for part in parts)


def _of_members(ensemble: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the trees that an ensemble of all features reaches past their own estimators."""
    members = getattr(ensemble, "estimators_", None)
    if members is None or hasattr(ensemble, "estimators_features_"):
        return
    for member in np.asarray(members, object).ravel().tolist():
        tree = getattr(member, "tree_", None)
        if tree is not None:
            yield ensemble, tree


def _sound_tree(tree: Any, features: int | None) -> bool:
    left, right = np.asarray(tree.children_left), np.asarray(tree.children_right)
    at = np.arange(tree.node_count)
    inner = left != -1
    sound = tree.node_count > 0 and _lead_on(left, inner, at) and _lead_on(right, inner, at)
    used = np.asarray(tree.feature)[inner]
    known = features is None or tree.n_features <= features
    return bool(sound and known and ((used >= 0) & (used < tree.n_features)).all())


def _sound_predictor(predictor: Any, features: int | None) -> bool:
    nodes = np.asarray(predictor.nodes)
    if not {"left", "right", "is_leaf", "feature_idx", "is_categorical", "bitset_idx"} <= set(
        nodes.dtype.names or ()
    ):
        return False
    inner, at = nodes["is_leaf"] == 0, np.arange(len(nodes))
    sound = len(nodes) > 0 and _lead_on(nodes["left"], inner, at) and _lead_on(nodes["right"], inner, at)
    used = nodes["feature_idx"][inner]
    known = features is None or bool((used < features).all())
    sets = nodes["bitset_idx"][inner & (nodes["is_categorical"] != 0)]
    return bool(sound and known and (used >= 0).all() and (sets < len(predictor.raw_left_cat_bitsets)).all())


def _lead_on(child: Any, inner: Any, at: Any) -> bool:
    """Whether every inner node leads to a later node: no way out, and no way around in a circle."""
    to = child[inner].astype(np.int64)
    return bool(((to > at[inner]) & (to < len(at))).all())
