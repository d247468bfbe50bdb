"""Servers are found wherever they are, also where they were not the last time."""

import pytest

from kilonova.cells.server_map import mapping_set_cell_txn
from kilonova.kernel.errors import NotFound, Unavailable
from kilonova.kernel.ids import CELL0
from kilonova.operations import store
from unit.operations.rig import CALLER, CELL1, REQUEST, Rig, play, server_id


async def booted(rig: Rig):
    """The API, which has just shown a server of the first cell."""
    await rig.add_hosts()
    await rig.start_agent()
    await rig.start_all()
    api = await rig.boot()
    await rig.settled()
    await api.get(server_id())
    return api


def test_get__the_server_has_moved_to_another_cell__found_there() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        server = await api.get(server_id())
        rig.cell1.write(lambda tx: store.server_forget_txn(tx, server.id))
        rig.cells[CELL0].write(lambda tx: store.server_insert_txn(tx, server))
        rig.api.write(lambda tx: mapping_set_cell_txn(tx, server.id, CELL0))
        assert await api.get(server_id()) == server

    play(work)


def test_get__deleted_meanwhile_by_another_process__not_found() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        await (await rig.servers()).delete(CALLER, REQUEST, server_id())
        await rig.settled()
        with pytest.raises(NotFound):
            await api.get(server_id())

    play(work)


def test_get__its_cell_does_not_answer__unavailable_until_it_does() -> None:
    async def work(rig: Rig) -> None:
        api = await booted(rig)
        rig.cells[CELL1].down_until = 1e12
        with pytest.raises(Unavailable):
            await api.get(server_id())
        rig.cells[CELL1].down_until = 0.0
        assert (await api.get(server_id())).id == server_id()

    play(work)
