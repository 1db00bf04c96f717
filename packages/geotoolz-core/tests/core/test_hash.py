"""The identity of a pipeline: literal values, so that an accident is seen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
import xarray as xr

from geotoolz.core import (
    ConfigError,
    Map,
    Operator,
    ReadError,
    Ref,
    Sequential,
    Sink,
    Switch,
    dump,
    load,
    save,
)
from geotoolz.core._hash import canonical_json
from geotoolz.radiometry import BoxMean, MinMax, PercentileClip, SelectBands, ToFloat32

Make = Callable[..., xr.Dataset]
PIPELINE = Sequential([SelectBands(["red", "nir"]), BoxMean(2), PercentileClip(2, 98)])
CANONICAL = (
    '{"_target_":"geotoolz.core.Sequential","_version_":1,"operators":['
    '{"_target_":"geotoolz.radiometry.SelectBands","_version_":1,"names":["red","nir"]},'
    '{"_target_":"geotoolz.radiometry.BoxMean","_version_":1,"bands":null,"radius":2},'
    '{"_target_":"geotoolz.radiometry.PercentileClip","_version_":1,"bands":null,"limits":null,'
    '"p_max":98,"p_min":2,"sample_cell":1,"scope":"tile"}]}'
)


class _Discards(Sink):
    """A sink that writes nothing."""

    path: str = "a.tif"

    def write(self, tile: xr.Dataset, *, created: tuple[str, ...]) -> tuple[str, ...]:
        return ()


class _Uses(Map):
    """An operator with a file."""

    spectrum: Ref


class _Versioned(Map):
    version: ClassVar[int] = 3


def test_literally() -> None:
    # If this fails, every journal and every cache of every user goes stale: was that meant?
    assert canonical_json(PIPELINE).decode() == CANONICAL
    digest = hashlib.sha256(CANONICAL.encode()).hexdigest()
    assert digest == "100186c6d468d7fa741c7d1cc226afe2de7e6f110881bd38906bcc44d91c157a"
    assert PIPELINE.config_hash().removeprefix("sha256:") == digest


def test_defaults_count_as_if_written() -> None:
    assert BoxMean().config_hash() == BoxMean(3, None).config_hash()
    assert load(dump(PIPELINE, defaults=True)).config_hash() == PIPELINE.config_hash()


def test_every_parameter_order_and_version_counts() -> None:
    hashes = {
        op.config_hash()
        for op in (
            PIPELINE,
            Sequential([]),
            Sequential([BoxMean(2)]),
            BoxMean(2),
            BoxMean(3),
            BoxMean(2, ("red",)),
            Sequential([BoxMean(2), ToFloat32()]),
            Sequential([ToFloat32(), BoxMean(2)]),
            MinMax(limits={"a": (0, 1)}),
            MinMax(limits={"b": (0, 1)}),
            MinMax(limits={"a": (0, 1.0000000000000002)}),
            Switch("k", {"a": BoxMean()}),
            Switch("k", {"b": BoxMean()}),
            Switch("k", {}, BoxMean()),
        )
    }
    assert len(hashes) == 14
    assert '"_version_":3' in canonical_json(_Versioned()).decode()


def test_sinks_do_not_count() -> None:
    with_sink = Sequential([BoxMean(2), _Discards("b.tif")])
    assert with_sink.config_hash() == Sequential([BoxMean(2)]).config_hash()
    nested = Sequential([Sequential([BoxMean(2), _Discards()])])
    assert nested.config_hash() == Sequential([Sequential([BoxMean(2)])]).config_hash()


@pytest.fixture
def ref(tmp_path: Path) -> Ref:
    path = tmp_path / "t.csv"
    path.write_text("2300,0.1")
    return Ref.of(path)


def test_a_file_counts_by_content(ref: Ref, tmp_path: Path) -> None:
    copy = tmp_path / "other.csv"
    copy.write_text("2300,0.1")
    assert _Uses(Ref.of(copy)).config_hash() == _Uses(ref).config_hash()
    copy.write_text("2300,0.2")
    assert _Uses(Ref.of(copy)).config_hash() != _Uses(ref).config_hash()


def test_a_changed_or_missing_file_is_refused(ref: Ref) -> None:
    assert ref.read_bytes() == b"2300,0.1"
    ref.path.write_text("other")
    with pytest.raises(ReadError, match=r"has sha256 .* expected"):
        ref.read_bytes()
    ref.path.unlink()
    with pytest.raises(ReadError, match="cannot be read"):
        ref.verify()
    with pytest.raises(ReadError):
        Ref.of(ref.path)
    for digest in ("", "0" * 63, "G" * 64, "A" * 64):
        with pytest.raises(ConfigError, match="64 hexadecimal"):
            Ref("x", digest)


def test_a_saved_folder_can_be_moved(ref: Ref, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    op = Sequential([_Uses(ref), BoxMean(1)])
    path = save(op, tmp_path / "here" / "deep")
    assert save(op, tmp_path / "here" / "deep") == path  # again, over itself
    ref.path.unlink()
    (tmp_path / "here").rename(tmp_path / "there")
    monkeypatch.chdir(tmp_path / "there")
    moved = load(Path("deep") / "pipeline.yaml")
    assert moved.config_hash() == op.config_hash()
    assert isinstance(moved, Sequential)
    spectrum: Ref = moved[0].spectrum  # type: ignore[attr-defined]
    assert spectrum.read_bytes() == b"2300,0.1"
    assert [p.name for p in (tmp_path / "there/deep/artefacts").iterdir()] == [ref.sha256 + ".csv"]
    assert save(moved, tmp_path / "third").parent.is_dir()
    assert load(tmp_path / "third" / "pipeline.yaml").config_hash() == op.config_hash()
    assert not list(tmp_path.rglob("*.part"))


def test_saving_needs_the_very_file(ref: Ref, tmp_path: Path) -> None:
    ref.path.write_text("changed")
    with pytest.raises(ReadError):
        save(_Uses(ref), tmp_path / "x")
    assert not (tmp_path / "x" / "pipeline.yaml").exists()


def test_operators_take_refs_and_nothing_else() -> None:
    with pytest.raises(ValueError, match="spectrum"):
        _Uses("t.csv")  # type: ignore[arg-type]
    assert isinstance(Sequential([]).config_hash(), str)
    assert isinstance(PIPELINE, Operator)
