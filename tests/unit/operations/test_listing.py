"""Lists over the API database and every cell, against a plain filter and sort of everything there is."""

import random
import re
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from kilonova.cells.cells import CellRecord, Cells, cell_add_txn
from kilonova.cells.server_map import mapping_add_txn, mapping_set_cell_txn, mappings_deleted_txn
from kilonova.database.database import Transaction
from kilonova.database.functions import BadPattern
from kilonova.database.tables import api_database, cell_database
from kilonova.kernel.errors import Invalid, Unavailable
from kilonova.kernel.ids import CELL0, CellId, OperationId, ServerId
from kilonova.objects.guest import PowerState
from kilonova.objects.server import Nic, NicAddress, Server, TaskState, VmState, states_of, tasks_shown_apart
from kilonova.objects.server_query import SORT_KEYS, ServerQuery, StateFilter
from kilonova.operations import store
from kilonova.operations.listing import Listing, NoSuchMarker
from kilonova.simulation.database import DatabaseServer, SimDatabase
from kilonova.simulation.faults import QUIET, Faults
from kilonova.simulation.loop import SimLoop, simulate
from kilonova.simulation.runtime import STARTED_AT
from kilonova.simulation.sometimes import Sometimes
from unit.operations.rig import FLAVOR, server

CELLS: tuple[CellId | None, ...] = (
    None,
    CELL0,
    *(CellId(f"00000000-0000-4000-8000-{number:012}") for number in (1, 2, 3)),
)
WORDS = ("web", "db", "Web", "cache", "")
TAGS = ("a", "b", "c")


class Park:
    """Servers in the API database, cell0 and three cells."""

    def __init__(self, loop: SimLoop) -> None:
        self.loop = loop
        self.process = loop.process("api")
        self.databases: dict[CellId | None, DatabaseServer] = {
            cell: DatabaseServer(loop, str(cell), cell_database.metadata if cell else api_database.metadata)
            for cell in CELLS
        }
        for cell in CELLS[1:]:
            assert cell is not None
            record = CellRecord(id=cell, name=cell, database_url=cell, bus_url="", disabled=False, created_at=0.0)
            self.databases[None].write(lambda tx, record=record: cell_add_txn(tx, record))
        self.everything: dict[ServerId, Server] = {}

    async def listing(self) -> Listing:
        def connected(to: DatabaseServer) -> SimDatabase:
            return SimDatabase(self.loop, to, self.process, Faults(QUIET), Sometimes())

        database = connected(self.databases[None])
        cells = Cells(database, lambda record: connected(self.databases[CellId(record.database_url)]))
        await cells.load()
        return Listing(database, cells)

    def put(self, one: Server, cell: CellId | None) -> None:
        def map_txn(tx: Transaction) -> None:
            mapping_add_txn(tx, one, OperationId(""))
            if cell is not None:
                mapping_set_cell_txn(tx, one.id, cell)
            if one.deleted_at is not None:
                mappings_deleted_txn(tx, [one.id])

        self.databases[cell].write(lambda tx: store.server_insert_txn(tx, one))
        self.databases[None].write(map_txn)
        self.everything[one.id] = one

    def close(self) -> None:
        for database in self.databases.values():
            database.close()


def with_park(work: Any) -> Any:
    async def main(loop: SimLoop) -> Any:
        park = Park(loop)
        try:
            return await work(park)
        finally:
            park.close()

    return simulate(main, 1)[0]


def fill(park: Park, chance: random.Random, count: int = 40) -> None:
    for number in range(count):
        park.put(random_server(chance, number), chance.choice(CELLS))


def random_server(chance: random.Random, number: int) -> Server:
    vm_state = chance.choice(
        (VmState.ACTIVE, VmState.STOPPED, VmState.ERROR, VmState.BUILDING, VmState.DELETED, VmState.SOFT_DELETED)
    )
    address = NicAddress(address=f"10.0.{chance.randrange(3)}.{chance.randrange(9)}", version=4)
    nic = Nic(port_id="p", network_id="n", network_name="net", mac="m", addresses=(address,), owned=True)
    return server(
        number,
        id=ServerId(f"{chance.getrandbits(32):08x}-0000-4000-8000-{number:012}"),
        project_id=chance.choice(("project", "other")),
        user_id=chance.choice(("ann", "bob")),
        name=chance.choice(WORDS) + str(chance.randrange(3)),
        hostname=chance.choice(WORDS),
        description=chance.choice((None, *WORDS)),
        flavor=msgspec.structs.replace(FLAVOR, id=str(chance.randrange(2))),
        image_id=chance.choice((None, "image-1", "image-2")),
        key_name=chance.choice((None, "key")),
        availability_zone=chance.choice((None, "nova", "east")),
        host=chance.choice((None, "host-1", "host-2")),
        vm_state=vm_state,
        task_state=chance.choice((None, TaskState.REBOOTING, TaskState.SPAWNING)),
        power_state=chance.choice((PowerState.RUNNING, PowerState.NOSTATE)),
        locked=chance.random() < 0.5,
        locked_by=chance.choice((None, "owner", "admin")),
        disk_config=chance.choice(("AUTO", "MANUAL")),
        image_properties=chance.choice(({}, {"kernel_id": "kernel", "ramdisk_id": "ramdisk"})),
        config_drive=chance.random() < 0.5,
        launch_index=chance.randrange(2),
        access_ip_v4=chance.choice(("", "192.0.2.1")),
        root_device_name=chance.choice((None, "/dev/vda")),
        tags=tuple(sorted(chance.sample(TAGS, chance.randrange(4)))),
        metadata={key: chance.choice("xy") for key in chance.sample("kl", chance.randrange(3))},
        nics=(nic,),
        created_at=STARTED_AT + chance.randrange(5),
        updated_at=STARTED_AT + chance.randrange(5),
        launched_at=chance.choice((None, STARTED_AT + chance.randrange(5))),
        deleted_at=STARTED_AT if vm_state is VmState.DELETED else None,
    )


