"""Creating servers over HTTP."""

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from api.server_stage import NEWEST, SERVERS, Stage

UNKNOWN = "6a7b1f8e-7bd0-4d8b-9d5b-3d3f6c1c00ff"


def test_create__accepted__location_links_and_password(stage: Stage) -> None:
    answer = stage.cloud.member.ask("POST", SERVERS, stage.wish(), version=NEWEST)
    assert answer.status_code == 202
    server = answer.json()["server"]
    assert answer.headers["Location"].endswith(f"{SERVERS}/{server['id']}")
    assert set(server) == {"id", "links", "OS-DCF:diskConfig", "security_groups", "adminPass"}
    assert [link["rel"] for link in server["links"]] == ["self", "bookmark"]
    assert len(server["adminPass"]) == 12


def test_create__everything_given__shown(stage: Stage) -> None:
    user_data = base64.b64encode(b"#!/bin/sh\n").decode()
    server_id = stage.boot(
        name="Front End_1",
        adminPass="secret",
        metadata={"role": "front"},
        accessIPv4="192.0.2.1",
        accessIPv6="2001:db8::1",
        **{"OS-DCF:diskConfig": "AUTO"},
        description="of the shop",
        tags=["b", "a", "b"],
        config_drive="true",
        user_data=user_data,
        availability_zone="nova",
        trusted_image_certificates=["one"],
        hints={"different_host": [UNKNOWN]},
    )
    server = stage.show(server_id, who=stage.cloud.admin)
    assert server["name"] == "Front End_1"
    assert server["OS-EXT-SRV-ATTR:hostname"] == "front-end-1"
    assert server["metadata"] == {"role": "front"}
    assert (server["accessIPv4"], server["accessIPv6"]) == ("192.0.2.1", "2001:db8::1")
    assert server["OS-DCF:diskConfig"] == "AUTO"
    assert server["description"] == "of the shop"
    assert server["tags"] == ["a", "b"]
    assert server["config_drive"] == "True"
    assert server["OS-EXT-SRV-ATTR:user_data"] == user_data
    assert server["pinned_availability_zone"] == server["OS-EXT-AZ:availability_zone"] == "nova"
    assert server["trusted_image_certificates"] == ["one"]
    assert server["scheduler_hints"] == {"different_host": [UNKNOWN]}


def test_create__several__numbered_and_reserved_together(stage: Stage) -> None:
    answer = stage.create(name="many", min_count=2, max_count=3, return_reservation_id=True)
    listed = stage.cloud.admin.get(
        f"{SERVERS}/detail",
        params={
            "reservation_id": answer["reservation_id"],
            "all_tenants": 1,
            "sort_key": "launch_index",
            "sort_dir": "asc",
        },
        version=NEWEST,
    )["servers"]
    assert [server["name"] for server in listed] == ["many-1", "many-2", "many-3"]
    assert [server["OS-EXT-SRV-ATTR:hostname"] for server in listed] == ["many-1", "many-2", "many-3"]
    assert [server["OS-EXT-SRV-ATTR:launch_index"] for server in listed] == [0, 1, 2]
    assert set(answer) == {"reservation_id"}


def test_create__description_left_out__name_before_219_then_none(stage: Stage) -> None:
    old = stage.create(name="old", version="2.18", networks=None)["server"]["id"]
    new = stage.create(name="new", version="2.19", networks=None)["server"]["id"]
    assert stage.show(old)["description"] == "old"
    assert stage.show(new)["description"] is None


def test_create__key_pair__kept_with_the_server(stage: Stage) -> None:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    text = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    keypair = {"keypair": {"name": "mine", "public_key": text}}
    stage.cloud.member.post("/compute/v2.1/os-keypairs", keypair, status=201, version=NEWEST)
    server_id = stage.create(key_name="mine")["server"]["id"]
    assert stage.show(server_id)["key_name"] == "mine"
    assert stage.refused(400, key_name="none") == "Invalid key_name provided."


