"""Whatever comes at whatever moment of a boot: nothing is lost, nothing is done twice, a delete wins."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from kilonova.kernel.errors import Conflict
from kilonova.kernel.ids import CELL0
from kilonova.objects.server import VmState
from kilonova.operations.servers import Servers
from unit.operations.rig import CALLER, CELL1, REQUEST, Interruption, Rig, play, server_id

LEASE_S = 15.0

Happening = Callable[[Rig, Servers], Awaitable[None]]
Judgement = Callable[[Rig, int], None]


async def nothing(rig: Rig, api: Servers) -> None: ...


def at_every_moment(happens: Happening, judge: Judgement, *, of: str) -> int:
    """Boot with `happens` before every call of the worker `of` to its databases; how many moments there are."""
    moments = play(lambda rig: _boot(rig, 0, nothing, booted_once, of))
    for moment in range(1, moments + 1):
        play(lambda rig, moment=moment: _boot(rig, moment, happens, judge, of))
    return moments


async def _boot(rig: Rig, moment: int, happens: Happening, judge: Judgement, of: str) -> int:
    await rig.add_hosts()
    await rig.start_agent()
    api = await rig.boot(1)
    interruption = Interruption(moment, lambda: happens(rig, api))
    interrupted, free = await rig.parts("interrupted", interruption), await rig.parts("free")
    if of == "global":
        rig.start_global(interrupted, "interrupted")
    else:
        rig.start_global(free, "free")
    rig.start_cell(interrupted if of == "cell" else free, "of cell1")
    await rig.settled()
    calls = interruption.passed
    await asyncio.sleep(3 * LEASE_S)
    await rig.start_all("last")
    await rig.settled()
    judge(rig, moment)
    assert interruption.happened == (moment > 0)
    return calls


async def rename(rig: Rig, api: Servers) -> None:
    await api.update(server_id(), lambda server: msgspec.structs.replace(server, name="renamed", tags=("new",)))


async def delete(rig: Rig, api: Servers) -> None:
    await api.delete(CALLER, REQUEST, server_id())


async def take_over(rig: Rig, api: Servers) -> None:
    """The worker is frozen: its lease runs out, and others do everything. No step may time out meanwhile."""
    await asyncio.sleep(LEASE_S + 1)
    await rig.start_all("other")
    await asyncio.sleep(8.0)


async def take_over_and_rename(rig: Rig, api: Servers) -> None:
    await take_over(rig, api)
    await rename(rig, api)


async def take_over_and_delete(rig: Rig, api: Servers) -> None:
    await take_over(rig, api)
    await delete(rig, api)
    await asyncio.sleep(3.0)


async def act_in_placement(rig: Rig, api: Servers) -> None:
    """A worker of long ago wakes up and changes what the server holds, as long as that is nothing."""
    if not rig.held():
        await (await rig.parts("of long ago")).placement.release(server_id())


def booted_once(rig: Rig, moment: int) -> None:
    found = rig.of()
    assert found is not None
    cell, server = found
    assert (cell, server.host, server.status) == (CELL1, "host-1", "ACTIVE"), moment
    assert (server.task_state, server.current_op, server.fault) == (None, None, None), moment
    assert rig.held() == {server_id(): 1}, moment
    assert rig.cells[CELL0].rows("SELECT * FROM servers") == [], moment
    assert rig.api.rows("SELECT * FROM servers") == [], moment
    assert rig.api.rows("SELECT cell_id, deleted_at FROM server_map") == [(CELL1, None)], moment
    assert rig.api.rows("SELECT count(*) FROM quota_ledger") == [(1,)], moment
    assert [nic.port_id for nic in server.nics] == list(rig.ports.ports), moment
    assert [(host, id_) for host, id_, _ in rig.hypervisor.everything()] == [("host-1", server_id())], moment


def renamed(rig: Rig, moment: int) -> None:
    booted_once(rig, moment)
    found = rig.of()
    assert found is not None
    assert (found[1].name, found[1].tags) == ("renamed", ("new",)), moment
    assert rig.cell1.rows("SELECT tag FROM server_tags") == [("new",)], moment


def gone(rig: Rig, moment: int) -> None:
    found = rig.of()
    assert found is not None
    assert found[1].vm_state is VmState.DELETED, moment
    assert rig.held() == {}, moment
    assert rig.ports.ports == {}, moment
    assert list(rig.hypervisor.everything()) == [], moment
    assert rig.api.rows("SELECT count(*) FROM quota_ledger") == [(0,)], moment
    assert rig.api.rows("SELECT count(*) FROM server_map WHERE deleted_at IS NULL") == [(0,)], moment
    assert rig.api.rows("SELECT * FROM servers") == [], moment


@pytest.mark.parametrize("of", ["global", "cell"])
@pytest.mark.parametrize(
    ("happens", "judge"),
    [
        pytest.param(rename, renamed, id="update"),
        pytest.param(take_over, booted_once, id="take over"),
        pytest.param(take_over_and_rename, renamed, id="take over and update"),
        pytest.param(act_in_placement, booted_once, id="another acts in placement"),
        pytest.param(delete, gone, id="delete"),
        pytest.param(take_over_and_delete, gone, id="take over and delete"),
    ],
)
def test_at_every_moment_of_a_boot__nothing_is_lost_or_done_twice(
    happens: Happening, judge: Judgement, of: str
) -> None:
    assert at_every_moment(happens, judge, of=of) > 4


def test_action_at_every_moment_of_a_boot__refused_until_the_server_is_there() -> None:
    answers: list[str] = []

    async def act(rig: Rig, api: Servers) -> None:
        try:
            await api.act(CALLER, REQUEST, server_id(), "reboot", {})
        except Conflict as refusal:
            answers.append(refusal.code)
        else:
            answers.append("yes")

    assert at_every_moment(act, booted_once, of="global") == len(answers)
    assert set(answers[:10]) == {"wrong-state"}
    assert answers == sorted(answers), "refused first, then accepted"
