"""E: live migration, interrupted and refused."""

from kilonova.objects.flavor import Flavor
from kilonova.objects.migration import MigrationQuery
from kilonova.objects.server import VmState
from kilonova.simulation.cases.case import SMALL, Case
from kilonova.simulation.cases.stage import Stage
from kilonova.simulation.world import Shape

KIND = "live_migration"
THREE = Shape(global_conductors=1, cell_conductors=1, agents=3)


async def _e1(stage: Stage) -> None:
    """The hypervisor goes on with a migration, or gives it up, whoever watches."""
    server = await stage.made()
    await stage.ask(server, KIND)
    await stage.until_log(server, "migrate")
    await stage.sometime(40.0)
    if stage.breaking.migrates(server.server_id):
        stage.met()
    stage.breaking.kill(stage.agent_of(server.server_id), down_s=stage.chance.random() * 60.0)
    await stage.settled()
    await stage.until_state(server, VmState.ACTIVE)
    stage.expect_at_home(server)


async def _e2(stage: Stage) -> None:
    server = await stage.made()
    source = stage.host_of(server)
    at_once = stage.chance.random() < 0.3
    if at_once:
        stage.breaking.refuse("guest_migrate", source, times=9)
    await stage.ask(server, KIND)
    if not at_once:
        await stage.until(lambda: stage.breaking.migrates(server.server_id), "the guest is on its way")
        await stage.sometime(4.0)
        stage.breaking.break_migration(server.server_id)
    await stage.until_log(server, "migrate", "failed")
    stage.met()
    await stage.until_quiet()
    await stage.until_state(server, VmState.ACTIVE)
    stage.expect(stage.host_of(server) == source, "the server is not where it was")
    stage.expect_at_home(server)
    (migration,) = await stage.servers.migrations(MigrationQuery())
    stage.expect(migration.status in {"error", "failed"}, f"the migration is {migration.status}")


async def _e3(stage: Stage) -> None:
    server = await stage.made()
    await stage.ask(server, KIND)
    stage.breaking.kill("api", down_s=stage.pick((1.0, 30.0)))
    stage.met()
    await stage.settled()
    await stage.until_state(server, VmState.ACTIVE)
    stage.expect_at_home(server)


async def _e4(stage: Stage) -> None:
    """What the server has where it runs must be there at every moment, not only in the end."""
    server = await stage.made()
    await stage.acted(server, "attach_volume")
    source = stage.host_of(server)
    attached = {one.id for one in stage.truths.attachments(server.server_id)}

    def look() -> None:
        bound = {port.host for port in stage.truths.ports(server.server_id)}
        stage.expect(bound == {source}, f"a port is bound to {bound} while the guest is on {source}")
        left = {one.id for one in stage.truths.attachments(server.server_id)}
        stage.expect(attached <= left, "an attachment of the guest that runs has gone")

    stage.at_every_commit(look)
    others = [host for host in stage.hosts if host != source]
    stage.breaking.refuse("guest_incoming", *others, times=9, halfway=stage.pick((True, False)))
    await stage.ask(server, KIND)
    await stage.until_log(server, "incoming", "failed")
    stage.met()
    await stage.until_quiet()
    await stage.until_state(server, VmState.ACTIVE)
    stage.expect_at_home(server)
    now = {one.id for one in stage.truths.attachments(server.server_id)}
    stage.expect(now == attached, "attachments of a destination are left")


async def _e5(stage: Stage) -> None:
    """Other hosts have room, and are not what was asked for."""
    server = await stage.made()
    source = stage.host_of(server)
    full = stage.pick([host for host in stage.hosts if host != source])
    await stage.made(Flavor(id="all", name="all", vcpus=SMALL.size.vcpus, memory_mb=64, disk_gb=1), requested_host=full)

    def look() -> None:
        stage.expect(full not in stage.truths.held(server.server_id), "a full host is claimed")

    stage.at_every_commit(look)
    await stage.ask(server, KIND, to=full)
    stage.met()
    await stage.until_quiet()
    await stage.until_state(server, VmState.ACTIVE)
    stage.expect(stage.host_of(server) == source, "the server is not where it was")
    stage.expect_at_home(server)


CASES = (
    Case(
        id="E1",
        title="the agent of the source starts again",
        bugs=(1339823, 1753676),
        given="a live migration under way",
        when="the agent of the host that the guest leaves is killed and starts again",
        then="the migration comes to its end or is given up, and the server runs on exactly one host",
        play=_e1,
    ),
    Case(
        id="E2",
        title="a migration breaks off",
        bugs=(1662626, 1470420),
        given="a live migration under way",
        when="the hypervisor fails to move the guest",
        then="the migration's status says so, and the server runs where it was with no task",
        play=_e2,
    ),
    Case(
        id="E3",
        title="the API dies once it has accepted",
        bugs=(1276214,),
        given="a live migration that was accepted a moment ago",
        when="the API process dies",
        then="the migration is carried out; the server is never MIGRATING for ever",
        play=_e3,
    ),
    Case(
        id="E4",
        title="no destination can be made ready",
        bugs=(1889108, 1899835, 1944619),
        given="a server with a port and a volume that is migrated live",
        when="no other host can prepare for the guest",
        then="its ports and attachments on the source are there at every moment",
        play=_e4,
        shape=THREE,
    ),
    Case(
        id="E5",
        title="a full host is asked for by name",
        bugs=(1712008,),
        given="a host without room, and another with room",
        when="a live migration to the full one is asked for",
        then="it fails, the server stays, and at no moment anything is claimed on that host",
        play=_e5,
        shape=THREE,
    ),
)
