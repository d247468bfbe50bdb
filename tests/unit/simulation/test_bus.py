"""The simulated bus: hints between processes, some lost, late or twice."""

import asyncio

import msgspec

from kilonova.simulation.bus import Broker, SimBus
from kilonova.simulation.faults import QUIET, Faults, Rates
from kilonova.simulation.loop import SimLoop, simulate
from kilonova.simulation.sometimes import Sometimes


def _heard(rates: Rates, *, silent: bool = False, hints: int = 20) -> tuple[int, Sometimes]:
    async def main(loop: SimLoop) -> tuple[int, Sometimes]:
        sometimes = Sometimes()
        broker = Broker(loop, Faults(rates), sometimes, silent=silent)
        listener = SimBus(broker, loop.process("listener")).listen("topic")
        speaker = SimBus(broker, loop.process("speaker"))
        heard = 0
        for _ in range(hints):
            speaker.hint("topic")
            heard += await listener.wait(1.0)
        return heard, sometimes

    return simulate(main, 4)[0]


def test_quiet__every_hint_arrives():
    assert _heard(QUIET)[0] == 20


def test_drop__some_hints_are_lost():
    assert 0 < _heard(msgspec.structs.replace(QUIET, bus_drop=0.5))[0] < 20


def test_silent__no_hint_arrives():
    assert _heard(QUIET, silent=True)[0] == 0


def test_repeat__is_counted_and_remembered_as_one_or_two():
    heard, sometimes = _heard(msgspec.structs.replace(QUIET, bus_repeat=1.0))
    assert heard == 20
    assert sometimes.counts["hint_repeated"] == 20


def test_dead_listener__is_forgotten():
    async def main(loop: SimLoop) -> bool:
        broker = Broker(loop, Faults(QUIET), Sometimes())
        process = loop.process("listener")
        listener = SimBus(broker, process).listen("topic")
        process.kill()
        broker.publish("topic")
        await asyncio.sleep(1.0)
        return await listener.wait(1.0)

    assert simulate(main, 1)[0] is False


def test_closed_listener__hears_nothing():
    async def main(loop: SimLoop) -> bool:
        bus = SimBus(Broker(loop, Faults(QUIET), Sometimes()), loop.process("listener"))
        listener = bus.listen("topic")
        listener.close()
        bus.hint("topic")
        return await listener.wait(1.0)

    assert simulate(main, 1)[0] is False
