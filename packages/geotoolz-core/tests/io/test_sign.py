"""``sign=``: addresses are signed when they are opened, once more when refused, and kept nowhere."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _http import Server, serving
from _rasters import dn, write

from geotoolz.core import MissingDependencyError, ParameterError, ReadError
from geotoolz.io import close_handles, describe, open_scene, open_tile, signer_names
from geotoolz.io._sign import redacted, signed, signer, travelling, without_query

ITEM: dict[str, Any] = {
    "type": "Feature",
    "stac_version": "1.0.0",
    "id": "S2A_33TWL_20230101_0_L2A",
    "collection": "sentinel-2-l2a",
    "geometry": None,
    "properties": {
        "datetime": "2023-01-01T10:00:00Z",
        "platform": "sentinel-2a",
        "s2:processing_baseline": "05.09",
        "proj:code": "EPSG:32633",
    },
    "links": [],
}


class Signer:
    """Gives ``sig=1``, then ``sig=2``, …; as a signer does whose tokens run out."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.asked: list[str] = []

    def __call__(self, href: str) -> str:
        self.asked.append(href)
        token = self.tokens.pop(0) if len(self.tokens) > 1 else self.tokens[0]
        return f"{href}?sig={token}"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "0")
    monkeypatch.setenv("CPL_VSIL_CURL_USE_HEAD", "NO")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # blocks that one request does not bring in with the header
    write(tmp_path / "B04.tif", dn(600, 600), tiled=True, blockxsize=128, blockysize=128)
    with serving(tmp_path) as found:
        found.valid = {"good"}
        yield found
    close_handles()


def item(server: Server) -> dict[str, Any]:
    """Return an item over the server's file."""
    asset = {"href": f"{server.url}/B04.tif", "type": "image/tiff; application=geotiff"}
    return {**ITEM, "assets": {"B04": asset}}


def test_signed_pixels_are_those_of_the_file(server: Server, tmp_path: Path) -> None:
    sign = Signer("good")
    tile = open_tile(item(server), "red", sign=sign)
    local = {**ITEM, "assets": {"B04": {"href": str(tmp_path / "B04.tif"), "type": "image/tiff"}}}
    np.testing.assert_array_equal(tile.red.values, open_tile(local, "red").red.values)
    assert set(sign.asked) == {f"{server.url}/B04.tif"}
    assert not server.refused


def test_the_signature_is_kept_nowhere(server: Server) -> None:
    scene = open_scene(item(server), "red", sign=Signer("good"))
    scene.read(rows=slice(0, 4))
    assert scene.inputs == (f"{server.url}/B04.tif",)
    assert "sig=" not in repr(
        (scene.spec, scene.origin, scene.stamps, scene.read(rows=slice(0, 4)).red.attrs)
    )


def test_a_remote_raster_alone(server: Server) -> None:
    tile = open_tile(f"{server.url}/B04.tif", sign=Signer("good"))
    assert tile.attrs["tile_id"] == "B04"
    server.valid = {"good", "own"}
    given = open_tile(f"{server.url}/B04.tif?sig=own")
    assert given.attrs["tile_id"] == "B04"
    assert "sig" not in str(given.to_dict(data=False))


def test_an_expired_signature_is_asked_for_once_more(server: Server) -> None:
    sign = Signer("old", "good")
    assert describe(item(server), "red", sign=sign).shape == (600, 600)
    assert len(server.refused) >= 1
    # and when it runs out between two windows
    server.valid = {"newer"}
    again = Signer("newer")
    scene = open_scene(item(server), "red", sign=again)
    scene.read(rows=slice(0, 8))
    server.valid, again.tokens = {"newest"}, ["newest"]
    part = scene.read(rows=slice(500, 508))
    assert np.isfinite(part.red).any()


def test_a_signature_that_stays_refused(server: Server) -> None:
    sign = Signer("bad")
    with pytest.raises(ReadError, match=r"B04\.tif cannot be read: .*403.*credentials of the function sign="):
        open_tile(item(server), "red", sign=sign)
    assert len(sign.asked) == 2
    with pytest.raises(ReadError) as caught:
        open_tile(f"{server.url}/B04.tif?sig=secret")
    assert "secret" not in str(caught.value)
    assert "sign='planetary-computer'" in str(caught.value)


def test_a_remote_file_that_is_not_there(server: Server) -> None:
    gone = {**ITEM, "assets": {"B04": {"href": f"{server.url}/gone.tif", "type": "image/tiff"}}}
    with pytest.raises(ReadError, match=r"gone\.tif cannot be read.*check the network"):
        open_tile(gone, "red", sign=Signer("good"))
    offline = {**ITEM, "assets": {"B04": {"href": "http://127.0.0.1:9/B04.tif", "type": "image/tiff"}}}
    with pytest.raises(ReadError, match=r"cannot be read.*check the network"):
        open_tile(offline, "red")


def test_a_signer_that_fails_is_told() -> None:
    def broken(href: str) -> str:
        raise RuntimeError("no token")

    with pytest.raises(ReadError, match=r"a\.tif cannot be signed: RuntimeError: no token"):
        open_tile("http://127.0.0.1:9/a.tif", sign=broken)
    with pytest.raises(ReadError, match="was signed as NoneType"):
        signed("https://host/a.tif", lambda href: None)  # type: ignore[arg-type,return-value]