def test_create__group_hint__member_of_the_group(stage: Stage) -> None:
    group = {"server_group": {"name": "apart", "policy": "anti-affinity"}}
    group_id = stage.cloud.member.post("/compute/v2.1/os-server-groups", group, version=NEWEST)["server_group"]["id"]
    server_id = stage.create(hints={"group": group_id})["server"]["id"]
    assert stage.show(server_id)["server_groups"] == [group_id]
    assert "could not be found" in stage.refused(400, hints={"group": UNKNOWN})
    assert "could not be found" in stage.refused(400, hints={"group": group_id}, who=stage.cloud.other)
    assert "uuid" in stage.refused(400, hints={"group": "apart"})


def test_create__both_spellings_of_hints__taken(stage: Stage) -> None:
    body = stage.wish() | {"OS-SCH-HNT:scheduler_hints": {"query": ["=", "$free_ram_mb", 1024]}}
    assert "query" in stage.cloud.member.post(SERVERS, body, status=400, version=NEWEST)["badRequest"]["message"]
    body["OS-SCH-HNT:scheduler_hints"] = {"my_own": 7}
    server_id = stage.cloud.member.post(SERVERS, body, status=202, version=NEWEST)["server"]["id"]
    assert stage.show(server_id)["scheduler_hints"] == {"my_own": ["7"]}


def test_create__host_named__for_administrators(stage: Stage) -> None:
    host = stage.cloud.admin.get("/compute/v2.1/os-hypervisors", version=NEWEST)["hypervisors"][1][
        "hypervisor_hostname"
    ]
    server_id = stage.boot(who=stage.cloud.admin, host=host)
    assert stage.show(server_id, who=stage.cloud.admin)["OS-EXT-SRV-ATTR:host"] == host
    server_id = stage.boot(who=stage.cloud.admin, availability_zone=f"nova:{host}", version="2.60")
    assert stage.show(server_id, who=stage.cloud.admin)["OS-EXT-SRV-ATTR:host"] == host
    assert "requested_destination" in stage.refused(403, host=host)
    assert "forced_host" in stage.refused(403, availability_zone=f"nova:{host}")
    assert "could not be found" in stage.refused(400, who=stage.cloud.admin, hypervisor_hostname="nowhere")


def test_create__zone__must_be_there(stage: Stage) -> None:
    assert stage.refused(400, availability_zone="mars") == "The requested availability zone is not available"
    assert "ZONE:HOST" in stage.refused(400, availability_zone="a:b:c:d", who=stage.cloud.admin)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"flavorRef": "nope"}, "Flavor nope could not be found."),
        ({"imageRef": UNKNOWN}, "Can not find requested image"),
        ({"imageRef": None}, "Missing imageRef attribute"),
        ({"imageRef": ""}, "Missing imageRef attribute"),
        ({"min_count": 3, "max_count": 2}, "min_count must be <= max_count"),
        ({"min_count": 1001}, "One request makes at most 1000 servers"),
        ({"security_groups": [{"name": "nope"}]}, "Security group nope not found"),
        ({"block_device_mapping": [{"volume_id": UNKNOWN}]}, "no block storage"),
        (
            {"block_device_mapping_v2": [{"source_type": "volume", "uuid": UNKNOWN, "boot_index": 0}]},
            "no block storage",
        ),
    ],
)
def test_create__reference_wrong__bad_request(stage: Stage, fields: dict[str, Any], text: str) -> None:
    assert text in stage.refused(400, **fields)


def test_create__references_as_links__taken(stage: Stage) -> None:
    stage.create(flavorRef=f"http://cloud/flavors/{stage.flavor}", imageRef=f"http://cloud/images/{stage.image}")


