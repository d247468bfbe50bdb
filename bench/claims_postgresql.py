"""Durable claims on PostgreSQL: four writers, each a process, 64 claims in a transaction.

A claim is what a scheduler takes for one server: a consumer that nobody knew, which gets processors, memory and disk of one host,
under the conditions of the claim, committed to disk. 2,000 hosts have room for all. CPU is that of writers and server together.
"""

import asyncio
import multiprocessing
import time
from pathlib import Path

import psycopg

from bench.figures import TICKS_PER_S, Figure
from kilonova.database.postgres import PostgresDatabase
from kilonova.placement import tables
from kilonova.placement.placement import Placement
from kilonova.placement.shapes import Claim, Claimed, Inventory, ProviderSpec
from kilonova.runtime.real import RealRuntime
from tools.postgres_server import PROGRAMS, server

WRITERS = 4
HOSTS = 2000
BATCH = 64
BATCHES = 25
TOGETHER = 2
"""Transactions that a writer has under way at once."""
PATIENCE_S = 300


def measure(_scratch: Path) -> list[Figure]:
    """Claims a second of wall time, and of CPU."""
    if not PROGRAMS:
        return []
    with server() as url:
        asyncio.run(_prepare(url))
        before = _server_cpu_s(url)
        with multiprocessing.get_context("spawn").Pool(WRITERS) as pool:
            told = pool.starmap_async(_write, [(url, writer) for writer in range(WRITERS)], 1).get(PATIENCE_S)
        server_s = _server_cpu_s(url) - before
    claims = WRITERS * BATCHES * BATCH
    wall_s, writers_s = max(wall for wall, _ in told), sum(cpu for _, cpu in told)
    return [
        Figure("durable claims on PostgreSQL, 4 writers", f"{claims / wall_s:,.0f} /s", "≥ 10,000 /s", "", ""),
        Figure("the same for each CPU-second", f"{claims / (server_s + writers_s):,.0f}", "", "", ""),
        Figure("the server's part of the CPU", f"{server_s / (server_s + writers_s):.0%}", "", "", ""),
    ]


def _uuid(kind: int, number: int) -> str:
    return f"{kind:08}-0000-4000-8000-{number:012}"


async def _prepare(url: str) -> None:
    database = PostgresDatabase("placement", url, RealRuntime())
    await database.create(tables.metadata)
    inventories = {name: Inventory(total=1 << 20) for name in ("VCPU", "MEMORY_MB", "DISK_GB")}
    specs = [ProviderSpec(uuid=_uuid(1, n), name=f"host-{n}", inventories=inventories) for n in range(HOSTS)]
    await Placement(database).providers_ensure(specs)
    await database.close()


def _write(url: str, writer: int) -> tuple[float, float]:
    """In a process of its own: all batches; seconds of wall time and of CPU."""

    async def write() -> tuple[float, float]:
        runtime = RealRuntime()
        database = PostgresDatabase("placement", url, runtime, connections=TOGETHER)
        placement = Placement(database)
        batches = iter(range(BATCHES))

        async def some() -> None:
            for batch in batches:
                claims = [_claim(writer, batch * BATCH + n, int(runtime.random() * HOSTS)) for n in range(BATCH)]
                answer = await placement.claim_together(claims)
                assert isinstance(answer, list)
                assert all(isinstance(one, Claimed) for one in answer)

        begun, used = time.perf_counter(), time.process_time()
        await asyncio.gather(*(some() for _ in range(TOGETHER)))
        spent = time.perf_counter() - begun, time.process_time() - used
        await database.close()
        return spent

    return asyncio.run(write())


def _claim(writer: int, number: int, host: int) -> Claim:
    return Claim(
        consumer=_uuid(10 + writer, number),
        generation=None,
        allocations={_uuid(1, host): {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 10}},
        project_id="project",
        user_id="user",
    )


def _server_cpu_s(url: str) -> float:
    """CPU of the server's parent and of all its children that have ended, as the connections of writers have."""
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT pg_read_file('postmaster.pid')").fetchone()
    assert found is not None
    fields = Path(f"/proc/{found[0].split()[0]}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / TICKS_PER_S
