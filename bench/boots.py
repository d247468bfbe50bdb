"""200 servers created one by one on 50 fake hosts, until all are ACTIVE."""

import time
from pathlib import Path

import httpx

from bench.figures import Figure, cpu_s
from tools.up_cloud import UpCloud

SERVERS = 200
HOSTS = 50
PATIENCE_S = 120
HEADERS = {"OpenStack-API-Version": "compute 2.96"}


def measure(scratch: Path) -> list[Figure]:
    """Wall time and CPU a server; the floor is as many requests for the root document."""
    with UpCloud(scratch / "state", "--hosts", HOSTS) as cloud:
        wanted = cloud.furnish()
        cloud.lift_quotas()
        with cloud.client("kilonova") as member:
            floor_wall_s, floor_cpu_s = _requests(cloud, member)
            begun, cpu = time.perf_counter(), cpu_s(cloud.process.pid)
            for number in range(SERVERS):
                server = {"name": f"server-{number}", **wanted}
                member.post("/compute/v2.1/servers", json={"server": server}, headers=HEADERS).raise_for_status()
            accepted_s = time.perf_counter() - begun
            _wait(member)
            wall_s, used_s = time.perf_counter() - begun, cpu_s(cloud.process.pid) - cpu
    rate, each_ms = SERVERS / wall_s, used_s / SERVERS * 1000
    floor_is = "as many requests for the root document"
    return [
        Figure("servers booted a second", f"{rate:.0f}", "≥ 100", f"{SERVERS / floor_wall_s:.0f}", floor_is),
        Figure(
            "servers accepted a second", f"{SERVERS / accepted_s:.0f}", "", f"{SERVERS / floor_wall_s:.0f}", floor_is
        ),
        Figure(
            "CPU a booted server", f"{each_ms:.1f} ms", "≤ 10 ms", f"{floor_cpu_s / SERVERS * 1000:.1f} ms", floor_is
        ),
    ]


def _requests(cloud: UpCloud, member: httpx.Client) -> tuple[float, float]:
    begun, cpu = time.perf_counter(), cpu_s(cloud.process.pid)
    for _ in range(SERVERS):
        member.get("/").raise_for_status()
    return time.perf_counter() - begun, cpu_s(cloud.process.pid) - cpu


def _wait(member: httpx.Client) -> None:
    """Look four times a second whether all are ACTIVE; looking counts as the cloud's CPU."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        building = member.get("/compute/v2.1/servers", params={"status": "BUILD", "limit": 1}).json()["servers"]
        if not building:
            failed = member.get("/compute/v2.1/servers", params={"status": "ERROR"}).json()["servers"]
            assert not failed, f"{len(failed)} servers went to ERROR"
            return
        time.sleep(0.05)
    raise TimeoutError(f"not all servers are ACTIVE after {PATIENCE_S} s")