COLUMNS = {
    "display_name": "name",
    "uuid": "id",
    "image_ref": "image_id",
    "display_description": "description",
}
GONE = {VmState.DELETED, VmState.SOFT_DELETED}
EQUAL = (
    "project_id",
    "user_id",
    "host",
    "image_id",
    "key_name",
    "availability_zone",
    "launch_index",
    "task_state",
    "power_state",
    "locked",
    "config_drive",
    "access_ip_v4",
    "created_at",
    "launched_at",
    "root_device_name",
    "locked_by",
    "disk_config",
)


def random_query(chance: random.Random) -> ServerQuery:  # noqa: C901 - a draw for each kind of condition
    """A query with a few conditions."""
    conditions: dict[str, Any] = {}
    example = random_server(chance, 1)
    for field in chance.sample(EQUAL, chance.randrange(3)):
        conditions[field] = getattr(example, field)
    if chance.random() < 0.2:
        conditions["states"] = tuple(_state_filters(chance.choice(("ACTIVE", "REBOOT", "ERROR", "BUILD", "NONSENSE"))))
    if chance.random() < 0.2:
        conditions["changes_since"] = STARTED_AT + chance.randrange(5)
    if chance.random() < 0.2:
        conditions["changes_before"] = STARTED_AT + chance.randrange(5)
    if chance.random() < 0.2:
        conditions["deleted"] = True
    for field, probability, values in (
        ("soft_deleted", 0.3, (True, False)),
        ("terminated_at", 0.05, (STARTED_AT,)),
        ("kernel_id", 0.1, ("kernel", "other")),
        ("ramdisk_id", 0.1, ("ramdisk", "other")),
    ):
        if chance.random() < probability:
            conditions[field] = chance.choice(values)
    if chance.random() < 0.2:
        conditions["name_like"] = chance.choice(("WEB", "^db", "1$", "[ab]", "b.?1|cache"))
    if chance.random() < 0.1:
        conditions["ip_like"] = chance.choice((r"10\.0\.1\.", r" 10\.0\.2\.4 "))
    if chance.random() < 0.2:
        conditions["metadata"] = (("k", "x"),)
    for field in ("tags_all", "tags_any", "not_tags_all", "not_tags_any"):
        if chance.random() < 0.15:
            conditions[field] = tuple(chance.sample(TAGS, 1 + chance.randrange(2)))
    sort = [(key, chance.choice(("asc", "desc"))) for key in chance.sample(SORT_KEYS, chance.randrange(4))]
    if sort:
        conditions["sort"] = tuple(sort)
    return ServerQuery(limit=1 + chance.randrange(12), **conditions)


def _state_filters(shown: str) -> list[StateFilter]:
    found = []
    for vm_state, tasks in states_of(shown):
        apart = tasks_shown_apart(vm_state) if tasks is None else frozenset[TaskState]()
        found.append(StateFilter(vm_state=vm_state, tasks=tasks, not_tasks=apart))
    return found


def wanted(query: ServerQuery, everything: Sequence[Server]) -> list[Server]:
    """What the query asks for, by the plainest code there is."""
    found = [server for server in everything if _matches(query, server)]
    sort = query.sort if query.sort[-1][0] == "uuid" else (*query.sort, ("uuid", query.sort[-1][1]))
    for key, direction in reversed(sort):
        found.sort(key=lambda server, key=key: _value(key, server), reverse=direction == "desc")  # type: ignore[misc]
    return found


def _value(key: str, server: Server) -> Any:
    value = server.flavor.id if key == "instance_type_id" else getattr(server, COLUMNS.get(key, key))
    return (value is not None and value != "", value or 0 if value is None else value) if value else (False, 0)


