"""Calls between processes: carried out or not, answered or not."""

import asyncio
from typing import Protocol

import msgspec
import pytest

from kilonova.kernel.errors import Conflict, Unavailable
from kilonova.simulation.faults import QUIET, Faults, Rates
from kilonova.simulation.loop import SimLoop, simulate
from kilonova.simulation.network import Network
from kilonova.simulation.process import CURRENT, Process


class Greeter(Protocol):
    async def greet(self, name: str) -> str: ...


class _Greeter:
    def __init__(self) -> None:
        self.calls = 0

    async def greet(self, name: str) -> str:
        self.calls += 1
        if name == "nobody":
            raise Conflict(reason="nobody is there")
        await asyncio.sleep(1.0 if name != "for ever" else 1e6)
        here = CURRENT.get()
        assert here is not None
        return f"{here.name} greets {name}"


class _Pair:
    def __init__(self, loop: SimLoop, rates: Rates = QUIET) -> None:
        self.server = loop.process("server")
        self.greeter = _Greeter()
        self.network = Network(loop, Faults(rates))
        self.found: tuple[Process, Greeter] | None = (self.server, self.greeter)
        self.remote = self.network.remote(Greeter, loop.process("client"), lambda: self.found)


def test_call__runs_in_the_server_process():
    async def main(loop: SimLoop) -> str:
        return await _Pair(loop).remote.greet("you")

    assert simulate(main, 1)[0] == "server greets you"


def test_server_raises__the_caller_gets_it():
    async def main(loop: SimLoop) -> None:
        with pytest.raises(Conflict, match="nobody is there"):
            await _Pair(loop).remote.greet("nobody")

    simulate(main, 1)


def test_server_dies_during_the_call__connection_reset():
    async def main(loop: SimLoop) -> None:
        pair = _Pair(loop)
        loop.call_later(0.5, pair.server.kill)
        with pytest.raises(Unavailable, match="reset"):
            await pair.remote.greet("you")

    simulate(main, 1)


def test_nobody_serves__refused():
    async def main(loop: SimLoop) -> None:
        pair = _Pair(loop)
        pair.found = None
        with pytest.raises(Unavailable, match="refused"):
            await pair.remote.greet("you")

    simulate(main, 1)


def test_answer_lost__was_carried_out():
    async def main(loop: SimLoop) -> int:
        pair = _Pair(loop, msgspec.structs.replace(QUIET, call_answer_lost=1.0))
        with pytest.raises(Unavailable, match="lost"):
            await pair.remote.greet("you")
        return pair.greeter.calls

    assert simulate(main, 1)[0] == 1


def test_no_answer__unavailable_in_the_end():
    async def main(loop: SimLoop) -> float:
        with pytest.raises(Unavailable, match="no answer in time"):
            await _Pair(loop).remote.greet("for ever")
        return loop.time()

    assert 60.0 <= simulate(main, 1)[0] < 61.0


def test_cut_off__no_call_arrives():
    async def main(loop: SimLoop) -> int:
        pair = _Pair(loop)
        pair.network.cut_off.add("client")
        with pytest.raises(Unavailable):
            await pair.remote.greet("you")
        return pair.greeter.calls

    assert simulate(main, 1)[0] == 0
