"""What our documents say of answers, judged by answers: each read of the API at every microversion where its answer changes."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from api.hostile_corpus import PUBLIC_KEY
from api.server_stage import SERVERS, Stage
from cloud import TestCloud
from kilonova.api.openapi import answers_of
from kilonova.api.query import ComputeRoute
from kilonova.api.service import described
from kilonova.api.shapes import SHAPES, told
from kilonova.kernel.ids import ProjectId
from kilonova.objects.history.api import API
from kilonova.simulation.doubles.volumes import DirectVolumes, VolumeService

V21 = "/compute/v2.1"
READS = [route for route in described() if route.method == "GET" and route.gives]


def shapes_in(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get(SHAPES, ())
        for inner in schema.values():
            yield from shapes_in(inner)
    if isinstance(schema, list):
        for inner in schema:
            yield from shapes_in(inner)


def bands(route: ComputeRoute) -> list[str]:
    """The microversions of a route on both sides of everything that changes its answer, and the ends."""
    shapes = {shape for answer in route.gives or () for shape in shapes_in(answer.body)}
    edges = {0, len(API.labels) - 1}
    edges |= {API.positions[answer.since] for answer in route.gives or () if answer.since}
    edges |= {API.positions[label] for label, change in API.changes() if change.shape in shapes}
    edges |= {API.positions[one] + more for one, more in ((route.since, 0), (route.until, 1)) if one}
    both = sorted({edge for one in edges for edge in (one, one - 1) if 0 <= edge < len(API.labels)})
    return [API.labels[at] for at in both if route.served_at(API.level(API.labels[at]))]


def judge(routes: list[ComputeRoute], label: str, status: int, answer: Any) -> None:
    """Fail unless one of the answers that `routes` promise at `label` is this one."""
    promised = answers_of(routes, API.level(label)).get(status)
    assert promised, f"{label}: {status} is not promised"
    bodies = [one.body for one in promised]
    if answer is None:
        assert None in bodies
        return
    problems = []
    for body in bodies:
        checker = Draft202012Validator(told(body or {}, API.level(label)), format_checker=FormatChecker())
        found = [f"{error.json_path}: {error.message[:300]}" for error in checker.iter_errors(answer)]
        if not found:
            return
        problems += found
    raise AssertionError(f"{label}: {problems}")


NOTHING_THERE = ("/os-volumes", "/os-snapshots", "/os-floating-ips/{")
"""Reads of what this cloud has no service for, or none of."""


class Furnished:
    """A cloud with one of everything that reads can show."""

    def __init__(self, cloud: TestCloud, service: VolumeService) -> None:
        self.cloud, self.stage = cloud, Stage(cloud)
        member, admin = cloud.member, cloud.admin
        self.group = member.post(f"{V21}/os-server-groups", {"server_group": {"name": "g", "policies": ["affinity"]}})
        for asker in (member, admin):
            asker.post(f"{V21}/os-keypairs", {"keypair": {"name": "k"}})
        body = {"aggregate": {"name": "a", "availability_zone": "z"}}
        self.aggregate = admin.post(f"{V21}/os-aggregates", body)["aggregate"]["id"]
        admin.post(f"{V21}/flavors/{self.stage.flavor}/os-extra_specs", {"extra_specs": {"own:key": "v"}})
        self.private = self.stage.flavor_make("private", **{"os-flavor-access:is_public": False})
        admin.post(f"{V21}/flavors/{self.private}/action", {"addTenantAccess": {"tenant": member.project_id}})
        admin.post(f"{V21}/images/{self.stage.image}/metadata", {"metadata": {"m": "v"}})
        group_id = self.group["server_group"]["id"]
        networks = [{"uuid": self.stage.network}]
        self.server = self.stage.boot(
            networks=networks, hints={"group": group_id}, metadata={"m": "v"}, tags=["t"], key_name="k", description="d"
        )
        self.volume = service.make(ProjectId(str(member.project_id))).id
        wish = {"volumeAttachment": {"volumeId": self.volume, "tag": "data"}}
        member.post(f"{SERVERS}/{self.server}/os-volume_attachments", wish, version="2.101", status=202)
        cloud.wait_for(lambda: service.get(self.volume).status == "in-use")
        cloud.wait_for_status(self.server, "ACTIVE")
        self.stage.act(self.server, {"os-migrateLive": {"host": None, "block_migration": "auto"}}, who=admin)
        cloud.wait_for_status(self.server, "ACTIVE")
        self.port = member.get(f"{SERVERS}/{self.server}/os-interface")["interfaceAttachments"][0]["port_id"]
        actions = member.get(f"{SERVERS}/{self.server}/os-instance-actions", version="2.51")["instanceActions"]
        self.request_id = actions[0]["request_id"]

    def path(self, route: ComputeRoute, label: str) -> str | None:
        """The path with ids of things that are there; None for reads that nothing is there for."""
        values = {"alias": "os-keypairs", "network": "private", "key": "m", "tag": "t", "port_id": self.port}
        values |= {"volume_id": self.volume, "request_id": self.request_id, "flavor_id": self.stage.flavor}
        firsts = {
            "/servers": self.server,
            "/os-volumes_boot": self.server,
            "/versions": "v2.1",
            "/flavors": self.stage.flavor,
            "/os-keypairs": "k",
            "/os-aggregates": str(self.aggregate),
            "/os-server-groups": self.group["server_group"]["id"],
            "/os-quota-sets": str(self.cloud.member.project_id),
            "/os-quota-class-sets": "default",
            "/os-simple-tenant-usage": str(self.cloud.member.project_id),
            "/os-networks": self.stage.network,
            "/os-tenant-networks": self.stage.network,
            "/images": self.stage.image,
        }
        if "{migration_id}" in route.path or (route.path.startswith(NOTHING_THERE) and "_boot" not in route.path):
            return None
        if route.path == "/os-hosts/{name}":
            values["name"] = self.cloud.admin.get(f"{V21}/os-hosts")["hosts"][0]["host_name"]
        if route.path == "/os-security-groups/{id}":
            values["id"] = self.cloud.member.get(f"{V21}/os-security-groups")["security_groups"][0]["id"]
        values |= {"image_id": self.stage.image, "before": "2026-01-01"}
        if route.path.startswith("/os-hypervisors/{"):
            hosts = self.cloud.admin.get(f"{V21}/os-hypervisors", version=label)["hypervisors"]
            by_name = route.path.endswith(("/search", "/servers"))
            values["id"] = str(hosts[0]["hypervisor_hostname" if by_name else "id"])
        for prefix, identifier in firsts.items():
            if route.path.startswith(prefix + "/{"):
                values["id"] = "own:key" if route.path.endswith("os-extra_specs/{id}") else identifier
        if route.path.endswith("/os-flavor-access"):
            values["flavor_id"] = self.private
        return re.sub(r"\{(\w+)\}", lambda name: values[name[1]], route.path)


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Furnished]:
    service = VolumeService(lambda: str(uuid.uuid4()))
    with TestCloud(tmp_path_factory.mktemp("cloud"), hosts=2, volumes=DirectVolumes(service)) as cloud:
        yield Furnished(cloud, service)


@pytest.mark.parametrize("route", READS, ids=lambda route: route.path)
def test_read__at_each_band__answers_what_its_document_says(furnished: Furnished, route: ComputeRoute) -> None:
    for label in bands(route):
        path = furnished.path(route, label)
        for asker in () if path is None else (furnished.cloud.admin, furnished.cloud.member):
            answer = asker.ask("GET", V21 + str(path), version=label)
            if answer.status_code == 403:
                continue
            judge([route], label, answer.status_code, answer.json() if answer.content else None)


def group(name: str, label: str) -> dict[str, Any]:
    one = {"policy": "affinity"} if API.level(label).has("server-group-policy") else {"policies": ["affinity"]}
    return {"server_group": {"name": name, **one}}


WRITES = {
    ("PUT", "/servers/{id}"): lambda name, _: {"server": {"name": name}},
    ("POST", "/flavors"): lambda name, _: {"flavor": {"name": name, "ram": 1, "vcpus": 1, "disk": 1}},
    ("POST", "/os-keypairs"): lambda name, _: {"keypair": {"name": name, "public_key": PUBLIC_KEY}},
    ("POST", "/os-server-groups"): group,
    ("POST", "/os-aggregates"): lambda name, _: {"aggregate": {"name": name}},
    ("PUT", "/os-aggregates/{id}"): lambda name, _: {"aggregate": {"name": name}},
    ("PUT", "/os-quota-sets/{id}"): lambda _name, _label: {"quota_set": {"cores": 100}},
    ("PUT", "/os-quota-class-sets/{id}"): lambda _name, _label: {"quota_class_set": {"cores": 100}},
}


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_write__at_each_band__answers_what_its_document_says(furnished: Furnished, method: str, path: str) -> None:
    (route,) = [one for one in described() if (one.method, one.path) == (method, path)]
    for label in bands(route):
        body = WRITES[method, path](f"{method}-{label.replace('.', '-')}", label)
        answer = furnished.cloud.admin.ask(method, V21 + str(furnished.path(route, label)), body, version=label)
        judge([route], label, answer.status_code, answer.json())


@pytest.mark.parametrize("label", ["2.1", "2.53", "2.54", "2.57", "2.74", "2.75", "2.104"])
def test_rebuild__at_each_band__answers_what_its_document_says(furnished: Furnished, label: str) -> None:
    (route,) = [one for one in described() if (one.path, one.action) == ("/servers/{id}/action", "rebuild")]
    server_id = furnished.stage.boot()
    told_now = furnished.stage.act(server_id, {"rebuild": {"imageRef": furnished.stage.image}}, version=label)
    judge([route], label, 202, told_now)