def test_create__image_mapped_onto_local_disk__like_image_ref(stage: Stage) -> None:
    local = {"source_type": "image", "destination_type": "local", "boot_index": 0, "uuid": stage.image}
    server_id = stage.create(imageRef=None, block_device_mapping_v2=[local])["server"]["id"]
    assert stage.show(server_id)["image"]["id"] == stage.image
    stage.create(block_device_mapping_v2=[local])
    other = {**local, "uuid": UNKNOWN}
    assert "is not imageRef" in stage.refused(400, block_device_mapping_v2=[other])


def test_create__image_and_flavor_do_not_fit__bad_request(stage: Stage) -> None:
    hungry = stage.image_make("hungry", min_ram=512)
    assert stage.refused(400, imageRef=hungry) == "Flavor's memory is too small for requested image."
    large = stage.image_make("large", min_disk=5)
    assert "Flavor disk is 1073741824 bytes" in stage.refused(400, imageRef=large)
    queued = stage.image_make("queued", upload=False)
    assert stage.refused(400, imageRef=queued) == f"Image {queued} is not active."
    kernel = stage.image_make("with-kernel", kernel_id=UNKNOWN)
    assert "Can not find requested image" in stage.refused(400, imageRef=kernel)
    diskless = stage.flavor_make("diskless", disk=0)
    assert "zero disk" in stage.refused(403, flavorRef=diskless)
    stage.create(flavorRef=diskless, who=stage.cloud.admin)


def test_create__private_flavor__only_with_access(stage: Stage) -> None:
    private = stage.flavor_make("private", **{"os-flavor-access:is_public": False})
    assert "could not be found" in stage.refused(400, flavorRef=private)
    access = {"addTenantAccess": {"tenant": stage.cloud.member.project_id}}
    stage.cloud.admin.post(f"/compute/v2.1/flavors/{private}/action", access)
    stage.create(flavorRef=private)


def test_create__personality__until_256_and_within_quota(stage: Stage) -> None:
    file = {"path": "/etc/motd", "contents": base64.b64encode(b"hello").decode()}
    stage.create(personality=[file], version="2.56")
    assert "personality" in stage.refused(400, personality=[file], version="2.57")
    assert "limit exceeded" in stage.refused(403, personality=[file] * 6, version="2.1", networks=None)
    assert "cannot be decoded" in stage.refused(400, personality=[{**file, "contents": "%"}], version="2.56")


@pytest.mark.parametrize(
    ("field", "value", "since"),
    [
        ("description", "d", 19),
        ("tags", ["t"], 52),
        ("trusted_image_certificates", ["c"], 63),
        ("hypervisor_hostname", "fake-00001", 74),
        ("hostname", "h", 90),
    ],
)
def test_create__field_of_a_later_version__refused(stage: Stage, field: str, value: Any, since: int) -> None:
    options: dict[str, Any] = {field: value, "who": stage.cloud.admin}
    if since <= 37:
        options["networks"] = None
    assert field in stage.refused(400, version=f"2.{since - 1}", **options)
    stage.create(version=f"2.{since}", **options)


@pytest.mark.parametrize("minor", [31, 32, 33, 36, 37, 41, 42, 104])
def test_create__device_tags__come_go_and_return(stage: Stage, minor: int) -> None:
    network = {"uuid": stage.network, "tag": "nic"}
    device = {"source_type": "image", "destination_type": "local", "boot_index": 0, "uuid": stage.image, "tag": "root"}
    network_taken = minor in range(32, 37) or minor >= 42
    device_taken = minor == 32 or minor >= 42
    stage.create(networks=[network], version=f"2.{minor}", status=202 if network_taken else 400)
    plain = "none" if minor >= 37 else []
    stage.create(
        networks=plain, block_device_mapping_v2=[device], version=f"2.{minor}", status=202 if device_taken else 400
    )


