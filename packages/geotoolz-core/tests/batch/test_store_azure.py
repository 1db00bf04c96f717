"""Azure: a job on Microsoft's emulator, and the variables under GDAL's names.

The emulator is a program of Node (`npm install azurite`); it is looked for on the path, or where
`GEOTOOLZ_AZURITE` says.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import shutil
import socket
import subprocess
import time
from email.utils import formatdate
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import numpy as np
import pytest

from geotoolz.batch import CatalogPipeline, verify
from geotoolz.core import Sequential
from geotoolz.core.testing import write_scene
from geotoolz.io import WriteCOG, open_tile
from geotoolz.io._gdal_azure import azure_options
from geotoolz.io._gdal_session import session_for
from geotoolz.radiometry import BoxMean

pytest.importorskip("obstore", reason="pip install 'geotoolz-core[cloud-io]'")

ACCOUNT, KEY = "gtzaccount", base64.b64encode(b"only for this test, 32 bytes it is").decode()
SMOOTH = BoxMean(2, bands=("nir",))
AZURE = ("AZURE_", "AZURITE_", "GEOTOOLZ_CREDENTIALS")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in list(os.environ):
        if name.startswith(AZURE):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    program = os.environ.get("GEOTOOLZ_AZURITE") or shutil.which("azurite-blob")
    if program is None:
        pytest.skip("no azurite-blob: npm install -g azurite, or GEOTOOLZ_AZURITE=…/azurite-blob")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, "--silent", "--skipApiVersionCheck", "--blobPort", str(port)]
    command += ["--location", str(tmp_path_factory.mktemp("azurite")), "--disableTelemetry"]
    accounts = {**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
    server = subprocess.Popen(command, env=accounts, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        _make_container(address, "products")
        yield address
    finally:
        server.terminate()
        server.wait(10)


def _make_container(address: str, name: str) -> None:
    """Create a container, signed by hand: obstore makes none."""
    for _ in range(100):
        moment = formatdate(usegmt=True)
        said = f"x-ms-date:{moment}\nx-ms-version:2021-08-06\n/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
        text = "PUT" + "\n" * 12 + said
        mark = base64.b64encode(hmac.digest(base64.b64decode(KEY), text.encode(), hashlib.sha256)).decode()
        headers = {
            "x-ms-date": moment,
            "x-ms-version": "2021-08-06",
            "Authorization": f"SharedKey {ACCOUNT}:{mark}",
            "Content-Length": "0",
        }
        asked = Request(f"{address}/{ACCOUNT}/{name}?restype=container", headers=headers, method="PUT")
        try:
            urlopen(asked, timeout=5).close()
            return
        except HTTPError:
            raise
        except URLError:  # it has not started yet
            time.sleep(0.2)
    raise TimeoutError("azurite does not answer")


def test_a_job_on_azure(emulator, tmp_path, monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", KEY)
    monkeypatch.setenv("AZURE_STORAGE_USE_EMULATOR", "true")
    monkeypatch.setenv("AZURITE_BLOB_STORAGE_URL", emulator)
    scenes = [
        write_scene({"shape": (64, 48), "seed": n, "datetime": f"2023-08-1{n}"}, tmp_path) for n in (0, 1)
    ]
    op = Sequential([SMOOTH, WriteCOG("{item_id}.tif", bands=("nir",))])
    out = f"az://products/{secrets.token_hex(4)}"
    job = CatalogPipeline(scenes, op, out, progress="none")
    assert job.run().counts == {"done": 2}
    assert job.run().counts == {"fresh": 2} and verify(out) == {}
    for scene in scenes:
        read = open_tile(f"{out}/{scene.name}.tif").load()
        np.testing.assert_array_equal(read.nir, SMOOTH(open_tile(scene)).nir)
    (job.out / f"{scenes[0].name}.tif").unlink()
    assert job.plan().counts == {"fresh": 1, "partial": 1} and job.run().counts == {"done": 1, "fresh": 1}


ENVIRONMENTS = {
    "nothing": ({}, None, {}),
    "key": (
        {"AZURE_STORAGE_ACCOUNT_NAME": "a", "AZURE_STORAGE_ACCOUNT_KEY": "k"},
        None,
        {"AZURE_STORAGE_ACCOUNT": "a", "AZURE_STORAGE_ACCESS_KEY": "k"},
    ),
    "GDAL's names": (
        {"AZURE_STORAGE_ACCOUNT": "a", "AZURE_STORAGE_ACCESS_KEY": "k"},
        None,
        {"AZURE_STORAGE_ACCOUNT": "a", "AZURE_STORAGE_ACCESS_KEY": "k"},
    ),
    "signature": (
        {"AZURE_STORAGE_ACCOUNT_NAME": "a", "AZURE_STORAGE_SAS_TOKEN": "?sv=1"},
        None,
        {"AZURE_STORAGE_ACCOUNT": "a", "AZURE_STORAGE_SAS_TOKEN": "sv=1"},
    ),
    "public": (
        {"AZURE_STORAGE_ACCOUNT_NAME": "a", "AZURE_SKIP_SIGNATURE": "true"},
        None,
        {"AZURE_STORAGE_ACCOUNT": "a", "AZURE_NO_SIGN_REQUEST": "YES"},
    ),
    "a provider's token goes before a key": (
        {"AZURE_STORAGE_ACCOUNT_NAME": "a", "AZURE_STORAGE_ACCOUNT_KEY": "k"},
        {"token": "t"},
        {"AZURE_STORAGE_ACCOUNT": "a", "AZURE_STORAGE_ACCESS_TOKEN": "t"},
    ),
    "a provider of S3's keys says nothing of Azure": (
        {"AZURE_STORAGE_ACCOUNT_NAME": "a", "AZURE_STORAGE_ACCOUNT_KEY": "k"},
        {"access_key_id": "i", "secret_access_key": "s", "token": "t"},
        {"AZURE_STORAGE_ACCOUNT": "a", "AZURE_STORAGE_ACCESS_KEY": "k"},
    ),
    "endpoint": (
        {
            "AZURE_STORAGE_ACCOUNT_NAME": "a",
            "AZURE_STORAGE_SAS_TOKEN": "sv=1",
            "AZURE_STORAGE_ENDPOINT": "https://a.blob.core.usgovcloudapi.net/",
        },
        None,
        {
            "AZURE_STORAGE_CONNECTION_STRING": "DefaultEndpointsProtocol=https;AccountName=a;"
            "SharedAccessSignature=sv=1;BlobEndpoint=https://a.blob.core.usgovcloudapi.net;"
        },
    ),
    "connection string": (
        {"AZURE_STORAGE_CONNECTION_STRING": "whole", "AZURE_STORAGE_ACCOUNT_NAME": "a"},
        None,
        {"AZURE_STORAGE_CONNECTION_STRING": "whole"},
    ),
}


@pytest.mark.parametrize("case", ENVIRONMENTS)
def test_variables_under_the_names_of_gdal(case, monkeypatch):
    variables, held, expected = ENVIRONMENTS[case]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert azure_options(held) == expected
    if held is None:
        session = session_for("az://products/a.tif")
        assert session.get_credential_options() == expected
        assert session_for("https://host/a.tif").get_credential_options() == {}
