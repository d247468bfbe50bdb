"""The auditor: finds what nobody owns, leaves alone what somebody owns, and removes only what stays without an owner."""

import asyncio
from typing import Any

import msgspec
import pytest

from kilonova.database.database import Transaction
from kilonova.engine import store as operation_store
from kilonova.kernel.errors import Unavailable
from kilonova.kernel.ids import HostName, OperationId, ProjectId
from kilonova.objects.guest import Guest, PowerState
from kilonova.objects.operation import OperationState
from kilonova.objects.port import PortRequest
from kilonova.objects.server import NicRequest
from kilonova.operations import sightings, store
from kilonova.operations.auditor import Auditor, AuditPace
from kilonova.operations.findings import Finding, findings_txn
from kilonova.operations.work import Parts
from kilonova.placement.shapes import Claim
from kilonova.simulation.doubles.networks import NETWORK
from unit.operations.rig import CALLER, HOST, REQUEST, Rig, play, server_id

STRANGER = "99999999-0000-4000-8000-000000000001"
PACE = AuditPace(every_s=60.0, remove_after_s=600.0)


class Audited:
    """A cloud with one ACTIVE server that has a port, and an auditor that nobody has started."""

    def __init__(self, rig: Rig, parts: Parts) -> None:
        self.rig = rig
        self.parts = parts
        self.auditor = Auditor(parts, PACE)

    async def look(self) -> list[tuple[str, str]]:
        return [(found.orphan.kind, found.orphan.id) for found in await self.auditor.look()]

    def findings(self) -> list[Finding]:
        return self.rig.api.read(findings_txn)

    async def hold(self, consumer: str) -> None:
        (host,) = await self.parts.hosts.all()
        held = {host.uuid: {"VCPU": 1}}
        await self.parts.placement.claim(
            Claim(consumer=consumer, generation=None, allocations=held, project_id="p", user_id="u")
        )

    def port(self, number: int = 1, description: str | None = None) -> str:
        mark = f"kilonova:{server_id(number)}:9:0" if description is None else description
        request = PortRequest(
            project_id=ProjectId("project"),
            network_id=NETWORK.id,
            server_id=server_id(number),
            host=HOST,
            zone="nova",
            fixed_ip=None,
            security_group_ids=(),
            description=mark,
        )
        return self.rig.ports.make(request).id

    async def delete(self) -> None:
        await (await self.rig.servers()).delete(CALLER, REQUEST, server_id())
        await self.rig.settled()
        await asyncio.sleep(10.0)


def audited(work: Any) -> None:
    async def main(rig: Rig) -> None:
        await rig.add_hosts()
        await rig.start_agent()
        await rig.start_all()
        await rig.boot(networks_requested=(NicRequest(network_id=NETWORK.id),))
        await rig.settled()
        await work(Audited(rig, await rig.parts("auditor")))

    play(main)


def test_look__all_have_owners__nothing_is_found() -> None:
    async def work(cloud: Audited) -> None:
        assert cloud.rig.held()
        assert cloud.rig.ports.ports
        assert await cloud.look() == []
        await cloud.delete()
        assert await cloud.look() == []

    audited(work)


def test_look__strangers__left_alone() -> None:
    async def work(cloud: Audited) -> None:
        await cloud.hold(STRANGER)
        cloud.port(7, "somebody's own")
        cloud.port(7, "kilonova: is what I like")
        assert await cloud.look() == []

    audited(work)


def test_orphans_of_a_deleted_server__found_at_once_and_removed_after_the_longest_deadline() -> None:
    async def work(cloud: Audited) -> None:
        await cloud.delete()
        generation = await cloud.parts.placement.consumer_generation(server_id())
        (host,) = await cloud.parts.hosts.all()
        claim = Claim(
            consumer=server_id(),
            generation=generation,
            allocations={host.uuid: {"VCPU": 1}},
            project_id="p",
            user_id="u",
        )
        await cloud.parts.placement.claim(claim)
        port = cloud.port()
        assert await cloud.look() == [("consumer", server_id()), ("port", port)]
        await asyncio.sleep(300.0)
        await cloud.look()
        assert (len(cloud.rig.held()), len(cloud.rig.ports.ports)) == (1, 1)
        await asyncio.sleep(301.0)
        await cloud.look()
        assert (cloud.rig.held(), cloud.rig.ports.ports) == ({}, {})
        assert await cloud.look() == []
        assert [found.removed_at is not None for found in cloud.findings()] == [True, True]

    audited(work)


