"""Long answers let others get on."""

import asyncio
from pathlib import Path

import httpx

from api.placement.conftest import KnownTokens
from kilonova.database.sqlite import SqliteDatabase
from kilonova.placement import tables
from kilonova.placement.api.service import PlacementService
from kilonova.placement.placement import Placement
from kilonova.runtime.real import RealRuntime
from unit.placement.placing import host

HOSTS = 2500
HEADERS = {"OpenStack-API-Version": "placement 1.39", "X-Auth-Token": "admin"}
CANDIDATES = "/allocation_candidates?resources=VCPU:1"


class Turns:
    """Counts how often the loop comes around."""

    def __init__(self) -> None:
        self.count = 0

    async def run(self) -> None:
        while True:
            self.count += 1
            await asyncio.sleep(0)


def test_candidates__no_limit__others_get_their_turns(tmp_path: Path) -> None:
    async def asked(http: httpx.AsyncClient, turns: Turns, path: str) -> tuple[int, int]:
        """How many candidates, and how many turns others had meanwhile."""
        before = turns.count
        answer = await http.get(path, headers=HEADERS)
        return len(answer.json()["allocation_requests"]), turns.count - before

    async def main() -> None:
        runtime, turns = RealRuntime(), Turns()
        database = SqliteDatabase("placement", tmp_path / "placement.sqlite", runtime)
        await database.create(tables.metadata)
        await Placement(database).providers_ensure([host(number) for number in range(HOSTS)])
        transport = httpx.ASGITransport(PlacementService(database, KnownTokens(), runtime))
        async with httpx.AsyncClient(transport=transport, base_url="http://cloud") as http:
            await asked(http, turns, CANDIDATES)
            others = runtime.spawn(turns.run(), name="others")
            few, fewer_turns = await asked(http, turns, f"{CANDIDATES}&limit=1")
            many, more_turns = await asked(http, turns, CANDIDATES)
            others.cancel()
        await database.close()
        assert (few, many) == (1, HOSTS)
        assert more_turns >= fewer_turns + 2

    asyncio.run(main())
