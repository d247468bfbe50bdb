"""Reading: a list of 1,000 servers in detail, and one server with token and policy."""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench.boots import HEADERS, PATIENCE_S
from bench.figures import Figure, cpu_s, median_s
from tools.up_cloud import UpCloud

SERVERS = 1000
AT_ONCE = 100
LISTS = 20
SHOWS = 2000


def measure(scratch: Path) -> list[Figure]:
    """CPU of the cloud for each request, at the newest microversion."""
    with UpCloud(scratch / "state", "--hosts", 50) as cloud:
        wanted = cloud.furnish()
        cloud.lift_quotas()
        with cloud.client("kilonova") as member:
            for number in range(SERVERS // AT_ONCE):
                server = {"name": f"batch-{number}", "min_count": AT_ONCE, "max_count": AT_ONCE, **wanted}
                member.post("/compute/v2.1/servers", json={"server": server}, headers=HEADERS).raise_for_status()
            deadline = time.monotonic() + PATIENCE_S
            while member.get("/compute/v2.1/servers", params={"status": "BUILD", "limit": 1}).json()["servers"]:
                assert time.monotonic() < deadline, f"not all servers are ACTIVE after {PATIENCE_S} s"
                time.sleep(0.2)

            def cpu_of(path: str, times: int, headers: dict[str, str]) -> float:
                return _cpu(cloud, times, lambda: member.get(path, headers=headers).raise_for_status())

            detail = member.get("/compute/v2.1/servers/detail", headers=HEADERS)
            document = detail.json()
            assert len(document["servers"]) == SERVERS
            list_ms = cpu_of("/compute/v2.1/servers/detail", LISTS, HEADERS)
            show_ms = cpu_of(f"/compute/v2.1/servers/{document['servers'][0]['id']}", SHOWS, HEADERS)
            root_ms = cpu_of("/", SHOWS, {})
    encode_ms = median_s(lambda: msgspec.json.encode(document), 20) * 1000
    encoding = f"encoding the {len(detail.content) >> 10} KiB of the answer"
    return [
        Figure("CPU to list 1,000 in detail", f"{list_ms:.1f} ms", "≤ 30 ms", f"{encode_ms:.1f} ms", encoding),
        Figure("CPU to show one", f"{show_ms:.2f} ms", "≤ 0.4 ms", f"{root_ms:.2f} ms", "the root document"),
    ]


def _cpu(cloud: UpCloud, times: int, ask: Callable[[], object]) -> float:
    """The cloud's CPU for each of `times` requests, in milliseconds."""
    ask()
    before = cpu_s(cloud.process.pid)
    for _ in range(times):
        ask()
    return (cpu_s(cloud.process.pid) - before) / times * 1000
