"""Servers with dedicated CPUs: where they are held, which processors their guests get, and what moves leave behind."""

from collections.abc import Sequence

import msgspec
from typing_extensions import override

from kilonova.drivers.fake.size import FakeHostSize
from kilonova.kernel.ids import HostName
from kilonova.objects.flavor import Flavor
from kilonova.objects.guest import HostDescription
from kilonova.objects.numa import HostNode
from kilonova.objects.server import VmState
from kilonova.operations.discovery import Discovery
from kilonova.operations.servers import Servers
from kilonova.placement import trees
from kilonova.simulation.hypervisor import SimDriver
from unit.operations.rig import CALLER, FLAVOR, REQUEST, Rig, play, server_id

NODES = FakeHostSize(vcpus=8, memory_mb=8192, numa_nodes=2, dedicated_cpus=2).nodes
"""Processors 0, 1 and 4, 5 are dedicated; 2, 3 and 6, 7 are not."""


def pins(vcpus: int, **specs: str) -> Flavor:
    extra = {"hw:cpu_policy": "dedicated", **{f"hw:{name}": value for name, value in specs.items()}}
    return msgspec.structs.replace(FLAVOR, id=f"p{vcpus}", name=f"pins-{vcpus}", vcpus=vcpus, extra_specs=extra)


class NumaDriver(SimDriver):
    """Hosts with two NUMA nodes."""

    @property
    @override
    def _nodes(self) -> Sequence[HostNode]:
        return NODES

    @override
    async def hosts(self) -> Sequence[HostDescription]:
        return [msgspec.structs.replace(host, numa=NODES) for host in await super().hosts()]


async def cloud(rig: Rig, *hosts: str) -> None:
    """A cloud whose hosts are told to have nodes after they were told without."""
    await rig.add_hosts(*hosts)
    await rig.start_agent(*hosts, driver_class=NumaDriver)
    await rig.start_all()
    while not any(b"siblings" in body for (body,) in rig.cell1.rows("SELECT CAST(description AS BLOB) FROM hosts")):
        await rig.settled()
    await Discovery(await rig.parts("discovery")).look()


async def retold(rig: Rig, nodes: Sequence[HostNode]) -> None:
    """The host says that it has these nodes now."""
    parts = await rig.parts("operator")
    (host,) = await parts.hosts.all()
    changed = msgspec.structs.replace(host, description=msgspec.structs.replace(host.description, numa=tuple(nodes)))
    await Discovery(parts)._tell([changed])


def nodes_known(rig: Rig) -> list[str]:
    return [name for (name,) in rig.placement.rows("SELECT name FROM providers WHERE name LIKE '%NUMA%' ORDER BY 1")]


def test_discovery__a_host_tells_of_fewer_nodes__the_others_go_and_what_others_put_there_stays() -> None:
    async def work(rig: Rig) -> None:
        await cloud(rig, "host-1")
        ((root,),) = rig.placement.rows("SELECT uuid FROM providers WHERE name = 'host-1'")
        database = (await rig.parts("other")).placement.database
        await database.write(trees.create_txn, "cccccccc-0000-4000-8000-000000000001", "rack_NUMA_card", root)
        assert nodes_known(rig) == ["host-1_NUMA0", "host-1_NUMA1", "rack_NUMA_card"]
        await retold(rig, NODES[:1])
        assert nodes_known(rig) == ["host-1_NUMA0", "rack_NUMA_card"]
        await retold(rig, ())
        assert nodes_known(rig) == ["rack_NUMA_card"]
        assert rig.placement.rows("SELECT total FROM inventories WHERE resource_class = 'VCPU'") != []

    play(work)


def test_discovery__a_host_tells_of_no_nodes_while_a_server_lies_in_one__nothing_is_given_twice() -> None:
    async def work(rig: Rig) -> None:
        await cloud(rig, "host-1")
        await rig.boot(1, flavor=pins(2))
        await rig.settled()
        before = rig.placement.rows("SELECT provider_uuid, resource_class, total FROM inventories ORDER BY 1, 2")
        await retold(rig, ())
        after = rig.placement.rows("SELECT provider_uuid, resource_class, total FROM inventories ORDER BY 1, 2")
        assert after == before

    play(work)


def processors(rig: Rig) -> dict[str, list[list[int]]]:
    """The processors that guests have for themselves, by host."""
    found: dict[str, list[list[int]]] = {}
    for host, _, guest in rig.hypervisor.everything():
        found.setdefault(host, []).append(sorted(guest.pins.values()))
    return found