def test_local_files_are_not_signed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", dn(8, 8))
    sign = Signer("good")
    open_tile(path, sign=sign)
    assert sign.asked == []


def test_names_of_signers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "planetary-computer" in signer_names()
    with pytest.raises(ParameterError, match=r"'planetary-computr' is not known.*planetary-computer"):
        signer("planetary-computr")
    with pytest.raises(MissingDependencyError, match="pip install planetary-computer"):
        signer("planetary-computer")
    with pytest.raises(ParameterError, match="no attribute"):
        signer("urllib.parse:nothing")
    with pytest.raises(ParameterError, match="sign=3"):
        signer(3)  # type: ignore[arg-type]
    from urllib.parse import unquote

    assert signer("urllib.parse:unquote") is unquote
    assert signer(None) is None


def test_what_travels_to_other_processes() -> None:
    from urllib.parse import unquote

    assert travelling(unquote) == "urllib.parse:unquote"
    assert pickle.loads(pickle.dumps(travelling(unquote))) == "urllib.parse:unquote"
    own = Signer("x")
    assert travelling(own) is own


def test_addresses_lose_their_query() -> None:
    assert without_query("s3://b/k.tif?versionId=3") == "s3://b/k.tif"
    assert redacted("HTTP 403: https://h/a.tif?st=1&sig=ab%2F, retry") == "HTTP 403: https://h/a.tif, retry"


def test_fingerprints_do_not_know_signatures() -> None:
    from geotoolz.batch._fingerprint import fingerprint, task_key

    def of(query: str) -> Any:
        assets = {"B04": {"href": f"https://host/B04.tif{query}"}}
        text = json.dumps({**ITEM, "assets": assets}, separators=(",", ":"))  # as catalogs keep items
        return fingerprint((), item=text)

    assert of("?sig=1") == of("?sig=2") == of("")
    assert task_key("sha256:1", of("?sig=1")) == task_key("sha256:1", of("?sig=2"))
    assert fingerprint(["https://host/a.tif?sig=1"]) == fingerprint(["https://host/a.tif?sig=2"])


def test_the_stream_reads_with_the_signature(server: Server, tmp_path: Path) -> None:
    from geotoolz.io import WriteCOG, stream
    from geotoolz.radiometry import SelectBands

    out = tmp_path / "out"
    sink = WriteCOG(str(out / "{band}.tif"), ("red",))
    stream(SelectBands(("red",)), open_scene(item(server), "red", sign=Signer("good")), sink=sink)
    whole = open_tile(item(server), "red", sign=Signer("good"))
    np.testing.assert_array_equal(open_tile(out / "red.tif").red.values, whole.red.values)


def good(href: str) -> str:
    """A signer that other processes can import, as this one has a module."""
    return f"{href}?sig=good"


def test_catalogs_and_batches_sign_when_they_read(server: Server, tmp_path: Path) -> None:
    pytest.importorskip("geopandas")
    from geotoolz.batch import CatalogPipeline
    from geotoolz.catalog import GeoCatalog
    from geotoolz.radiometry import SelectBands

    held = {**item(server), "geometry": None, "bbox": [15.0, 45.0, 15.1, 45.1]}
    held["properties"] |= {"proj:shape": [600, 600], "proj:transform": [10, 0, 500_000, 0, -10, 5_000_000]}
    folder = tmp_path / "items"
    folder.mkdir()
    (folder / "item.json").write_text(json.dumps(held))
    catalog = GeoCatalog.build(folder)
    sign = Signer("good")
    piece = next(iter(catalog.tiles()))
    assert np.isfinite(piece.load(["red"], sign=sign).red).any()
    assert set(piece.open(sign=sign).arrays(["red"], rows=slice(0, 4))) == {"red"}

    def job(given: Any, **more: Any) -> CatalogPipeline:
        return CatalogPipeline(
            catalog, SelectBands(("red",)), tmp_path / "out", read={"sign": given}, progress="none", **more
        )

    first = job(sign, engine="inline")
    assert first.run().counts == {"done": 1}
    # the key does not know who signed, and nothing that was written knows the signature
    assert job("urllib.parse:quote").run().counts == {"fresh": 1}
    assert job(good).read["sign"] == f"{__name__}:good"
    written = [path for path in (tmp_path / "out").rglob("*") if path.suffix in (".json", ".jsonl", ".log")]
    assert written
    assert not any("sig=" in path.read_text() for path in written)
    with pytest.raises(ParameterError, match=r"cannot import this function.*geotoolz.signers"):
        job(sign, engine="process")
    with pytest.raises(ParameterError, match="'nobody' is not known"):
        job("nobody")


def test_the_command_line_takes_a_name(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from geotoolz._cli._app import app

    monkeypatch.setattr("urllib.parse.sign_of_test", good, raising=False)
    runner = CliRunner()
    told = runner.invoke(app, ["info", f"{server.url}/B04.tif", "--sign", "urllib.parse:sign_of_test"])
    assert told.exit_code == 0, told.output
    assert "600 × 600" in told.output
