"""Jobs as files: what they may say, what is wrong with them and on which line, what they run."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest
from gtz_batch_ops import Ratio, WriteNpy

from geotoolz.batch import Budget, Job, job_schema
from geotoolz.core import ConfigError, GeotoolzError, Sequential, dump
from geotoolz.core._errors import MissingVariableError, ParameterError, ReadError
from geotoolz.core.testing import write_scene

pytest.importorskip("geopandas", reason="a job opens a catalog, which needs the catalog extra")

JOB = """\
source: scenes
pipeline: pipe/ratio.yaml
out: products
read:
  resolution: 10.0
engine:
  name: inline
failures:
  max_failures: 1
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Scenes and a pipeline beside them; a test writes its own job."""
    folder = tmp_path_factory.mktemp("job")
    for number in range(3):
        scene = {"shape": (24, 20), "bands": ("red", "nir"), "datetime": f"2023-06-1{number}"}
        write_scene({**scene, "seed": number}, folder / "scenes")
    (folder / "pipe").mkdir()
    op = Sequential([Ratio(gain=1.5), WriteNpy("{item_id}_{band}.npy")])
    (folder / "pipe/ratio.yaml").write_text(dump(op).replace("1.5", "${gain:1.5}"))
    (folder / "ids.txt").write_text(
        "# two\nS2A_T33E500N5100_20230610_0_L2A\n\nS2A_T33E500N5100_20230611_0_L2A # b\n"
    )
    return folder


def written(folder, text, name="job.yaml"):
    path = Path(folder) / name
    path.write_text(textwrap.dedent(text))
    return path


def test_a_job_runs_from_anywhere_and_its_paths_are_relative_to_the_file(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    job = Job.load(written(folder, JOB), {"out": str(tmp_path / "out")})
    run = job.pipeline(progress="none")
    assert run.engine == "inline" and str(run.max_failures) == "1" and run.read == {"resolution": 10.0}
    assert run.run().counts == {"done": 3}
    assert job.pipeline(progress="none").run().counts == {"fresh": 3}
    assert Job.load(folder / "job.yaml").out == str(folder / "products")
    assert job.source == str(folder / "scenes") and not (folder / "products").exists()


def test_everything_that_a_job_may_say_arrives(folder):
    text = """\
    catalog: scenes
    pipeline: pipe/ratio.yaml
    set: {gain: 2.5}
    out: products
    slice: {time: 2023-06, where: "cloud_cover >= 0 or id != 'x'"}
    tiles: ids.txt
    read: {aoi: [14.9, 45.9, 15.1, 46.1], bands: [red, nir], raw: false}
    engine: {name: process, workers: 3}
    failures:
      max_failures: 5%
      timeout: 60
      breaker: 7
      retries: {transient: 2, base: 0.5}
    budget: {hours: 2, bytes: 20GB, cost: 3.5, price_cpu_hour: 0.04}
    stale_on: [code]
    quicklook: false
    """
    run = Job.load(written(folder, text)).pipeline()
    assert run.op.operators[0].gain == 2.5
    assert run.slice == {
        "time": "2023-06",
        "where": "cloud_cover >= 0 or id != 'x'",
        "bbox": (14.9, 45.9, 15.1, 46.1),
    }
    assert run.tiles == ("S2A_T33E500N5100_20230610_0_L2A", "S2A_T33E500N5100_20230611_0_L2A")
    assert (run.engine, run.n_workers, run.timeout, run.quicklook) == ("process", 3, 60, False)
    assert run.budget == Budget(hours=2, bytes=20_000_000_000, cost=3.5, price_cpu_hour=0.04)
    assert (run.retries.transient, run.retries.base, run.stale_on) == (2, 0.5, ("code",))
    assert str(run.max_failures) == "5%" and run.breaker is not None
    assert run.read["aoi"] == (14.9, 45.9, 15.1, 46.1) and run.read["bands"] == ["red", "nir"]
    given = Job.load(folder / "job.yaml").pipeline(n_workers=1, quicklook=True, limit=1)
    assert given.n_workers == 1 and given.limit == 1 and given.quicklook


def test_inline_pipelines_presets_and_places(folder, monkeypatch):
    text = """\
    source: scenes
    pipeline:
      _target_: geotoolz.radiometry.BoxMean
      radius: ${radius}
      bands: [red]
    set: {radius: 3}
    out: ${env:GTZ_TEST_OUT}/x
    engine: inline
    """
    monkeypatch.setenv("GTZ_TEST_OUT", "/tmp/somewhere")
    job = Job.load(written(folder, text))
    assert job.op.radius == 3 and job.out == "/tmp/somewhere/x" and job.spec.engine.name == "inline"
    assert Job.load(folder / "job.yaml", variables={"radius": 4}).op.radius == 4
    assert Job.load(folder / "job.yaml", {"pipeline.radius": 5}).op.radius == 5
    assert Job.load(folder / "job.yaml", {"engine.workers": 2}).spec.engine.workers == 2


WRONG = [
    ("sorce: x\nout: o\npipeline: p\n", r"line 1: unknown key 'sorce' \(did you mean 'source'\?\)"),
    (JOB + "budget:\n  cpu_hour: 3\n", r"line 11: unknown key 'budget.cpu_hour' \(did you mean 'cpu_hours'"),
    (JOB.replace("10.0", "-3"), r"line 5: read.resolution is -3; expected greater than 0"),
    (JOB.replace("10.0", "ten"), r"line 5: read.resolution is 'ten'; expected a valid number"),
    (JOB.replace("out: products\n", ""), r"there is no 'out'"),
    (JOB + "slice: {bbox: [1, 2, 3]}\n", r"line 10: slice.bbox is \[1, 2, 3\]"),
    (JOB + "stale_on: [cod]\n", r"line 10: stale_on.0 is 'cod'; expected 'code' or 'environment'"),
    (JOB + "catalog: x\n", r"both source and catalog"),
    (JOB.replace("source: scenes\n", ""), r"neither source nor catalog"),
    (JOB + "out: twice\n", r"line 10: the key 'out' stands twice"),
    (JOB.replace("pipe/ratio.yaml", "ndvii"), r"line 2: pipeline is 'ndvii' \(did you mean 'ndvi'\?\)"),
    (JOB.replace("products", "${place}"), r"line 3: no value for \$\{place\}"),
    ("_target_: geotoolz.core.Sequential\noperators: []\n", "this is a pipeline, not a job"),
    ("- 1\n", "the job is a list"),
    ("", "the job is empty"),
    (JOB + "  max_failures: 3\n", "line 10: the key 'max_failures' stands twice"),
]


@pytest.mark.parametrize(("text", "told"), WRONG, ids=[told[:24] for _, told in WRONG])
def test_mistakes_are_told_with_file_line_and_key(folder, text, told):
    path = written(folder, text, "wrong.yaml")
    with pytest.raises(ConfigError, match=rf"wrong\.yaml: {told}"):
        Job.load(path)


def test_a_mistake_in_an_inline_pipeline_has_its_line(folder):
    text = "source: scenes\nout: o\npipeline:\n  _target_: geotoolz.radiometry.BoxMean\n  radus: 3\n"
    with pytest.raises(GeotoolzError, match=r"wrong\.yaml: line 5: BoxMean has no parameter 'radus'"):
        Job.load(written(folder, text, "wrong.yaml"))


def test_overrides_that_cannot_be(folder):
    path = written(folder, JOB)
    with pytest.raises(ConfigError, match=r"job\.yaml: unknown key 'read\.resolutoin'"):
        Job.load(path, {"read.resolutoin": 20})
    with pytest.raises(ParameterError, match="a path such as"):
        Job.load(path, {"read..resolution": 20})
    with pytest.raises(ParameterError, match="of a float"):
        Job.load(path, {"read.resolution.x": 20})
    with pytest.raises(ReadError, match="cannot be read"):
        Job.load(folder / "absent.yaml")


def test_what_only_shows_when_the_job_is_made(folder):
    path = written(folder, JOB)
    with pytest.raises(ParameterError, match="has no option 'addres'"):
        Job.load(path, {"engine.addres": "auto"}).pipeline()
    twice = {"slice.geometry": "33TWL", "read.aoi": [14.9, 45.9, 15.1, 46.1]}
    with pytest.raises(ConfigError, match=r"slice\.geometry beside read\.aoi"):
        Job.load(path, twice).pipeline()
    with pytest.raises(ReadError, match="cannot be read"):
        Job.load(path, {"tiles": "absent.txt"}).pipeline()
    (folder / "none.txt").write_text("# nothing\n")
    with pytest.raises(ParameterError, match="names no tile"):
        Job.load(path, {"tiles": "none.txt"}).pipeline()
    with pytest.raises(MissingVariableError):
        from geotoolz.core import run
        from geotoolz.core.testing import simulate_scene

        run(Job.load(path).op, simulate_scene((8, 8), bands=("red",)))


def test_the_schema_says_what_the_loader_takes(folder):
    jsonschema = pytest.importorskip("jsonschema", reason="comes with pystac's validation")
    check = jsonschema.Draft202012Validator(job_schema())
    from geotoolz.core._yaml import parse

    assert not list(check.iter_errors(parse(JOB).value))
    assert not list(check.iter_errors({"source": "a", "pipeline": "b", "out": "c", "engine": "ray"}))
    assert list(check.iter_errors({"source": "a", "pipeline": "b", "out": "c", "read": {"res": 3}}))
    assert not list(check.iter_errors(json.loads(json.dumps(Job.load(written(folder, JOB)).config()))))


def test_the_job_of_the_guide_can_be_loaded(folder):
    guide = Path(__file__).parents[4] / "docs/guide/jobs.md"
    if not guide.exists():
        pytest.skip("the guide is not installed with the package")
    text = guide.read_text("utf-8").split('```yaml title="job.yaml"\n')[1].split("```")[0]
    text = text.replace("ndvi.yaml", "pipe/ratio.yaml").replace("radius", "gain").replace("scenes/", "scenes")
    job = Job.load(written(folder, text))
    assert job.op.operators[0].gain == 3 and job.out == str(folder / "products")
    assert job.slice()["where"] == "cloud_cover < 20" and job.spec.failures.breaker == 20
    assert (
        str(Budget(**job.spec.budget.model_dump())) == "hours=6, cost=40, price_cpu_hour=0.04, price_gb=0.02"
    )
