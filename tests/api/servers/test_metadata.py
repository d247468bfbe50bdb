"""The metadata service, asked as the network service's proxy asks it."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.server_stage import Stage
from cloud import TestCloud
from kilonova.app.metadata_tree import EC2, OPENSTACK
from kilonova.operations.guest_files import guest_files

SECRET = "shared"
USER_DATA = b"#!/bin/sh\necho hello\n"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with TestCloud(tmp_path_factory.mktemp("cloud"), tables={"metadata": {"secret": SECRET}}) as cloud:
        yield Stage(cloud)


@pytest.fixture(scope="module")
def server_id(stage: Stage) -> str:
    stage.cloud.member.post("/compute/v2.1/os-keypairs", {"keypair": {"name": "k"}}, status=201, version="2.91")
    return stage.boot(
        version="2.89",
        name="web",
        key_name="k",
        metadata={"role": "front"},
        user_data=base64.b64encode(USER_DATA).decode(),
        networks=[{"uuid": stage.network}],
    )


def ask(stage: Stage, path: str, server_id: str, project_id: str | None = None, **changed: Any) -> httpx.Response:
    signature = hmac.new(SECRET.encode(), server_id.encode(), hashlib.sha256).hexdigest()
    headers: dict[str, Any] = {
        "X-Instance-ID": server_id,
        "X-Instance-ID-Signature": signature,
        "X-Tenant-ID": project_id or stage.cloud.member.project_id,
        "X-Forwarded-For": "10.0.0.9",
        **{name.replace("_", "-"): value for name, value in changed.items()},
    }
    headers = {name: value for name, value in headers.items() if value is not None}
    answer: httpx.Response = stage.cloud.run(stage.cloud.http.request("GET", "/metadata" + path, headers=headers))
    return answer


def test_openstack_tree__latest__what_the_config_drive_says(stage: Stage, server_id: str) -> None:
    server = stage.cloud.run(stage.cloud.cloud.compute.servers.get(server_id))
    drive = guest_files(server, "seed")
    for name in ("network_data.json", "vendor_data.json", "vendor_data2.json", "user_data"):
        assert ask(stage, f"/openstack/latest/{name}", server_id).content == drive[f"latest/{name}"]
    told = ask(stage, "/openstack/latest/meta_data.json", server_id)
    assert told.headers["content-type"].startswith("application/json")
    assert {**told.json(), "random_seed": "seed"} == json.loads(drive["latest/meta_data.json"])
    assert ask(stage, "/openstack/latest/password", server_id).content == b""


def test_openstack_tree__older_versions__know_no_later_files(stage: Stage, server_id: str) -> None:
    assert ask(stage, "/openstack", server_id).text.splitlines() == list(OPENSTACK)
    listed = {version: set(ask(stage, f"/openstack/{version}/", server_id).text.splitlines()) for version in OPENSTACK}
    assert listed["2012-08-10"] == {"meta_data.json", "user_data"}
    assert listed["2013-10-17"] - listed["2013-04-04"] == {"vendor_data.json"}
    assert listed["2016-10-06"] - listed["2016-06-30"] == {"vendor_data2.json"}
    assert "project_id" not in ask(stage, "/openstack/2013-10-17/meta_data.json", server_id).json()
    assert ask(stage, "/openstack/2012-08-10/vendor_data.json", server_id).status_code == 404


def test_ec2_tree__each_version(stage: Stage, server_id: str) -> None:
    assert ask(stage, "/", server_id).text.splitlines() == list(EC2)
    assert ask(stage, "/latest", server_id).text.splitlines() == ["meta-data/", "user-data"]
    names = ask(stage, "/2009-04-04/meta-data/", server_id).text.splitlines()
    assert {"placement/", "public-keys/", "instance-id", "local-ipv4"} <= set(names)
    assert ask(stage, "/latest/meta-data/instance-id", server_id).text == f"i-{server_id[:8]}"
    assert ask(stage, "/latest/meta-data/local-ipv4", server_id).text.startswith("10.0.0.")
    assert ask(stage, "/latest/meta-data/public-keys/", server_id).text == "0=k"
    assert ask(stage, "/latest/meta-data/public-keys/0/openssh-key", server_id).text.startswith("ssh-rsa ")
    assert ask(stage, "/latest/meta-data/placement/availability-zone", server_id).text == "nova"
    assert ask(stage, "/latest/user-data", server_id).content == USER_DATA


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [
        ({"X_Instance_ID_Signature": "0" * 64}, 403, "is not the proxy's"),
        ({"X_Instance_ID_Signature": None}, 400, "X-Instance-ID-Signature is missing"),
        ({"X_Instance_ID": None}, 400, "X-Instance-ID is missing"),
        ({"X_Tenant_ID": None}, 400, "X-Tenant-ID is missing"),
        ({"X_Tenant_ID": "f" * 32}, 404, "There is no server"),
    ],
)
def test_proxy__not_believed__says_why(
    stage: Stage, server_id: str, changed: dict[str, Any], status: int, said: str
) -> None:
    answer = ask(stage, "/latest/meta-data/", server_id, **changed)
    assert (answer.status_code, said in answer.text) == (status, True), answer.text


def test_nothing_there__404(stage: Stage, server_id: str) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    for path, who in (("/latest/nothing", server_id), ("/latest/meta-data/ami-id/x", server_id), ("/latest", unknown)):
        assert ask(stage, path, who).status_code == 404
    assert ask(stage, "/latest", "not-an-id").status_code == 404
