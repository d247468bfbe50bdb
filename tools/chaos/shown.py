"""What the cloud shows through its public APIs, read once for one judgement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from kilonova.app.paths import METRICS, OWN, PATHS
from kilonova.objects.operation import OperationState
from tools.chaos.http import NEWEST, SERVERS
from tools.up_cloud import UpCloud

Shown = Mapping[str, Any]
PAGE = 1000


@dataclass(frozen=True)
class Cloud:
    """All of it."""

    servers: Mapping[str, Shown]
    """By id."""
    operations: Sequence[Shown]
    """The live ones."""
    hosts: Mapping[str, str]
    """Names by the id that placement knows them by."""
    allocations: Mapping[tuple[str, str], Mapping[str, int]]
    """By consumer and host."""
    migrations: Sequence[Shown]
    ports: Sequence[Shown]
    images: Sequence[Shown]
    quota: Mapping[str, int]
    """What is used of it."""
    measures: Mapping[str, float]
    """Sums of all samples, by name."""


def cloud_shown(up: UpCloud) -> Cloud:
    """Ask for everything. Raises `httpx.HTTPError`."""
    with up.client() as admin, up.client("kilonova") as member:
        admin.headers.update(NEWEST)
        hosts, allocations = _placement(admin)
        project = member.get(f"{PATHS['identity']}/auth/projects").raise_for_status().json()["projects"][0]["id"]
        return Cloud(
            servers={it["id"]: it for it in _got(admin, f"{SERVERS}/detail", "servers", all_tenants="1")},
            operations=_got(admin, f"{OWN}/operations", "operations"),
            hosts=hosts,
            allocations=allocations,
            migrations=_got(admin, f"{PATHS['compute']}/os-migrations", "migrations"),
            ports=_got(admin, f"{PATHS['network']}/ports", "ports"),
            images=_got(admin, f"{PATHS['image']}/images", "images", limit=str(PAGE)),
            quota={
                name: line["in_use"]
                for name, line in _got(admin, f"{PATHS['compute']}/os-quota-sets/{project}/detail", "quota_set").items()
                if name in {"instances", "cores", "ram"}
            },
            measures=measures(up),
        )


def operations_of(admin: httpx.Client, server_id: str) -> Sequence[Shown]:
    """Every operation of a server, the oldest first."""
    states = [("state", state.value) for state in OperationState]
    answer = admin.get(f"{OWN}/operations", params=[*states, ("server", server_id)]).raise_for_status()
    found: Sequence[Shown] = answer.json()["operations"]
    return found


def cards_of(admin: httpx.Client, server_id: str) -> set[str]:
    """The ports that a server shows."""
    found = _got(admin, f"{SERVERS}/{server_id}/os-interface", "interfaceAttachments")
    return {card["port_id"] for card in found}


def measures(up: UpCloud) -> Mapping[str, float]:
    """The cloud's measures, summed over their labels."""
    token = (up.state / "secrets" / "metrics-token").read_text(encoding="ascii").strip()
    answer = httpx.get(up.url + METRICS, headers={"Authorization": f"Bearer {token}"}, trust_env=False)
    sums: dict[str, float] = {}
    for line in answer.raise_for_status().text.splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            name = name.partition("{")[0]
            sums[name] = sums.get(name, 0.0) + float(value)
    return sums


def _placement(admin: httpx.Client) -> tuple[dict[str, str], dict[tuple[str, str], Mapping[str, int]]]:
    hosts, allocations = {}, {}
    for provider in _got(admin, f"{PATHS['placement']}/resource_providers", "resource_providers"):
        hosts[provider["uuid"]] = provider["name"]
        path = f"{PATHS['placement']}/resource_providers/{provider['uuid']}/allocations"
        for consumer, held in _got(admin, path, "allocations").items():
            allocations[consumer, provider["name"]] = held["resources"]
    return hosts, allocations


def _got(client: httpx.Client, path: str, key: str, **params: str) -> Any:
    return client.get(path, params=params).raise_for_status().json()[key]
