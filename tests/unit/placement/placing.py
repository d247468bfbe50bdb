"""What the tests of placement share: a placement on a file, providers, claims."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from kilonova.database.database import Transaction
from kilonova.database.sqlite import SqliteDatabase
from kilonova.placement import tables
from kilonova.placement.placement import Placement
from kilonova.placement.shapes import Claim, Inventory, ProviderSpec
from kilonova.runtime.real import RealRuntime

SMALL = {"VCPU": 2, "MEMORY_MB": 512}


class MemoryDatabase:
    """Implements `Database` in memory, one transaction after the other: for many short histories, without a disk."""

    name = "memory"

    def __init__(self) -> None:
        self._engine = create_engine("sqlite://", poolclass=StaticPool)
        tables.metadata.create_all(self._engine)
        self._now = 0.0

    async def write(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._now += 1.0
        with self._engine.begin() as connection:
            return work(Transaction(connection, self._now), *args, **kwargs)

    async def read(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await self.write(work, *args, **kwargs)

    async def scan(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await self.write(work, *args, **kwargs)

    async def close(self) -> None:
        self._engine.dispose()


def uuid_of(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def host(number: int, *, vcpus: int = 8, memory_mb: int = 4096, traits: frozenset[str] = frozenset()) -> ProviderSpec:
    inventories = {"VCPU": Inventory(total=vcpus), "MEMORY_MB": Inventory(total=memory_mb)}
    return ProviderSpec(uuid=uuid_of(number), name=f"host-{number}", inventories=inventories, traits=traits)


def claim(consumer: str, provider: int = 1, generation: int | None = None, **more: Any) -> Claim:
    allocations = more.pop("allocations", {uuid_of(provider): SMALL})
    return Claim(
        consumer=consumer, generation=generation, allocations=allocations, project_id="project", user_id="user", **more
    )


def with_placement(path: Path, work: Callable[[Placement], Awaitable[None]]) -> None:
    """Run `work` over a placement database in the directory `path`."""

    async def run() -> None:
        database = SqliteDatabase("placement", path / "placement.sqlite", RealRuntime())
        try:
            await database.create(tables.metadata)
            await work(Placement(database))
        finally:
            await database.close()

    asyncio.run(run())
