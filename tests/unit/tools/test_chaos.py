"""Chaos: plans are what their seed says, lines are cut, and the judge sees what is wrong."""

import asyncio
import itertools
from typing import Any

import pytest

from tools.chaos.actions import ACTIONS, ATTACH, DETACH, SUITS, Furnished
from tools.chaos.guests import GuestThere
from tools.chaos.judge import AT_REST, Wrong, judged
from tools.chaos.plan import ONLY_WITH_AGENTS, SPAN_S, Kind, strikes
from tools.chaos.proxy import Proxy
from tools.chaos.shown import Cloud

MADE = Furnished({"imageRef": "image", "networks": [{"uuid": "net"}]}, ("small", "larger"))
SERVER = {
    "id": "s1",
    "name": "one",
    "status": "ACTIVE",
    "OS-EXT-STS:task_state": None,
    "OS-EXT-SRV-ATTR:host": "h1",
    "flavor": {"vcpus": 1, "ram": 64, "disk": 1},
}
HELD = {"VCPU": 1, "MEMORY_MB": 64, "DISK_GB": 1}
GUEST = GuestThere("s1", "h1", runs=True, cards=frozenset({"p1"}))
WELL = {
    "servers": {"s1": SERVER},
    "operations": [],
    "hosts": {"u1": "h1"},
    "allocations": {("s1", "h1"): HELD},
    "migrations": [],
    "ports": [{"id": "p1", "device_id": "s1"}],
    "images": [{"id": "i1", "name": "image", "status": "active"}],
    "quota": {"instances": 1, "cores": 1, "ram": 64},
    "measures": {"kilonova_tombstones": 0.0, "kilonova_auditor_findings": 0.0},
}


def test_strikes__one_seed__one_plan_with_so_many_kills() -> None:
    plan = list(strikes(7, 50, agents=True))
    assert plan == list(strikes(7, 50, agents=True))
    assert plan != list(strikes(8, 50, agents=True))
    assert sum(strike.kind.kills for strike in plan) == 50
    assert plan[-1].kind.kills
    assert {strike.kind for strike in strikes(7, 300, agents=True)} == set(Kind)


def test_strikes__no_agents_of_their_own__none_of_what_needs_them() -> None:
    assert not ONLY_WITH_AGENTS.intersection(strike.kind for strike in strikes(7, 100, agents=False))


def test_strikes__freezes__are_short_and_longer_than_leases() -> None:
    frozen = [it.for_s for it in strikes(7, 500, agents=True) if it.kind in {Kind.FREEZE_AGENT, Kind.FREEZE_PROGRAM}]
    assert SPAN_S[0] <= min(frozen) < 1.0
    assert 15.0 < max(frozen) <= SPAN_S[1]


def test_actions__every_one__suits_some_status_at_rest() -> None:
    assert set(itertools.chain(*SUITS.values())) == {*ACTIONS, ATTACH, DETACH}
    assert SUITS.keys() == AT_REST


def test_proxy__cut__ends_connections_and_refuses_new_ones_until_it_is_mended() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(10))
        writer.close()
        await writer.wait_closed()

    async def said(address: tuple[str, int], word: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*address)
        try:
            writer.write(word)
            return await reader.read(10)
        finally:
            writer.transport.abort()
            await asyncio.sleep(0)

    async def scenario() -> None:
        async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
            proxy = Proxy(lambda: asyncio.open_connection(*server.sockets[0].getsockname()))
            async with await asyncio.start_server(proxy.carry, "127.0.0.1", 0) as front:
                address = front.sockets[0].getsockname()
                assert await said(address, b"hello") == b"hello"
                await carried(proxy, 0)
                open_one = asyncio.ensure_future(said(address, b""))
                await carried(proxy, 1)
                proxy.cut(3600.0)
                assert await ends(open_one)
                assert await ends(asyncio.ensure_future(said(address, b"hello")))
                assert proxy.cuts == 1
                proxy.mend()
                assert await said(address, b"hello") == b"hello"
                await carried(proxy, 0)

    async def carried(proxy: Proxy, many: int) -> None:
        while proxy.carried != many:
            await asyncio.sleep(0)

    async def ends(asked: "asyncio.Future[bytes]") -> bool:
        """Whether it ends without an answer."""
        try:
            return await asked == b""
        except ConnectionError:
            return True

    asyncio.run(scenario())


def test_judged__all_is_well__finds_nothing() -> None:
    assert list(judged(Cloud(**WELL), [GUEST], MADE)) == []


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"operations": [{"kind": "stop", "id": "o", "server_id": "s1", "state": "running"}]}, Wrong.STUCK),
        ({"servers": {"s1": {**SERVER, "OS-EXT-STS:task_state": "spawning"}}}, Wrong.STUCK),
        ({"measures": {"kilonova_tombstones": 1.0, "kilonova_auditor_findings": 0.0}}, Wrong.STUCK),
        ({"measures": {"kilonova_tombstones": 0.0, "kilonova_auditor_findings": 1.0}}, Wrong.ALLOCATION),
        ({"allocations": {("s1", "h1"): HELD, ("gone", "h1"): HELD}}, Wrong.ALLOCATION),
        ({"allocations": {("s1", "h1"): HELD, ("s1", "h2"): HELD}}, Wrong.ALLOCATION),
        ({"allocations": {("s1", "h1"): {**HELD, "VCPU": 2}}}, Wrong.ALLOCATION),
        ({"allocations": {}}, Wrong.ALLOCATION),
        ({"ports": [*WELL["ports"], {"id": "p2", "device_id": "gone"}]}, Wrong.PORT),
        ({"images": [{"id": "i2", "name": "half", "status": "queued"}]}, Wrong.IMAGE),
        ({"quota": {"instances": 2, "cores": 1, "ram": 64}}, Wrong.LEDGER),
        ({"servers": {"s1": {**SERVER, "status": "SHUTOFF"}}}, Wrong.LOST),
    ],
)
def test_judged__something_is_wrong__is_found(change: dict[str, Any], wrong: Wrong) -> None:
    assert {kind for kind, _ in judged(Cloud(**{**WELL, **change}), [GUEST], MADE)} == {wrong}


@pytest.mark.parametrize(
    "guest",
    [
        GuestThere("gone", "h1", runs=True, cards=frozenset()),
        GuestThere("s1", "h2", runs=False, cards=frozenset({"p1"})),
        GuestThere("s1", "h1", runs=False, cards=frozenset({"p1", "p9"})),
    ],
)
def test_judged__a_guest_too_many_or_a_card__is_found(guest: GuestThere) -> None:
    assert {kind for kind, _ in judged(Cloud(**WELL), [GUEST, guest], MADE)} == {Wrong.GUEST}
