"""The workspace's own promises: one version, one licence, entry points that resolve, no machine named."""

from __future__ import annotations

import importlib
import re
import subprocess
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest

import geotoolz

ROOT = Path(__file__).resolve().parents[1]
MEMBERS = sorted([*(ROOT / "packages").iterdir(), ROOT / "geotoolz-nextgen"])


def spec_of(member: Path) -> dict:
    return tomllib.loads((member / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("member", MEMBERS, ids=lambda path: path.name)
def test_member_is_complete_and_in_step(member):
    project = spec_of(member)["project"]
    assert project["name"] == member.name
    assert project["version"] == geotoolz.__version__
    minor = geotoolz.__version__.rpartition(".")[0]
    extras = [line for lines in project.get("optional-dependencies", {}).values() for line in lines]
    siblings = [line for line in [*project["dependencies"], *extras] if line.startswith("geotoolz")]
    assert all(line.endswith(f"=={minor}.*") for line in siblings)
    assert (member / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    for name in ("README.md", "CHANGELOG.md", "src/geotoolz", "tests"):
        assert (member / name).exists(), name


@pytest.mark.parametrize("member", MEMBERS, ids=lambda path: path.name)
def test_entry_points_resolve(member):
    for entry in distribution(member.name).entry_points:
        assert entry.load() is not None, entry


@pytest.mark.parametrize("member", MEMBERS, ids=lambda path: path.name)
def test_only_core_owns_the_top_level_file(member):
    owns = (member / "src/geotoolz/__init__.py").exists()
    assert owns == (member.name == "geotoolz-core")


def test_the_namespace_knows_every_module():
    public = {
        path.parent.name: member.name
        for member in MEMBERS
        for path in member.glob("src/geotoolz/[a-z]*/__init__.py")
    }
    assert public == geotoolz._MODULES
    for name in public:
        importlib.import_module(f"geotoolz.{name}")


def test_the_root_installs_and_checks_every_member():
    root = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = {line.partition("[")[0] for line in root["project"]["dependencies"]}
    sources = {f"{member.relative_to(ROOT).as_posix()}/src" for member in MEMBERS}
    assert wanted == set(root["tool"]["uv"]["sources"]) == {member.name for member in MEMBERS}
    assert set(root["tool"]["mypy"]["mypy_path"]) == sources
    assert sources <= set(root["tool"]["mypy"]["files"])
    assert all(f"- {source}" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8") for source in sources)


def test_the_container_installs_every_member():
    text = (ROOT / "Containerfile").read_text(encoding="utf-8")
    assert {
        name for name in text.replace('"', " ").replace("[", " ").split() if name.startswith("geotoolz-")
    } == {member.name for member in MEMBERS}
    for script in re.findall(r"scripts/\w+\.(?:sh|py)", text):
        assert (ROOT / script).is_file()
    kept_out = (ROOT / ".containerignore").read_text(encoding="utf-8").split()
    assert not {"packages", "scripts", "geotoolz-nextgen", "README.md", "LICENSE"} & set(kept_out)


def test_no_machine_in_the_text():
    """No path of this checkout and no registry's address in a file that git would take."""
    git = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("no git checkout here")
    forbidden = (str(ROOT.parent) + "/", "/simple" + "/", "pythonhosted" + ".org")
    texts = {".py", ".toml", ".md", ".yml", ".yaml", ".sh", ".cfg", ".json", ".txt", ""}
    found = []
    for name in filter(None, done.stdout.split("\0")):
        path = ROOT / name
        if path.suffix in texts and path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            found += [(name, word) for word in forbidden if word in text]
    assert not found
