"""Allocations written by eight clients at once, to providers here and there and to one; no update may be lost."""

import json
import threading
from collections.abc import Callable, Sequence

from bench.placement import clouds
from bench.placement.sides import Side

CLIENTS = 8
EACH = {"theirs": 10, "ours": 100}
"""Allocations of each client; the kernel counts CPU in hundredths of a second."""
TRIES = 50
AMOUNTS = {"VCPU": 1, "MEMORY_MB": 8, "DISK_GB": 1}
MUST = 30

Shown = Callable[[str, float, float, int, str], tuple[Sequence[str], bool]]


def rows(theirs: Side, ours: Side, providers: int, shown: Shown) -> list[tuple[Sequence[str], bool]]:
    """The lines of the table."""
    found = []
    for name, of in (("spread", lambda n: n * 7919 % providers), ("on one provider", lambda _: 1)):
        slow, fast = (_measured(side, EACH[who], name, of) for side, who in ((theirs, "theirs"), (ours, "ours")))
        found.append(shown(f"PUT allocations, {CLIENTS} clients, {name}", slow, fast, MUST, "no update was lost"))
    return found


def _measured(side: Side, each: int, name: str, of: Callable[[int], int]) -> float:
    """CPU of one allocation, in seconds. Raises AssertionError when what was written is not there."""
    jobs = [
        [(clouds.uuid_of(f"{name}-{client}-{n}"), clouds.uuid_of(f"host-{of(client * each + n)}")) for n in range(each)]
        for client in range(CLIENTS)
    ]
    touched = sorted({provider for of_client in jobs for _, provider in of_client})
    used, before = _used(side, touched), side.cpu()
    clients = [threading.Thread(target=_client, args=(side, of_client)) for of_client in jobs]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    spent = side.cpu() - before
    assert _used(side, touched) - used == CLIENTS * each, "an update was lost"
    return spent / (CLIENTS * each)


def _client(side: Side, jobs: Sequence[tuple[str, str]]) -> None:
    connection = side.connect()
    for consumer, provider in jobs:
        body = {
            "allocations": {provider: {"resources": AMOUNTS}},
            "project_id": "bench",
            "user_id": "bench",
            "consumer_generation": None,
            "consumer_type": "INSTANCE",
        }
        for _ in range(TRIES):
            if side.put(connection, f"/allocations/{consumer}", body) == 204:
                break
    connection.close()


def _used(side: Side, providers: Sequence[str]) -> int:
    return sum(json.loads(side.get(f"/resource_providers/{uuid}/usages"))["usages"]["VCPU"] for uuid in providers)
