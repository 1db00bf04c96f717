"""Settings: files, environment, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from geotoolz.core import GeotoolzError, ReadError, from_config
from geotoolz.serve import ServeSettings, SettingsError, create_app, load_settings

RED = {"_target_": "geotoolz.radiometry.SelectBands", "names": ["red"]}
TEXT = """\
title: Maps
pipelines:
- name: red
  config: pipelines/red.yaml
- name: inline
  config: {_target_: geotoolz.indices.NDVI}
layers:
- name: red
  source: scenes/a
  pipeline: red
  rescale: [0, 0.3]
catalogs: {s2: scenes.parquet}
api_keys: ["${env:GTZ_TEST_KEY}"]
sandbox: {wall_s: 3}
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GTZ_TEST_KEY", "0123456789")
    path = tmp_path / "serve.yaml"
    path.write_text(TEXT)
    return path


def test_paths_of_a_file_start_at_the_file(file: Path) -> None:
    found = load_settings(file, environ={})
    assert found.pipelines[0].config == file.parent / "pipelines/red.yaml"
    assert found.layers[0].source == str(file.parent / "scenes/a")
    assert found.catalogs == {"s2": file.parent / "scenes.parquet"}
    assert found.api_keys == ["0123456789"]
    assert found.sandbox.wall_s == 3
    assert isinstance(found.pipelines[1].config, dict)


def test_json_is_yaml(tmp_path: Path) -> None:
    path = tmp_path / "serve.json"
    path.write_text(json.dumps({"title": "Maps", "uploads": False}))
    found = load_settings(path, environ={})
    assert (found.title, found.uploads) == ("Maps", False)


def test_the_environment_lies_above_the_file(file: Path) -> None:
    environ = {
        "GEOTOOLZ_SERVE_TITLE": "Others",
        "GEOTOOLZ_SERVE_SANDBOX__CPU_S": "1.5",
        "GEOTOOLZ_SERVE_UPLOADS": "false",
        "GEOTOOLZ_SERVE_CORS_ORIGINS": "[https://a.test]",
        "GEOTOOLZ_SERVE_CONFIG": "elsewhere.yaml",
    }
    found = load_settings(file, environ=environ)
    assert (found.title, found.uploads, found.cors_origins) == ("Others", False, ["https://a.test"])
    assert (found.sandbox.cpu_s, found.sandbox.wall_s) == (1.5, 3)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"titel": "x"}, "titel: there is no such setting (did you mean 'title'?)"),
        (
            {"layers": [{"name": "a", "source": "b", "sorce": "x"}]},
            "sorce: there is no such setting (did you mean 'source'?)",
        ),
        ({"pipelines": [{"name": "a b", "config": RED}]}, "pipelines.0.name"),
        ({"pipelines": [{"name": "../x", "config": RED}]}, "pipelines.0.name"),
        ({"pipelines": [{"name": "a", "config": RED}] * 2}, "the pipeline 'a' stands twice"),
        (
            {
                "layers": [{"name": "l", "source": "x", "pipeline": "rde"}],
                "pipelines": [{"name": "red", "config": RED}],
            },
            "did you mean 'red'",
        ),
        ({"allow_url_prefixes": ["https://example.com"]}, "with the slash after the host"),
        ({"allow_url_prefixes": ["file:///data/"]}, "is no prefix"),
        ({"allow_url_prefixes": ["https://user@host/"]}, "is no prefix"),
        ({"api_keys": ["short"]}, "api_keys.0"),
        ({"root_path": "geo"}, "does not start with a slash"),
        ({"sandbox": {"memory_mb": 1}}, "sandbox.memory_mb"),
        ({"render_threads": 0}, "render_threads"),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(given, environ={})
    assert said in str(caught.value)


def test_a_file_that_is_not_there_or_holds_no_mapping(tmp_path: Path) -> None:
    with pytest.raises(ReadError):
        load_settings(tmp_path / "none.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(SettingsError, match="no mapping"):
        load_settings(tmp_path / "list.yaml")
    (tmp_path / "twice.yaml").write_text("title: a\ntitle: b\n")
    with pytest.raises(GeotoolzError, match="stands twice"):
        load_settings(tmp_path / "twice.yaml")


def test_settings_are_returned_as_they_are() -> None:
    given = ServeSettings(title="x")
    assert load_settings(given, environ={"GEOTOOLZ_SERVE_TITLE": "y"}) is given


def test_a_pipeline_that_cannot_be_loaded_is_named_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(GeotoolzError, match=r"pipeline .x..*NDIV"):
        create_app({"pipelines": [{"name": "x", "config": {"_target_": "geotoolz.indices.NDIV"}}]})
    with pytest.raises(GeotoolzError, match="pipeline 'x'"):
        create_app({"pipelines": [{"name": "x", "config": tmp_path / "none.yaml"}]})
    with pytest.raises(GeotoolzError, match="catalog 'c'"):
        create_app({"catalogs": {"c": tmp_path / "none.parquet"}})
    with pytest.raises(GeotoolzError, match="layer 'l'"):
        create_app({"layers": [{"name": "l", "source": str(tmp_path / "none.tif")}]})
    with pytest.raises(SettingsError, match="auth_hook"):
        create_app({"auth_hook": "no_such_module:who"})


def test_a_sink_at_the_end_is_left_out_and_the_hash_stays() -> None:
    steps = [
        {"_target_": "geotoolz.indices.NDVI"},
        {"_target_": "geotoolz.io.WriteCOG", "path": "out/{band}.tif"},
    ]
    config = {"_target_": "geotoolz.core.Sequential", "operators": steps}
    served = create_app({"pipelines": [{"name": "x", "config": config}]}).state.geotoolz.registry.pipelines[
        "x"
    ]
    assert "WriteCOG" not in served.text
    assert served.config_hash == from_config(config).config_hash()