def test_port_of_another_attempt__server_lives_and_does_not_show_it__only_that_one_is_removed() -> None:
    async def work(cloud: Audited) -> None:
        (own,) = cloud.rig.ports.ports
        port = cloud.port()
        assert await cloud.look() == [("port", port)]
        await asyncio.sleep(601.0)
        await cloud.look()
        assert list(cloud.rig.ports.ports) == [own]

    audited(work)


def test_port__server_is_being_worked_on__not_found() -> None:
    async def work(cloud: Audited) -> None:
        cloud.port()
        operation = _operation(cloud, "plan")
        cloud.rig.cell1.write(lambda tx: operation_store.operation_insert_txn(tx, operation))
        assert await cloud.look() == []

    audited(work)


def test_consumer_of_an_operation__owned_while_it_is_live_or_the_server_moves() -> None:
    async def work(cloud: Audited) -> None:
        await cloud.hold("live")
        operation = _operation(cloud, "live")
        cloud.rig.cell1.write(lambda tx: operation_store.operation_insert_txn(tx, operation))
        assert await cloud.look() == []
        ended = msgspec.structs.replace(operation, state=OperationState.DONE)
        cloud.rig.cell1.write(lambda tx: operation_store.operation_save_txn(tx, operation, ended))
        assert await cloud.look() == [("consumer", "live")]
        cloud.rig.cell1.write(_moving_txn)
        assert await cloud.look() == []
        assert cloud.findings() == [], "it has an owner after all"

    audited(work)


def test_cell_that_does_not_answer__may_hold_the_owner__nothing_is_found() -> None:
    async def work(cloud: Audited) -> None:
        cloud.port()
        cloud.rig.cell1.down_until = 1e12
        with pytest.raises(Unavailable):
            await cloud.look()
        assert cloud.findings() == []

    audited(work)


def test_run__looks_again_and_again_and_outlives_trouble() -> None:
    async def work(cloud: Audited) -> None:
        cloud.parts.runtime.spawn(cloud.auditor.run(), name="auditor")
        cloud.rig.cell1.down_until = cloud.rig.loop.time() + 90.0
        port = cloud.port()
        await asyncio.sleep(130.0)
        assert [found.orphan.id for found in cloud.findings()] == [port]
        await asyncio.sleep(700.0)
        assert port not in cloud.rig.ports.ports

    audited(work)


def test_guest_that_no_record_knows__is_a_finding_until_it_is_gone_and_never_taken_away_from_here() -> None:
    async def work(cloud: Audited) -> None:
        elsewhere = HostName("host-of-another-agent")
        stranger = Guest(server_id=server_id(7), host=elsewhere, generation=1, power_state=PowerState.RUNNING)
        cloud.rig.cell1.write(lambda tx: sightings.unknown_add_txn(tx, stranger))
        assert await cloud.look() == [("guest", server_id(7))]
        await asyncio.sleep(PACE.remove_after_s + 1.0)
        assert await cloud.look() == [("guest", server_id(7))]
        assert [found.removed_at for found in cloud.findings()] == [None]
        cloud.rig.cell1.write(lambda tx: sightings.unknown_forget_txn(tx, elsewhere, server_id(7)))
        assert await cloud.look() == []

    audited(work)


def _operation(cloud: Audited, name: str) -> Any:
    (boot,) = cloud.rig.cell1.read(lambda tx: operation_store.operations_of_server_txn(tx, server_id()))
    return msgspec.structs.replace(boot, id=OperationId(name), state=OperationState.RUNNING, not_before=1e12)


def _moving_txn(tx: Transaction) -> None:
    """The server as one that is being moved, by the operation called `live`, shows it."""
    server = store.server_get_txn(tx, server_id())
    body = {**msgspec.to_builtins(server), "move": {"operation_id": "live"}}
    changed = store.servers.update().where(store.servers.c.id == server_id())
    tx.execute(changed.values(body=msgspec.json.encode(body)))
