"""Every row of bad input, by name: reported, never a traceback, and nothing in an archive is executed."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import tarfile
from pathlib import Path

import pytest
from gtz_frozen import packed, unpacked, with_manifest

from geotoolz.core.testing import write_scene
from geotoolz.indices import NDVI
from geotoolz.repro import Kind, Tier, Weight, environment, freeze, load, verify
from geotoolz.repro._cli import main
from geotoolz.repro._tar import MANIFEST


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (Path(self.path),))


def _info(name, kind=tarfile.REGTYPE, target="", data=b""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, len(data)
    return info, data


def truncated(path, members, scene):
    packed(path, members)
    path.write_bytes(path.read_bytes()[:5000])


def truncated_in_the_manifest(path, members, scene):
    packed(path, members)
    path.write_bytes(path.read_bytes()[:700])


def repacked(path, members, scene):
    packed(path, members, form=tarfile.PAX_FORMAT)
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for name in sorted(members, reverse=True):
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.uname = len(members[name]), 1_700_000_000, "someone"
            archive.addfile(info, io.BytesIO(members[name]))


def tampered(path, members, scene):
    packed(path, {**members, "config.yaml": members["config.yaml"].replace(b"NDVI", b"NDWI")})


def pickles_inside(path, members, scene):
    bomb = pickle.dumps(Bomb(path.parent / "canary"))
    packed(path, {**members, "outputs/ndvi.npy": bomb, "model.pkl": bomb, "environment.json": bomb})


def traversal(path, members, scene):
    packed(path, members, [_info("../canary", data=b"x"), _info("/tmp/canary-of-geotoolz", data=b"x")])


def symlink(path, members, scene):
    packed(path, members, [_info("inputs/more", tarfile.SYMTYPE, "/etc/passwd")])


def hardlink(path, members, scene):
    packed(path, members, [_info("inputs/more", tarfile.LNKTYPE, "config.yaml")])


def device(path, members, scene):
    packed(path, members, [_info("inputs/more", tarfile.CHRTYPE)])


def oversized(path, members, scene):
    packed(path, {**members, "metadata.json": members["metadata.json"] + b" " * 10_000})


def oversized_by_its_header(path, members, scene):
    """Say that a member has 7 GiB: nobody takes that much room."""
    packed(path, members)
    data = bytearray(path.read_bytes())
    with tarfile.open(path) as archive:
        place = archive.getmember("metadata.json").offset
        info = archive.getmember("metadata.json")
    info.size = 7 * 2**30
    data[place : place + 512] = info.tobuf(tarfile.USTAR_FORMAT)
    path.write_bytes(data)


def unknown_format_version(path, members, scene):
    packed(path, with_manifest(members, lambda held: held.update(version=99)))


def missing_input(path, members, scene):
    packed(path, members)
    shutil.rmtree(scene)


def changed_input(path, members, scene):
    packed(path, members)
    (scene / "B08.tif").write_bytes((scene / "B04.tif").read_bytes())


def code_as_pipeline(path, members, scene):
    """Name a function of Python as an operator."""
    text = f"_target_: os.system\ncommand: touch {path.parent / 'canary'}\n".encode()
    packed(path, _with_member(members, "config.yaml", text))


def code_as_reading(path, members, scene):
    def change(held):
        held["inputs"]["scene"]["read"] = {"sign": "pathlib:Path.touch"}

    packed(path, with_manifest(members, change))


def _with_member(members, name, data):
    import hashlib

    def change(held):
        held["members"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    return with_manifest({**members, name: data}, change)


#: row of the issue → the finding that names it, and its subject where there is one to expect
ROWS = {
    truncated: (Kind.TRUNCATED, None),
    truncated_in_the_manifest: (Kind.TRUNCATED, None),
    repacked: (Kind.REPACKED, None),
    tampered: (Kind.TAMPERED, "config.yaml"),
    pickles_inside: (Kind.TAMPERED, "environment.json"),
    traversal: (Kind.UNSAFE_MEMBER, "../canary"),
    symlink: (Kind.UNSAFE_MEMBER, "inputs/more"),
    hardlink: (Kind.UNSAFE_MEMBER, "inputs/more"),
    device: (Kind.UNSAFE_MEMBER, "inputs/more"),
    oversized: (Kind.OVERSIZED, "metadata.json"),
    oversized_by_its_header: (Kind.TRUNCATED, "metadata.json"),
    unknown_format_version: (Kind.UNKNOWN_VERSION, None),
    missing_input: (Kind.INPUT_MISSING, "scene"),
    changed_input: (Kind.INPUT_CHANGED, "scene"),
    code_as_pipeline: (Kind.PIPELINE_REFUSED, "config.yaml"),
    code_as_reading: (Kind.TAMPERED, None),
}
#: what an archive is told as a note: its content is the same
NOTES = (Kind.REPACKED,)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("original")
    scene = write_scene({"shape": (24, 20), "bands": ("red", "nir")}, folder)
    return scene, unpacked(freeze(NDVI(), scene, embed_below=0).save(folder / "a.gtar"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__)
def test_bad_input_is_reported_and_nothing_is_executed(original, tmp_path, row, capfd):
    kept, members = original
    folder = tmp_path / "deep" / "er"
    folder.mkdir(parents=True)
    scene = shutil.copytree(kept, folder / kept.name)
    moved = with_manifest(members, lambda held: held["inputs"]["scene"].update(uri=str(scene)))
    path = folder / "bad.gtar"
    row(path, moved, scene)
    kind, subject = ROWS[row]
    report = verify(path)
    named = {one.subject for one in report.of(kind)}
    assert named and (subject is None or subject in named), str(report)
    assert report.ok == (kind in NOTES)
    for args in (("verify", path), ("rerun", path, tmp_path / "w"), ("show", path)):
        code = main([str(arg) for arg in args])
        out, err = capfd.readouterr()
        assert code in (0, 2, 4) and "Traceback" not in out + err, (args, out, err)
        assert code != 0 or args[0] == "show" or kind in NOTES, args
    assert not list(tmp_path.rglob("*canary*"))
    assert not Path("/tmp/canary-of-geotoolz").exists()


def test_each_tampered_member_is_named(original, tmp_path):
    _, members = original
    names = sorted(set(members) - {MANIFEST, "manifest.sha256"})
    every = {
        name: bytes([data[0] ^ 1]) + data[1:] if name in names else data for name, data in members.items()
    }
    report = verify(packed(tmp_path / "bad.gtar", every))
    assert [one.subject for one in report.of(Kind.TAMPERED)] == names


def test_an_artefact_of_another_processor_and_system(original, tmp_path):
    """It is told what differs; whether a pixel does is seen by running it."""
    scene, members = original
    now = environment()
    features = [*now["cpu"]["features"][1:], "SVE9"]
    other = {**now, "cpu": {"features": features, "target": "neoverse-n9"}}
    other |= {"platform": {"system": "Plan9", "machine": "aarch64", "libc": ""}, "container": "sha256:ab"}
    data = json.dumps(other, sort_keys=True).encode()
    path = packed(tmp_path / "other.gtar", _with_member(members, "environment.json", data))
    report = verify(path)
    told = {(one.kind, one.subject) for one in report.findings if one.weight is Weight.NOTE}
    assert {(Kind.CPU, "SVE9"), (Kind.CPU, "target"), (Kind.PLATFORM, "machine")} <= told and report.ok
    again = load(path).rerun(tmp_path / "w", inputs=scene)
    assert again.tier is Tier.BIT_EXACT and (Kind.CPU, "SVE9") in {
        (o.kind, o.subject) for o in again.findings
    }
