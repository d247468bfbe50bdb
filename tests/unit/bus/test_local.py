"""The bus of a single process."""

import asyncio

import pytest

from kilonova.bus.local import LocalBus

HEARD_S = 0.01


@pytest.mark.parametrize(("silent", "heard"), [(False, True), (True, False)])
def test_hint__somebody_listens__is_heard_unless_the_bus_is_silent(*, silent: bool, heard: bool) -> None:
    async def scenario() -> None:
        bus = LocalBus(silent=silent)
        listener = bus.listen("topic")
        bus.hint("topic")
        assert await listener.wait(HEARD_S) is heard
        listener.close()

    asyncio.run(scenario())