def test_create__hostname__qualified_since_294(stage: Stage) -> None:
    assert "hostname" in stage.refused(400, hostname="web.example.org", version="2.93")
    server_id = stage.create(hostname="web.example.org", version="2.94")["server"]["id"]
    assert stage.show(server_id)["OS-EXT-SRV-ATTR:hostname"] == "web.example.org"


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": " padded "},
        {"name": "x" * 256},
        {"name": None},
        {"name": 7},
        {"flavorRef": None},
        {"flavorRef": True},
        {"imageRef": "not-a-uuid"},
        {"metadata": {"k" * 256: "v"}},
        {"metadata": {"k": "v" * 256}},
        {"metadata": {"k/": "v"}},
        {"metadata": {"k": 1}},
        {"metadata": []},
        {"networks": "some"},
        {"networks": [{"uuid": "x"}]},
        {"networks": [{"uuid": UNKNOWN, "nope": 1}]},
        {"networks": [{}]},
        {"networks": None},
        {"accessIPv4": "::1"},
        {"accessIPv6": "10.0.0.1"},
        {"user_data": "%%%"},
        {"user_data": "A" * 65540},
        {"min_count": 0},
        {"max_count": "many"},
        {"config_drive": "maybe"},
        {"OS-DCF:diskConfig": "SOMETIMES"},
        {"tags": ["a/b"]},
        {"tags": ["a,b"]},
        {"tags": ["x" * 61]},
        {"tags": [str(n) for n in range(51)]},
        {"tags": [""]},
        {"trusted_image_certificates": []},
        {"hostname": "-bad-"},
        {"host": "no/slash"},
        {"nope": 1},
        {"availability_zone": ""},
        {"security_groups": ["default"]},
        {"block_device_mapping_v2": [{"boot_index": 0, "nope": 1}]},
    ],
    ids=str,
)
def test_create__malformed__bad_request(stage: Stage, fields: dict[str, Any]) -> None:
    assert stage.refused(400, **fields)


@pytest.mark.parametrize("body", [{}, [], "server", {"server": None}, {"server": []}, {"servers": {}}, None], ids=str)
def test_create__no_server_in_the_body__bad_request(stage: Stage, body: Any) -> None:
    stage.cloud.member.post(SERVERS, body, status=400, version=NEWEST)


def test_create__beside_the_server__refused(stage: Stage) -> None:
    body = stage.wish() | {"more": {}}
    assert "more" in stage.cloud.member.post(SERVERS, body, status=400, version=NEWEST)["badRequest"]["message"]


def test_create__v20__forgives_what_strictness_refuses(stage: Stage) -> None:
    body = {"server": {"name": " padded ", "flavorRef": stage.flavor, "imageRef": stage.image, "nope": 1}}
    server_id = stage.cloud.member.post("/compute/v2/servers", body, status=202)["server"]["id"]
    assert stage.show(server_id)["name"] == "padded"


def test_create__reader__forbidden(stage: Stage) -> None:
    message = stage.refused(403, who=stage.cloud.reader)
    assert message == "Policy doesn't allow os_compute_api:servers:create to be performed."


def test_create__quota_full__nothing_kept_and_less_than_most_taken(stage: Stage) -> None:
    project = stage.cloud.other.project_id
    stage.cloud.admin.put(f"/compute/v2.1/os-quota-sets/{project}", {"quota_set": {"instances": 2}})
    who = stage.cloud.other
    message = stage.refused(403, who=who, min_count=3)
    assert message.startswith("Quota exceeded for instances")
    assert stage.ids(who=who) == []
    stage.create(who=who, min_count=1, max_count=5)
    assert len(stage.ids(who=who)) == 2


def test_create__metadata_beyond_quota__forbidden(stage: Stage) -> None:
    project = stage.cloud.other.project_id
    stage.cloud.admin.put(f"/compute/v2.1/os-quota-sets/{project}", {"quota_set": {"metadata_items": 1}})
    message = stage.refused(403, who=stage.cloud.other, metadata={"a": "1", "b": "2"})
    assert message == "Maximum number of metadata items exceeds 1"
