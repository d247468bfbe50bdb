"""The providers that both sides are loaded with."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMESPACE = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
TRAIT = "HW_CPU_X86_AVX2"
EVERYWHERE = ("COMPUTE_NODE", "COMPUTE_VOLUME_ATTACH", "HW_CPU_X86_SSE42")
CHILDREN = 4


def uuid_of(name: str) -> str:
    return str(uuid.uuid5(NAMESPACE, name))


AGGREGATE = uuid_of("aggregate")


def flat(providers: int) -> Iterator[dict[str, Any]]:
    """Hosts without children: every fifth has a trait, every tenth is in an aggregate, some are used."""
    for number in range(providers):
        yield _host(f"host-{number}", number)


def nested(roots: int) -> Iterator[dict[str, Any]]:
    """Hosts with four network cards each, that give virtual functions."""
    for number in range(roots):
        host = _host(f"host-{number}", number)
        yield host
        for card in range(CHILDREN):
            name = f"host-{number}-card-{card}"
            yield {
                "uuid": uuid_of(name),
                "name": name,
                "parent": host["uuid"],
                "root": host["uuid"],
                "inventories": {"SRIOV_NET_VF": _inventory(8)},
                "used": {},
                "traits": ["HW_NIC_SRIOV"] if card % 2 else [],
                "aggregates": [],
            }


def written(providers: Iterator[dict[str, Any]], path: Path) -> Path:
    """One provider a line."""
    with path.open("w") as file:
        for provider in providers:
            file.write(json.dumps(provider) + "\n")
    return path


def read(path: Path) -> Iterator[dict[str, Any]]:
    with path.open() as file:
        yield from map(json.loads, file)


def _host(name: str, number: int) -> dict[str, Any]:
    own = uuid_of(name)
    return {
        "uuid": own,
        "name": name,
        "parent": None,
        "root": own,
        "inventories": {
            "VCPU": _inventory(64, ratio=16.0),
            "MEMORY_MB": _inventory(262144, reserved=512, ratio=1.5),
            "DISK_GB": _inventory(4000),
        },
        "used": {"VCPU": number % 7, "MEMORY_MB": 512 * (number % 7), "DISK_GB": number % 7} if number % 7 else {},
        "traits": [*EVERYWHERE, TRAIT] if number % 5 == 0 else [*EVERYWHERE],
        "aggregates": [AGGREGATE] if number % 10 == 0 else [],
    }


def _inventory(total: int, *, reserved: int = 0, ratio: float = 1.0) -> dict[str, Any]:
    return {"total": total, "reserved": reserved, "max_unit": total, "allocation_ratio": ratio}
