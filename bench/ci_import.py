"""CI events a second of CPU, from a file to facts on the disk, beside what SQLite alone takes for as many rows of that size."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure
from kilonova.app.health import health_opened
from kilonova.health.ci.importing import Importer, reader
from kilonova.runtime.real import RealRuntime

EVENTS = 20_000
JOBS = 8
T0 = 1_700_000_000


def measure(scratch: Path) -> Iterator[Figure]:
    """Import comments of 8 jobs each, every tenth on a new change."""
    file = scratch / "events.jsonl"
    lines = [_line(number) for number in range(EVENTS)]
    file.write_bytes(b"".join(lines))

    async def run() -> float:
        async with health_opened(scratch / "health.sqlite", RealRuntime()) as archive:
            begun = time.process_time()
            done = await Importer(archive.store, reader("gerrit-events", None)).file(file)
            assert done.new == EVENTS, done
            return time.process_time() - begun

    took = asyncio.run(run())
    floor = _floor(scratch / "floor.sqlite", lines)
    yield Figure(
        "CI events imported in a second of CPU",
        f"{EVENTS / took:,.0f}",
        ">= 5,000",
        f"{EVENTS / floor:,.0f}",
        "SQLite alone, a row an event",
    )


def _line(number: int) -> bytes:
    jobs = "\n".join(f"- job-{job} https://logs.example/{number}/{job} : SUCCESS in 1h 02m 03s" for job in range(JOBS))
    document = {
        "type": "comment-added",
        "change": {"project": "demo/compute", "branch": "master", "number": str(number // 10 + 1), "subject": "Change"},
        "patchSet": {"number": "1", "revision": f"{number // 10:040x}", "createdOn": T0, "kind": "REWORK"},
        "author": {"username": f"ci-{number % 10}"},
        "comment": f"Build succeeded.\n\n{jobs}",
        "eventCreatedOn": T0 + number,
    }
    document["change"] |= {"url": f"https://review.example.org/{number // 10 + 1}"}
    return json.dumps(document).encode() + b"\n"


def _floor(path: Path, lines: list[bytes]) -> float:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE events (seq INTEGER PRIMARY KEY, payload BLOB)")
        begun = time.process_time()
        for at in range(0, len(lines), 500):
            database.executemany("INSERT INTO events (payload) VALUES (?)", [(line,) for line in lines[at : at + 500]])
            database.commit()
        return time.process_time() - begun
