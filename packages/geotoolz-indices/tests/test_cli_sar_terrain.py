"""Commands on files: what is written is what the operators give."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz.core import tile_from_arrays
from geotoolz.core.testing import data_path


@pytest.fixture
def radar(tmp_path):
    from geotoolz.io import write_tile

    rng = np.random.default_rng(0)
    box = GeoBox((40, 50), Affine(10, 0, 500000, 0, -10, 5000000), "EPSG:32632")
    values = rng.gamma(4, 0.02, (2, 40, 50)).astype(np.float32)
    attrs = {name: {"quantity": "backscatter", "units": "1"} for name in ("vv", "vh")}
    tile = tile_from_arrays(dict(zip(("vv", "vh"), values, strict=True)), box, var_attrs=attrs,
                            nodata={"vv": np.nan, "vh": np.nan}, attrs={"tile_id": "radar"})  # fmt: skip
    write_tile(tile, tmp_path / "radar.tif")
    return tmp_path / "radar.tif"


@pytest.fixture
def dem(tmp_path):
    from geotoolz.io import write_tile

    y, x = np.mgrid[:20, :30]
    box = GeoBox((20, 30), Affine(10, 0, 500000, 0, -10, 5000000), "EPSG:32632")
    heights = (100 + 3 * x + 4 * y).astype(np.float32)
    tile = tile_from_arrays({"heights": heights}, box, nodata={"heights": np.nan}, attrs={"tile_id": "dem"})
    write_tile(tile, tmp_path / "dem.tif")
    return tmp_path / "dem.tif"


def call(room, capfd, *args):
    import importlib

    main = importlib.import_module(f"geotoolz.{room}._cli").main
    capfd.readouterr()
    code = main([str(arg) for arg in args])
    return code, *capfd.readouterr()


@pytest.mark.parametrize(
    "args",
    [(), ("--method", "gamma-map", "--window", "5", "--looks", "4"), ("--method", "frost", "--damping", "1")],
    ids=" ".join,
)
def test_filters(radar, tmp_path, capfd, args):
    from geotoolz.io import open_tile
    from geotoolz.sar import Frost, GammaMAP, LeeSpeckle

    op = {0: LeeSpeckle(), 6: GammaMAP(5, 4.0), 4: Frost(damping=1.0)}[len(args)]
    code, out, err = call("sar", capfd, "filter", radar, tmp_path / "out", *args)
    assert code == 0, err
    written = out.split()
    assert [path.rpartition("_")[2] for path in written] == ["vv.tif", "vh.tif"]
    expected = op(open_tile(radar))
    np.testing.assert_array_equal(open_tile(written[0]).vv.values, expected.vv.values)


def test_decibels_and_back(radar, tmp_path, capfd):
    from geotoolz.io import open_tile

    code, out, err = call("sar", capfd, "db", radar, tmp_path / "db", "--bands", "vv")
    assert code == 0, err
    found = open_tile(out.strip())
    np.testing.assert_allclose(found.vv, 10 * np.log10(open_tile(radar).vv), rtol=1e-5)
    assert found.vv.attrs["units"] == "dB"
    code, _, err = call("sar", capfd, "db", out.strip(), tmp_path / "twice")
    assert code == 2 and "measured in 'dB'" in err and "Traceback" not in err
    code, out, err = call("sar", capfd, "db", out.strip(), tmp_path / "back", "--inverse")
    assert code == 0, err
    np.testing.assert_allclose(open_tile(out.strip()).vv, open_tile(radar).vv, rtol=1e-5)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--method", "leee"), "did you mean 'lee'"),
        (("--window", "4"), "odd"),
        (("--damping", "2"), "--damping means nothing to lee"),
        (("--method", "frost", "--looks", "2"), "--looks means nothing to frost"),
        (("--bands", "hh"), "'hh'"),
    ],
    ids=lambda value: "",
)
def test_mistakes(radar, tmp_path, capfd, args, said):
    code, out, err = call("sar", capfd, "filter", radar, tmp_path / "out", *args)
    assert code == 2 and not out and said in err and "Traceback" not in err


def test_terrain(dem, tmp_path, capfd):
    from geotoolz.io import open_tile
    from geotoolz.terrain import Aspect, Hillshade, Slope

    tile = open_tile(dem)
    for args, op in (
        (("slope",), Slope("heights")),
        (("slope", "--percent", "--edges"), Slope("heights", edges=True, units="percent")),
        (("aspect", "--dem", "heights"), Aspect("heights")),
        (("hillshade", "--azimuth", "200", "--altitude", "30", "--z-factor", "2"),
         Hillshade("heights", 2.0, azimuth=200.0, altitude=30.0)),
    ):  # fmt: skip
        code, out, err = call("terrain", capfd, args[0], dem, tmp_path / "out", *args[1:])
        assert code == 0, err
        found = open_tile(out.strip())[op.name]
        np.testing.assert_array_equal(found.values, op(tile)[op.name].values)


def test_terrain_of_a_file_in_degrees(tmp_path, capfd):
    code, out, err = call("terrain", capfd, "slope", data_path("dem_nlcd_zion/srtm.tif"), tmp_path / "out")
    assert code == 2 and not out
    assert "degrees" in err and "EPSG:32612" in err
    code, _, err = call("terrain", capfd, "slope", data_path("dem_alps/elev_vinschgau_250m.tif"), tmp_path)
    assert code == 0, err