def held(rig: Rig, resource_class: str = "PCPU") -> dict[str, int]:
    """What each consumer holds of a class."""
    statement = (
        "SELECT consumer_uuid, SUM(used) FROM allocations"
        f" WHERE resource_class = '{resource_class}' GROUP BY consumer_uuid"
    )
    return dict(rig.placement.rows(statement))


async def resize(api: Servers, flavor: Flavor, *, may_stay: bool = False) -> None:
    await api.resize(CALLER, REQUEST, server_id(), flavor, may_stay=may_stay)


async def act(rig: Rig, api: Servers, kind: str) -> None:
    await api.act(CALLER, REQUEST, server_id(), kind, {})
    await rig.settled(300.0)


def test_boot__as_many_as_there_are_processors_for__none_has_one_twice_and_the_rest_are_told_why() -> None:
    async def work(rig: Rig) -> None:
        await cloud(rig, "host-1")
        await rig.boot(1, 2, 3, flavor=pins(2))
        await rig.settled(300.0)
        assert sorted(processors(rig)["host-1"]) == [[0, 1], [4, 5]]
        assert sorted(held(rig).values()) == [2, 2]
        (refused,) = (found[1] for number in (1, 2, 3) if (found := rig.of(number)) and found[1].fault)
        assert refused.fault is not None
        assert "group numa0: PCPU: 2 removed 1" in refused.fault.details

    play(work)


def test_boot__over_two_nodes__each_cell_lies_in_one_of_its_own() -> None:
    async def work(rig: Rig) -> None:
        await cloud(rig, "host-1")
        await rig.boot(1, flavor=pins(4, numa_nodes="2"))
        await rig.settled()
        ((_, _, guest),) = rig.hypervisor.everything()
        assert sorted(cell.node or 0 for cell in guest.spec.numa) == [0, 1]
        assert sorted(guest.pins.values()) == [0, 1, 4, 5]

    play(work)


def test_boot__without_any_wish__takes_of_the_nodes_what_no_single_one_has() -> None:
    async def work(rig: Rig) -> None:
        await cloud(rig, "host-1")
        await rig.boot(1, flavor=msgspec.structs.replace(FLAVOR, vcpus=3))
        await rig.settled()
        assert held(rig, "VCPU") == {server_id(): 3}
        assert processors(rig) == {"host-1": [[]]}

    play(work)


def test_migration__confirmed__the_processors_of_the_old_host_are_free_again() -> None:
    async def work(rig: Rig) -> None:
        await cloud(rig, "host-1", "host-2")
        api = await rig.boot(1, flavor=pins(2), requested_host=HostName("host-1"))
        await rig.settled()
        await act(rig, api, "migration")
        assert {host: len(guests[0]) for host, guests in processors(rig).items()} == {"host-1": 2, "host-2": 2}
        assert sorted(held(rig).values()) == [2, 2]
        await act(rig, api, "confirm_resize")
        assert list(processors(rig)) == ["host-2"]
        assert held(rig) == {server_id(): 2}

    play(work)


def test_resize__to_another_host_and_reverted__holds_exactly_what_it_had() -> None:
    async def work(rig: Rig) -> None:
        await cloud(rig, "host-1", "host-2")
        api = await rig.boot(1, flavor=pins(1), requested_host=HostName("host-1"))
        await rig.settled()
        before = rig.placement.rows("SELECT provider_uuid, resource_class, used FROM allocations ORDER BY 1, 2")
        await resize(api, pins(2))
        await rig.settled(300.0)
        found = rig.of()
        assert found is not None
        assert (found[1].host, found[1].vm_state) == ("host-2", VmState.RESIZED)
        await act(rig, api, "revert_resize")
        after = rig.placement.rows("SELECT provider_uuid, resource_class, used FROM allocations ORDER BY 1, 2")
        assert after == before
        assert list(processors(rig)) == ["host-1"]

    play(work)


def test_resize__where_it_is_and_reverted__has_its_own_processors_again() -> None:
    async def work(rig: Rig) -> None:
        await cloud(rig, "host-1")
        api = await rig.boot(1, flavor=pins(1))
        await rig.settled()
        had = processors(rig)
        await resize(api, pins(2), may_stay=True)
        await rig.settled(300.0)
        ((_, _, guest),) = rig.hypervisor.everything()
        assert len(guest.pins) == 2
        await act(rig, api, "revert_resize")
        assert processors(rig) == had
        assert held(rig) == {server_id(): 1}

    play(work)
