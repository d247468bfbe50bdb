"""I: databases, bus and cells. What happens when they are contended, silent or gone."""

import asyncio
from collections.abc import Awaitable
from functools import partial

import msgspec

from kilonova.kernel.errors import Invalid, NotFound, Unavailable
from kilonova.kernel.ids import ServerId
from kilonova.objects.server import Server, VmState
from kilonova.objects.server_query import ServerQuery
from kilonova.simulation.cases.case import Case
from kilonova.simulation.cases.stage import Stage
from kilonova.simulation.faults import QUIET
from kilonova.simulation.history import Promise
from kilonova.simulation.world import Shape

WRITERS = 8
PAGE = 2
OUTAGE_S = 300.0
BEATS_S = 30.0
"""After so long every agent has reported, and been seen."""
PARTIAL_S = 30.0
"""What doesn't need a cell has to be answered within this while the cell is out of reach."""


async def _i1(stage: Stage) -> None:
    server = await stage.made()
    writers = [stage.servers.update(server.server_id, partial(_with_line, number)) for number in range(WRITERS)]
    others = [_live_and_die(stage) for _ in range(2)]
    await asyncio.gather(*writers, *others)
    if stage.world.faults.counts["db_deadlock"]:
        stage.met()
    await stage.settled()
    _expect_written(stage, server)
    stage.expect_state(server, VmState.ACTIVE)


async def _write(stage: Stage, server: Promise, number: int) -> None:
    """Add one line to a server's metadata, asking again when there was no answer."""
    while True:
        try:
            await stage.servers.update(server.server_id, partial(_with_line, number))
        except Unavailable:
            await stage.sometime(1.0)
        else:
            return


def _with_line(number: int, server: Server) -> Server:
    return msgspec.structs.replace(server, metadata={**server.metadata, str(number): "written"})


def _expect_written(stage: Stage, server: Promise) -> None:
    shown = stage.truths.server(server.server_id)
    lines = {} if shown is None else shown.metadata
    stage.expect(len(lines) == WRITERS, f"of {WRITERS} lines that were written {len(lines)} are there")


async def _live_and_die(stage: Stage) -> None:
    server = await stage.made()
    await stage.acted(server, "stop")
    await stage.delete(server)
    await stage.until_gone(server)


async def _i2(stage: Stage) -> None:
    """The users' changes meet those of the operation, which writes the same row at every step."""
    server = await stage.made()
    stage.breaking.fail_next("db_deadlock", times=stage.pick((1, 3, 5)))
    if stage.chance.random() < 0.5:
        stage.breaking.fail_next("db_answer_lost")
    stage.met()
    await asyncio.gather(stage.acted(server, "stop"), *(_write(stage, server, number) for number in range(WRITERS)))
    await stage.settled()
    _expect_written(stage, server)
    stage.expect_state(server, VmState.STOPPED)


async def _i3(stage: Stage) -> None:
    server = await stage.made()
    before = {name: role.owner for name, role in stage.world.roles.items()}
    name = stage.pick(("api", "placement", "cell1"))
    stage.breaking.database_down(name, for_s=OUTAGE_S)
    stage.met()
    await stage.sometime(OUTAGE_S / 2)
    if name == "cell1":
        stage.expect(await _refused(stage.servers.get(server.server_id)), "a server was shown from nowhere")
    elif name == "api":
        stage.expect(await _refused(stage.servers.list(_of(stage))), "servers were listed from nowhere")
    await asyncio.sleep(stage.breaking.lasts_until - stage.loop.time())
    up = stage.truths.hosts_up()
    stage.expect(not up if name == "cell1" else up, f"with the {name} database back the hosts {up} are up")
    await asyncio.sleep(BEATS_S)
    stage.expect(len(stage.truths.hosts_up()) == 2, "a host doesn't come up by itself")
    after = {name: role.owner for name, role in stage.world.roles.items()}
    stage.expect(after == before, f"processes had to start again: {sorted(set(after.values()) - set(before.values()))}")
    again = await stage.made()
    await stage.acted(server, "stop")
    stage.expect_state(again, VmState.ACTIVE)


async def _refused(asked: Awaitable[object]) -> bool:
    """Whether the answer is that there can be none now."""
    try:
        await asked
    except Unavailable:
        return True
    return False


def _of(stage: Stage, marker: ServerId | None = None) -> ServerQuery:
    return ServerQuery(project_id=stage.project_id, marker=marker, limit=PAGE, sort=(("created_at", "asc"),))


