"""10,000 fake hosts: until they are ready, and then doing nothing."""

import time
from pathlib import Path

from bench.figures import LIBRARIES, Figure, cpu_s, python, rss_mb
from tools.up_cloud import UpCloud

HOSTS = 10_000
PATIENCE_S = 120
WATCH_S = 30


def measure(scratch: Path) -> list[Figure]:
    """Ready is when placement can give the last host's resources away."""
    floor = float(python(f"{LIBRARIES}; print([l.split()[1] for l in open('/proc/self/status') if 'VmRSS' in l][0])"))
    begun = time.perf_counter()
    with UpCloud(scratch / "state", "--hosts", HOSTS) as cloud, cloud.client() as admin:
        deadline = time.monotonic() + PATIENCE_S
        last = {"name": f"fake-{HOSTS:05}"}
        while not admin.get("/placement/resource_providers", params=last).json()["resource_providers"]:
            assert time.monotonic() < deadline, f"the hosts are not there after {PATIENCE_S} s"
            time.sleep(0.1)
        ready_s = time.perf_counter() - begun
        time.sleep(10)
        before = cpu_s(cloud.process.pid)
        time.sleep(WATCH_S)
        share = (cpu_s(cloud.process.pid) - before) / WATCH_S
        memory = rss_mb(cloud.process.pid)
    return [
        Figure("10,000 hosts ready", f"{ready_s:.1f} s", "≤ 15 s", "", ""),
        Figure(
            "memory with them", f"{memory:.0f} MB", "≤ 250 MB", f"{floor / 1024:.0f} MB", "Python with the libraries"
        ),
        Figure("idle CPU with them", f"{share:.1%}", "≤ 10 %", "0 %", "nothing"),
    ]
