"""The whole cloud, doing nothing: memory and CPU."""

import time
from pathlib import Path

from bench.figures import LIBRARIES, Figure, cpu_s, python, rss_mb
from tools.up_cloud import UpCloud

SETTLE_S = 5
WATCH_S = 30


def measure(scratch: Path) -> list[Figure]:
    """One fake host, watched for half a minute."""
    floor = float(python(f"{LIBRARIES}; print([l.split()[1] for l in open('/proc/self/status') if 'VmRSS' in l][0])"))
    with UpCloud(scratch / "state") as cloud:
        with cloud.client() as admin:
            admin.get("/compute/v2.1/servers/detail").raise_for_status()
        time.sleep(SETTLE_S)
        before = cpu_s(cloud.process.pid)
        time.sleep(WATCH_S)
        share = (cpu_s(cloud.process.pid) - before) / WATCH_S
        memory = rss_mb(cloud.process.pid)
    return [
        Figure("idle memory", f"{memory:.0f} MB", "≤ 80 MB", f"{floor / 1024:.0f} MB", "Python with the libraries"),
        Figure("idle CPU of one core", f"{share:.1%}", "≤ 1 %", "0 %", "nothing"),
    ]
