"""Scenes, artefacts and archives of the tests."""

from __future__ import annotations

import hashlib
import io
import tarfile

from geotoolz.repro._tar import MANIFEST, SEAL, ordered


def unpacked(path):
    """Return the members of an archive by name."""
    with tarfile.open(path) as archive:
        return {info.name: archive.extractfile(info).read() for info in archive}


def packed(path, members, extra=(), form=tarfile.USTAR_FORMAT):
    """Write an archive as `save` does, with headers of one's own at its end."""
    with tarfile.open(path, "w", format=form) as archive:
        for name in ordered(dict.fromkeys(members)):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(members[name]), 0o644
            archive.addfile(info, io.BytesIO(members[name]))
        for info, data in extra:
            archive.addfile(info, io.BytesIO(data))
    return path


def with_manifest(members, change):
    """Return members whose manifest has been changed, in canonical form, and whose seal fits it."""
    import json

    from geotoolz.repro._json import canonical

    held = json.loads(members[MANIFEST])
    change(held)
    data = canonical(held)
    return {**members, MANIFEST: data, SEAL: hashlib.sha256(data).hexdigest().encode()}


def kinds(report):
    """Return (kind, subject) of what is no note."""
    return {(finding.kind.value, finding.subject) for finding in report.differences}
