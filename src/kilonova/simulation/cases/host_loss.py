"""F: hosts that are lost and come back, and the servers that were evacuated meanwhile."""

from kilonova.objects.server import VmState
from kilonova.simulation.cases.case import Case
from kilonova.simulation.cases.stage import Stage
from kilonova.simulation.history import Promise
from kilonova.simulation.world import Shape

KIND = "evacuate"
FOREVER_S = 1000.0
TWO_CELLS = Shape(cells=2, global_conductors=1, cell_conductors=1, agents=2)


async def _in_the_dark(stage: Stage) -> tuple[Promise, str]:
    """A server whose host has lost its power and counts as down, and the host's agent."""
    server = await stage.made()
    agent = stage.agent_of(server.server_id)
    stage.breaking.dark(agent, for_s=FOREVER_S)
    await stage.until_down()
    return server, agent


async def _f1(stage: Stage) -> None:
    """That a guest runs in two places is seen by the hypervisors themselves."""
    server, agent = await _in_the_dark(stage)
    source = stage.host_of(server)
    await stage.ask(server, KIND)
    await stage.until_log(server, *stage.pick((("claim", "done"), ("ports", "done"), ("spawn", "started"))), kind=KIND)
    await stage.sometime(0.3)
    if stage.host_of(server) == source:
        stage.met()
    stage.breaking.lit(agent)
    await stage.until_quiet()
    await stage.until_state(server, VmState.ACTIVE)
    stage.expect(stage.host_of(server) != source, "the server was not evacuated")
    stage.expect_at_home(server)
    stage.expect(source not in stage.truths.guests(server.server_id), "the old guest is left")


async def _f2(stage: Stage) -> None:
    """Auditors look every ten seconds here."""
    server = await stage.made()
    await stage.acted(server, "attach_volume")
    await stage.acted(server, "attach_interface")
    ports = {port.id for port in stage.truths.ports(server.server_id)}
    volumes = {one.volume_id for one in stage.truths.attachments(server.server_id)}
    stage.breaking.dark(stage.agent_of(server.server_id), for_s=FOREVER_S)
    await stage.until_down()

    def look() -> None:
        left = {port.id for port in stage.truths.ports(server.server_id)}
        stage.expect(ports <= left, "a port was taken from a server that is evacuated")
        left = {one.volume_id for one in stage.truths.attachments(server.server_id)}
        stage.expect(volumes <= left, "a volume was taken from a server that is evacuated")

    stage.at_every_commit(look)
    stage.world.durable.hypervisor.half_max_s = (30.0, 30.0)
    await stage.ask(server, KIND)
    await stage.until_log(server, "spawn", kind=KIND)
    claimed = set(stage.truths.held(server.server_id))
    stage.met()
    await stage.until_quiet()
    await stage.until_state(server, VmState.ACTIVE)
    stage.expect(set(stage.truths.held(server.server_id)) == claimed, "what was claimed is not held any more")
    stage.expect_at_home(server)


async def _f3(stage: Stage) -> None:
    server, _ = await _in_the_dark(stage)
    source = stage.host_of(server)
    cell = source.partition("-")[0]
    neighbours = [host for host in stage.hosts if host.startswith(f"{cell}-") and host != source]
    full = stage.chance.random() < 0.5
    if full:
        for host in neighbours:
            stage.operate(host, enabled=False)
    stage.met()
    await stage.ask(server, KIND)
    await stage.until_quiet()
    await stage.until_state(server, VmState.ERROR if full else VmState.ACTIVE)
    if full:
        shown = stage.truths.server(server.server_id)
        stage.expect(shown is not None and shown.fault is not None, "nobody says why the server was not evacuated")
        stage.expect(stage.host_of(server) == source, "the server is said to be elsewhere")
    else:
        stage.expect(stage.host_of(server) in neighbours, f"the server of {cell} is on {stage.host_of(server)}")
        stage.expect_at_home(server)


async def _f4(stage: Stage) -> None:
    """The machine may be switched on again all the same: what it then runs is not its own any more."""
    server, agent = await _in_the_dark(stage)
    source = stage.host_of(server)
    await stage.ask(server, KIND)
    await stage.until_quiet()
    await stage.until_state(server, VmState.ACTIVE)
    stage.met()
    await stage.remove(source)
    stage.expect(stage.truths.provider(source) is None, "the host that was deleted has a provider")
    stage.expect_at_home(server)
    if stage.chance.random() < 0.5:
        stage.breaking.lit(agent)
        await stage.until(lambda: source not in stage.truths.guests(server.server_id), "the old guest is gone")
        stage.expect_at_home(server)


async def _f5(stage: Stage) -> None:
    """Its record still shows the port: what is wrong with one server is no reason to stop for the agent."""
    host = stage.pick(stage.hosts)
    healthy, broken = [await stage.made(requested_host=host) for _ in range(2)]
    port = stage.truths.ports(broken.server_id)[0]
    stage.world.durable.networks.remove(port.id)
    agent = stage.agent_at(host)
    stage.breaking.dark(agent, for_s=stage.chance.random() * 120.0)
    stage.met()
    await stage.settled()
    for server in (healthy, broken):
        await stage.acted(server, "reboot_hard")
    await stage.until_quiet()
    stage.expect(stage.world.roles[agent].process.alive, "the agent doesn't run")
    await stage.until_state(healthy, VmState.ACTIVE)
    stage.expect_at_home(healthy)
    await stage.until_state(broken, VmState.ACTIVE)
    await stage.ask(broken, "detach_interface", port_id=port.id)
    await stage.until_quiet()


CASES = (
    Case(
        id="F1",
        title="a dead host returns too early",
        bugs=(1764883, 1709902),
        given="an evacuation under way",
        when="the host that the server is evacuated from has its power back",
        then="one guest runs, on the destination, and the old one is destroyed",
        play=_f1,
    ),
    Case(
        id="F2",
        title="audits while a server is evacuated",
        bugs=(1896463,),
        given="an evacuation of a server with volumes and ports, nearly finished",
        when="auditors look",
        then="the server keeps what it was given and what was claimed for it",
        play=_f2,
    ),
    Case(
        id="F3",
        title="an evacuation where there is another cell",
        bugs=(1823370,),
        given="two cells, and a host down in one",
        when="a server is evacuated, and its cell has room or has none",
        then="it stays in its cell, or is refused with a reason",
        play=_f3,
        shape=TWO_CELLS,
    ),
    Case(
        id="F4",
        title="the host that servers were evacuated from is deleted",
        bugs=(),
        given="a server that was evacuated",
        when="the operator deletes the service of the host that was lost, which may come back",
        then="it is deleted at once, with its provider, and the server is not touched",
        play=_f4,
    ),
    Case(
        id="F5",
        title="a host restarts with one broken server",
        bugs=(1784579, 1809136, 1981813),
        given="two servers on a host, and the port of one was deleted behind everyone's back",
        when="the host restarts and both are rebooted",
        then="the agent starts and the other server runs; the broken one takes orders, and lets go of the port",
        play=_f5,
    ),
)
