"""What other tools read: RO-Crate 1.1 of the artefact, STAC's processing fields of its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geotoolz.core import Operator, Sequential
from geotoolz.repro._manifest import CONFIG, LOCK, METADATA, PROCESSING, InputEntry, MemberEntry
from geotoolz.repro._pipeline import Frozen

_CONTEXT = "https://w3id.org/ro/crate/1.1/context"
_PROFILE = "https://w3id.org/ro/crate/1.1"
_PROCESSING_EXTENSION = "https://stac-extensions.github.io/processing/v1.2.0/schema.json"
_TYPES = {
    "yaml": "application/yaml",
    "json": "application/json",
    "npy": "application/octet-stream",
    "tif": "image/tiff",
}
_TEXTS = {
    CONFIG: "The pipeline.",
    LOCK: "The lock file of the Python environment.",
    METADATA: "What the author says of the computation.",
    PROCESSING: "STAC processing fields of the outputs.",
}


def steps_of(op: Operator) -> str:
    """Return the pipeline's steps in a line.

    Examples
    --------
    >>> from geotoolz.core import Sequential
    >>> steps_of(Sequential(()))
    'nothing'
    """
    steps = op.operators if isinstance(op, Sequential) else (op,)
    return " → ".join(type(step).__name__ for step in steps) or "nothing"


def processing_fields(
    op: Operator, frozen: Frozen, inputs: Mapping[str, InputEntry], environment: Mapping[str, Any]
) -> dict[str, Any]:
    """Return STAC properties for items of the outputs."""
    uris = [entry.uri for entry in inputs.values()]
    names = ("geotoolz-", "numpy", "xarray", "rasterio", "odc-geo", "numba")
    packages = {name: v for name, v in environment["packages"].items() if name.startswith(names)}
    return {
        "stac_extensions": [_PROCESSING_EXTENSION],
        "properties": {
            "processing:expression": {"format": "geotoolz", "expression": frozen.config},
            "processing:lineage": f"geotoolz: {steps_of(op)} from {', '.join(uris)}",
            "processing:software": {"python": environment["python"]["version"], **packages},
            "geotoolz:config_hash": frozen.hash,
            "geotoolz:inputs": [
                [one.path, one.size, f"sha256:{one.sha256}"]
                for entry in inputs.values()
                for one in entry.files
            ],
        },
    }


def crate(
    op: Operator,
    inputs: Mapping[str, InputEntry],
    outputs: Mapping[str, Any],
    members: Mapping[str, MemberEntry],
    metadata: Mapping[str, Any],
) -> dict[str, Any]:
    """Describe the artefact as an RO-Crate.

    Author, licence, date and identifier are the metadata's; what nobody said is left out, so that two crates
    of the same thing are equal (the date of publication, which RO-Crate asks for, is the author's to say).
    """
    files = [_file(name, entry) for name, entry in members.items()]
    outside = [
        {"@id": entry.uri, "@type": "File", "name": name, "sha256": entry.sha256, **_size(entry)}
        for name, entry in inputs.items()
        if not entry.embedded
    ]
    held = [{"@id": one.member} for entry in inputs.values() for one in entry.files if one.member]
    action = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": steps_of(op),
        "instrument": {"@id": CONFIG},
        "object": [*held, *({"@id": one["@id"]} for one in outside)],
        "result": [{"@id": f"#output-{name}"} for name in outputs],
    }
    made = [
        {
            "@id": f"#output-{name}",
            "@type": "PropertyValue",
            "name": name,
            "propertyID": "pixel-sha256",
            "value": e.sha256,
        }
        for name, e in outputs.items()
    ]
    parts = [{"@id": one["@id"]} for one in [*files, *outside]]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": str(metadata.get("title") or metadata.get("name") or f"geotoolz: {steps_of(op)}"),
        "description": str(metadata.get("description") or "A frozen computation on satellite images."),
        "hasPart": parts,
        "mentions": [{"@id": "#run"}],
        "mainEntity": {"@id": CONFIG},
        **_told(metadata),
    }
    about = {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": _PROFILE},
    }
    people = [one for one in [_author(metadata)] if one]
    return {"@context": _CONTEXT, "@graph": [about, root, *people, *files, *outside, action, *made]}


def _told(metadata: Mapping[str, Any]) -> dict[str, Any]:
    named = {
        "datePublished": ("datePublished", "date"),
        "license": ("license",),
        "identifier": ("identifier", "doi"),
    }
    found = {}
    for key, names in named.items():
        told = next((metadata[name] for name in names if metadata.get(name)), None)
        if told is not None:
            found[key] = str(told)
    author = _author(metadata)
    return {**found, **({"author": {"@id": author["@id"]}} if author else {})}


def _author(metadata: Mapping[str, Any]) -> dict[str, Any] | None:
    name = metadata.get("author")
    if not name:
        return None
    orcid = metadata.get("orcid")
    return {"@id": str(orcid or "#author"), "@type": "Person", "name": str(name)}


def _file(name: str, entry: MemberEntry) -> dict[str, Any]:
    kind = "File" if name != CONFIG else ["File", "SoftwareSourceCode", "ComputationalWorkflow"]
    made = {"@id": name, "@type": kind, "contentSize": str(entry.size), "sha256": entry.sha256}
    ending = name.rpartition(".")[2].lower()
    if ending in _TYPES:
        made["encodingFormat"] = _TYPES[ending]
    if name in _TEXTS:
        made["description"] = _TEXTS[name]
    return made


def _size(entry: InputEntry) -> dict[str, str]:
    return {} if entry.size < 0 else {"contentSize": str(entry.size)}