async def _i4(stage: Stage) -> None:
    servers = [await stage.made() for _ in range(3)]
    cells = {server.server_id: stage.truths.cell_number(server.server_id) for server in servers}
    number = stage.pick(sorted(set(cells.values())))
    stage.breaking.database_down(f"cell{number}", for_s=120.0)
    began = stage.loop.time()
    page = await stage.servers.list(ServerQuery(project_id=stage.project_id))
    away = {server_id for server_id, cell in cells.items() if cell == number}
    if len(away) < len(servers):
        stage.met()
    stage.expect({one.id for one in page.down} == away, f"{page.down} are shown as down, {away} are")
    stage.expect({one.id for one in page.servers} == cells.keys() - away, "servers of other cells are not shown")
    for server in servers:
        if server.server_id in away:
            await _expect_outline(stage, server)
        else:
            await stage.acted(server, "stop")
    new = await stage.made()
    stage.expect(stage.truths.cell_number(new.server_id) != number, "a server was given to a cell that is out of reach")
    stage.expect(stage.loop.time() - began < PARTIAL_S, "other cells waited for one that is out of reach")


async def _expect_outline(stage: Stage, server: Promise) -> None:
    """The server can't be shown, and what is known without its cell can."""
    stage.expect(await _refused(stage.servers.get(server.server_id)), "a server was shown whose cell is out of reach")
    outline = await stage.servers.outline(server.server_id)
    stage.expect(outline.id == server.server_id, f"the outline of {server.server_id} is one of {outline.id}")


async def _i5(stage: Stage) -> None:
    staying = [await stage.boot() for _ in range(4)]
    going = [await stage.boot() for _ in range(2)]
    changing = [asyncio.create_task(_come_and_go(stage, server)) for server in going]
    while not all(task.done() for task in changing):
        seen = await _walk(stage)
        if not all(task.done() for task in changing):
            stage.met()
        for server in staying:
            count = seen.count(server.server_id)
            stage.expect(count == 1, f"server {server.server_id} was listed {count} times")
        stage.expect(len(set(seen)) == len(seen), "a server was listed twice")
    await asyncio.gather(*changing)


async def _come_and_go(stage: Stage, server: Promise) -> None:
    """Delete a server, and make another in its place."""
    await stage.sometime(2.0)
    await stage.delete(server)
    await stage.until_gone(server)
    await stage.made()


async def _walk(stage: Stage) -> list[ServerId]:
    """Every server, page by page; begun anew when the one that the next page begins after is gone."""
    while True:
        seen: list[ServerId] = []
        marker = None
        try:
            while True:
                page = await stage.servers.list(_of(stage, marker))
                seen += [server.id for server in page.servers]
                if not page.more:
                    return seen
                marker = page.servers[-1].id
                await stage.sometime(0.2)
        except (Invalid, NotFound):
            await stage.sometime(0.2)


async def _i6(stage: Stage) -> None:
    stage.breaking.bus_down(for_s=150.0)
    stage.met()
    servers = [await stage.made() for _ in range(2)]
    began = stage.loop.time()
    await asyncio.gather(
        _live_and_die(stage),
        _live_and_die(stage),
        stage.acted(servers[0], stage.pick(("stop", "pause", "resize", "shelve"))),
        stage.acted(servers[1], stage.pick(("reboot", "suspend", "snapshot", "live_migration"))),
    )
    stage.expect(stage.loop.time() - began < 120.0, "operations waited for hints")


CASES = (
    Case(
        id="I1",
        title="a database that often takes a commit back",
        bugs=(1642537, 1739658, 1567336, 1480305, 1375467),
        given="a database in which one transaction in twenty is rolled back to be run again",
        when="many change one server at once, and others boot, stop and delete",
        then="no request fails for it, and no change is lost",
        play=_i1,
        rates=msgspec.structs.replace(QUIET, db_deadlock=0.05),
    ),
    Case(
        id="I2",
        title="two write the same server",
        bugs=(1297375, 1821373),
        given="a server that is being stopped",
        when="its user changes it meanwhile, and transactions are rolled back or their answers lost",
        then="each reads again what the other wrote: nothing is overwritten",
        play=_i2,
    ),
    Case(
        id="I3",
        title="a database is away for five minutes",
        bugs=(1368989, 1813147, 1517926),
        given="a cloud that works",
        when="the API's, placement's or a cell's database can't be reached for five minutes",
        then="who needs it says so; hosts count as down and are up again by themselves, and no process starts again",
        play=_i3,
    ),
    Case(
        id="I4",
        title="one cell of three is out of reach",
        bugs=(1857139, 1844929),
        given="three cells with a server in each",
        when="servers are listed, shown and booted while the database of one cell is away",
        then="its servers are shown in outline, and the others work as ever",
        play=_i4,
        shape=Shape(cells=3, global_conductors=1, cell_conductors=1, agents=1),
    ),
    Case(
        id="I5",
        title="a list is walked while servers come and go",
        bugs=(1778305, 1689692, 1849409),
        given="servers in two cells, listed in pages of two",
        when="others are deleted and made between the pages",
        then="each that stays is listed once, and no page fails but one after a server that is gone",
        play=_i5,
        shape=Shape(cells=2, global_conductors=1, cell_conductors=1, agents=1),
    ),
    Case(
        id="I6",
        title="the bus is down under load",
        bugs=(),
        given="a cloud at work",
        when="no message arrives for minutes",
        then="requests are accepted, operations go on because work is looked for, and nothing is lost",
        play=_i6,
    ),
)
