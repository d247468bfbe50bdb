"""C: power, reboot, pause, snapshot, shelve and rebuild, interrupted."""

from kilonova.objects.guest import PowerState
from kilonova.objects.server import VmState
from kilonova.simulation.cases.case import Case
from kilonova.simulation.cases.stage import Stage
from kilonova.simulation.history import Promise


async def _c4(stage: Stage) -> None:
    """A hard reboot cuts the power itself; a soft one waits for the guest to go down, which it does here."""
    server = await stage.made()
    agent, kind = stage.agent_of(server.server_id), stage.pick(("reboot", "reboot_hard"))
    await stage.ask(server, kind)
    await stage.until_log(server, "reboot", kind=kind)
    if kind == "reboot":
        stage.breaking.crash_guest(server.server_id)
    await stage.until(lambda: not _runs(stage, server), "the guest is off", within_s=10.0)
    stage.met()
    stage.breaking.kill(agent, down_s=stage.chance.random() * 30.0)
    await stage.settled()
    stage.expect(_runs(stage, server), "the guest doesn't run again")
    await stage.until_state(server, VmState.ACTIVE)


def _runs(stage: Stage, server: Promise) -> bool:
    return list(stage.truths.guests(server.server_id).values()) == [PowerState.RUNNING]


CASES = (
    Case(
        id="C4",
        title="an agent starts again in the middle of a reboot",
        bugs=(),
        given="a soft reboot, at the moment when the guest is off",
        when="the agent of its host starts again",
        then="the guest comes back up",
        play=_c4,
    ),
)
