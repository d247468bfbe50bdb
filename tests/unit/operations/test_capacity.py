"""Capacity: hosts and placement put side by side."""

import asyncio
from typing import Any

from kilonova.operations.capacity import HOTTEST, NOWHERE, Capacity, Place, utilisation
from kilonova.operations.work import Parts
from kilonova.placement.books import Given
from kilonova.placement.shapes import Claim, Inventory, ProviderSpec
from unit.operations.rig import CALLER, REQUEST, Rig, play, server_id


def given(provider: str, name: str, capacity: int, used: int, root: str | None = None) -> Given:
    return Given(provider=provider, root=root or provider, resource_class=name, capacity=capacity, used=used)


def place(number: int, zone: str = "nova") -> Place:
    return Place(host=f"host-{number:02}", cell="cell1", zone=zone)


def with_a_server(work: Any) -> None:
    async def main(rig: Rig) -> None:
        await rig.add_hosts()
        await rig.start_agent()
        await rig.start_all()
        await rig.boot()
        await rig.settled()
        await work(rig, await rig.parts("operator"))

    play(main)


def test_utilisation__by_class_zone_and_cell() -> None:
    inventories = [given("a", "VCPU", 10, 5), given("b", "VCPU", 30, 3), given("c", "DISK_GB", 100, 0)]
    found = utilisation(inventories, {"a": place(1, "east"), "b": place(2, "west")}, ())
    assert [(one.resource_class, one.used, one.capacity, one.percent) for one in found.classes] == [
        ("VCPU", 8, 40, 20.0),
        ("DISK_GB", 0, 100, 0.0),
    ]
    assert [(one.name, one.resource_class, one.percent) for one in found.zones] == [
        (NOWHERE, "DISK_GB", 0.0),
        ("east", "VCPU", 50.0),
        ("west", "VCPU", 10.0),
    ]
    assert [one.name for one in found.cells] == [NOWHERE, "cell1"]


def test_utilisation__children_count_for_their_hosts_zone_and_not_for_its_heat() -> None:
    inventories = [given("a", "VCPU", 10, 1), given("card", "PCI_DEVICE", 1, 1, root="a")]
    found = utilisation(inventories, {"a": place(1)}, ())
    assert {(one.name, one.resource_class) for one in found.zones} == {("nova", "VCPU"), ("nova", "PCI_DEVICE")}
    assert [(one.host, one.resource_class, one.percent) for one in found.hottest] == [("host-01", "VCPU", 10.0)]


def test_utilisation__cpus_of_numa_nodes__are_their_hosts() -> None:
    nodes = [given("n0", "VCPU", 4, 4, root="a"), given("n1", "VCPU", 4, 0, root="a")]
    found = utilisation(nodes, {"a": place(1)}, ())
    assert [(one.host, one.resource_class, one.percent) for one in found.hottest] == [("host-01", "VCPU", 50.0)]


def test_utilisation__hottest__by_their_fullest_class_and_only_so_many() -> None:
    inventories = [given(f"p{n}", "VCPU", 100, n) for n in range(30)]
    inventories.append(given("p3", "DISK_GB", 10, 9))
    found = utilisation(inventories, {f"p{n}": place(n) for n in range(30)}, ())
    assert len(found.hottest) == HOTTEST
    assert (found.hottest[0].host, found.hottest[0].resource_class, found.hottest[0].percent) == (
        "host-03",
        "DISK_GB",
        90.0,
    )
    assert [one.used for one in found.hottest[1:]] == sorted(range(21, 30), reverse=True)


def test_utilisation__no_capacity__is_no_heat() -> None:
    assert utilisation([given("a", "VCPU", 0, 0)], {"a": place(1)}, ()).hottest == []


def test_status__a_server_runs__shows_in_its_zone_cell_and_host() -> None:
    async def work(_rig: Rig, parts: Parts) -> None:
        (host, *_) = await parts.hosts.all()
        found = await Capacity(parts).utilisation()
        assert {one.name for one in found.zones} == {"nova"}
        assert {one.name for one in found.cells} == {cell.record.name for cell in parts.cells.with_hosts}
        assert sum(one.used for one in found.classes if one.resource_class == "VCPU") > 0
        assert [one.host for one in found.hottest] == [host.name]

    with_a_server(work)


def test_audit__all_is_well__then_an_orphan_and_a_strange_provider() -> None:
    async def work(rig: Rig, parts: Parts) -> None:
        capacity = Capacity(parts)
        before = await capacity.audit()
        assert before.in_order
        assert (before.providers_without_host, before.beyond_capacity) == ([], [])

        await parts.placement.providers_ensure(
            [ProviderSpec(uuid=server_id(9), name="shared-disk", inventories={"DISK_GB": Inventory(total=10)})]
        )
        after = await capacity.audit()
        assert [one.name for one in after.providers_without_host] == ["shared-disk"]
        assert after.in_order, "operators may make providers"

        await (await rig.servers()).delete(CALLER, REQUEST, server_id())
        await rig.settled()
        await asyncio.sleep(10.0)
        generation = await parts.placement.consumer_generation(server_id())
        held = {server_id(9): {"DISK_GB": 1}}
        claim = Claim(consumer=server_id(), generation=generation, allocations=held, project_id="p", user_id="u")
        await parts.placement.claim(claim)
        found = await capacity.audit()
        assert [one.id for one in found.consumers_without_owner] == [server_id()]
        assert not found.in_order

    with_a_server(work)


def test_tree__of_a_host__by_its_name() -> None:
    async def work(_rig: Rig, parts: Parts) -> None:
        (host, *_) = await parts.hosts.all()
        (root,) = await Capacity(parts).tree(host.name)
        assert root.provider.uuid == host.uuid
        assert [holding.consumer for holding in root.holdings] == [server_id()]

    with_a_server(work)