def _matches(query: ServerQuery, server: Server) -> bool:
    tags = set(server.tags)
    gone, soft = server.vm_state is VmState.DELETED, server.vm_state is VmState.SOFT_DELETED
    if query.changes_since is not None:
        lives = server.updated_at >= query.changes_since
    elif query.deleted:
        lives = gone or (soft and query.soft_deleted is not False)
    else:
        lives = not gone and (not soft or query.soft_deleted is True)
    addresses = "".join(f" {a.address} " for nic in server.nics for a in nic.addresses)
    return (
        lives
        and (query.changes_before is None or server.updated_at <= query.changes_before)
        and all(getattr(query, field) in {None, getattr(server, field)} for field in EQUAL)
        and query.terminated_at in {None, server.deleted_at}
        and all(
            getattr(query, field) in {None, server.image_properties.get(field)} for field in ("kernel_id", "ramdisk_id")
        )
        and (query.states is None or any(_in_state(state, server) for state in query.states))
        and (query.name_like is None or re.search(query.name_like, server.name, re.IGNORECASE) is not None)
        and (query.ip_like is None or re.search(query.ip_like, addresses) is not None)
        and all(server.metadata.get(key) == value for key, value in query.metadata)
        and set(query.tags_all) <= tags
        and (not query.tags_any or bool(set(query.tags_any) & tags))
        and (not query.not_tags_all or not set(query.not_tags_all) <= tags)
        and not set(query.not_tags_any) & tags
    )


def _in_state(state: StateFilter, server: Server) -> bool:
    if server.vm_state is not state.vm_state or server.task_state in state.not_tasks:
        return False
    return state.tasks is None or server.task_state in state.tasks


@pytest.mark.parametrize("seed", range(8))
def test_random_queries__every_page_of_every_one_is_what_it_must_be(seed: int) -> None:
    chance = random.Random(seed)

    async def work(park: Park) -> None:
        fill(park, chance)
        listing = await park.listing()
        for _ in range(25):
            query = random_query(chance)
            expected = wanted(query, list(park.everything.values()))
            seen: list[Server] = []
            marker: ServerId | None = None
            while True:
                page = await listing.page(msgspec.structs.replace(query, marker=marker))
                seen += page.servers
                assert len(page.servers) <= query.limit
                if not page.more:
                    break
                marker = page.servers[-1].id
            assert [one.id for one in seen] == [one.id for one in expected], query

    with_park(work)


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("key", SORT_KEYS)
def test_sort_key__each_in_both_directions(key: str, direction: str) -> None:
    async def work(park: Park) -> None:
        fill(park, random.Random(7))
        query = ServerQuery(sort=((key, direction),))
        page = await (await park.listing()).page(query)
        assert list(page.servers) == wanted(query, list(park.everything.values()))

    with_park(work)


def test_walk_under_churn__every_stable_server_once() -> None:
    chance = random.Random(3)

    async def work(park: Park) -> None:
        fill(park, chance, 60)
        stable = {one.id for one in park.everything.values() if one.vm_state not in GONE}
        listing = await park.listing()
        query = ServerQuery(limit=7, sort=(("created_at", "asc"),))
        seen: list[ServerId] = []
        number = 1000
        while True:
            page = await listing.page(query)
            seen += [one.id for one in page.servers]
            for _ in range(3):
                number += 1
                park.put(random_server(chance, number), chance.choice(CELLS))
            if not page.more:
                break
            query = msgspec.structs.replace(query, marker=page.servers[-1].id)
        assert sorted(one for one in seen if one in stable) == sorted(stable)

    with_park(work)


def test_server_in_two_places_on_its_way__shown_once() -> None:
    async def work(park: Park) -> None:
        one = server(1)
        park.put(one, CELLS[2])
        park.databases[None].write(lambda tx: store.server_insert_txn(tx, one))
        page = await (await park.listing()).page(ServerQuery())
        assert [found.id for found in page.servers] == [one.id]

    with_park(work)


def test_cell_that_is_down__the_others_are_listed_and_its_servers_named() -> None:
    async def work(park: Park) -> None:
        there, lost = server(1), server(2)
        park.put(there, CELLS[2])
        park.put(lost, CELLS[3])
        listing = await park.listing()
        park.databases[CELLS[3]].down_until = 1e12
        page = await listing.page(ServerQuery(project_id=there.project_id))
        assert [one.id for one in page.servers] == [there.id]
        assert [one.id for one in page.down] == [lost.id]
        with pytest.raises(Unavailable):
            await listing.page(ServerQuery(marker=lost.id))

    with_park(work)


@pytest.mark.parametrize("field", ["name_like", "hostname_like", "description_like", "ip_like", "ip6_like"])
def test_bad_pattern__refused_before_any_query(field: str) -> None:
    async def work(park: Park) -> None:
        with pytest.raises(BadPattern) as refused:
            await (await park.listing()).page(ServerQuery(**{field: "("}))
        assert "'('" in refused.value.message

    with_park(work)


def test_unknown_marker_and_sort_key__refused() -> None:
    async def work(park: Park) -> None:
        park.put(server(1, project_id="other"), CELLS[1])
        listing = await park.listing()
        with pytest.raises(NoSuchMarker):
            await listing.page(ServerQuery(marker=ServerId("nowhere")))
        with pytest.raises(NoSuchMarker):
            await listing.page(ServerQuery(marker=server(1).id, project_id=server(2).project_id))
        with pytest.raises(Invalid):
            await listing.page(ServerQuery(sort=(("shoe_size", "asc"),)))

    with_park(work)
