"""What a bench tells, and how it asks the kernel."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
LIBRARIES = "import asyncio, click, sqlalchemy, starlette.requests, uvicorn, uvloop, msgspec"


@dataclass(frozen=True)
class Figure:
    """One figure beside its promise and its floor."""

    name: str
    shown: str
    promised: str
    floor: str
    floor_is: str


def cpu_s(pid: int) -> float:
    """CPU that a process has used, user and system, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def rss_mb(pid: int) -> float:
    """Resident memory of a process, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def own_mb(pid: int) -> float:
    """Resident memory that a process has for itself, in MB: without pages of files that it maps."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    return 0.0


def median_s(work: Callable[[], object], times: int) -> float:
    """Median wall time of `work`, in seconds."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def python(code: str) -> str:
    """Run code in a fresh interpreter; what it printed."""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout
