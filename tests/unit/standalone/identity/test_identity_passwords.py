"""Password hashing: what it costs, and what a flood of logins gets."""

import asyncio

import pytest

from contract.services import CHEAP, run
from kilonova.kernel.errors import Unavailable
from kilonova.runtime.real import RealRuntime
from kilonova.standalone.identity.passwords import AT_ONCE, WAITING_MAX, HashCost, Passwords


def test_hash__default_cost__told_in_the_hash_and_within_8_mib() -> None:
    stored = run(Passwords(RealRuntime(), HashCost()).hash("secret"))
    assert stored.startswith("$argon2id$v=19$m=7168,t=5,p=1$")
    assert HashCost().memory_kib * 1024 <= 8 << 20


def test_matches__right_wrong_and_missing() -> None:
    async def scenario() -> None:
        passwords = Passwords(RealRuntime(), CHEAP)
        stored = await passwords.hash("secret")
        assert await passwords.matches(stored, "secret")
        assert not await passwords.matches(stored, "Secret")
        assert not await passwords.matches(None, "secret")
        assert not await passwords.matches("not a hash", "secret")
        assert await passwords.hash("secret") != stored

    run(scenario())


def test_matches__stored_at_another_cost__still_right() -> None:
    async def scenario() -> None:
        stored = await Passwords(RealRuntime(), HashCost(time_cost=2, memory_kib=16)).hash("secret")
        assert await Passwords(RealRuntime(), CHEAP).matches(stored, "secret")

    run(scenario())


class CountingRuntime(RealRuntime):
    """Counts how many blocking calls run, and lets none finish before it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.running = 0
        self.most = 0
        self.go_on = asyncio.Event()

    async def run_blocking(self, work, *args):  # type: ignore[no-untyped-def]
        self.running += 1
        self.most = max(self.most, self.running)
        await self.go_on.wait()
        self.running -= 1
        return await super().run_blocking(work, *args)


def test_matches__unknown_user__costs_a_hash_too() -> None:
    async def scenario() -> None:
        runtime = CountingRuntime()
        runtime.go_on.set()
        assert not await Passwords(runtime, CHEAP).matches(None, "secret")
        assert runtime.most == 1

    run(scenario())


def test_hash__flood__few_at_once_and_the_rest_told_to_come_back() -> None:
    async def scenario() -> None:
        runtime = CountingRuntime()
        passwords = Passwords(runtime, CHEAP)
        flood = [asyncio.create_task(passwords.hash("x")) for _ in range(WAITING_MAX)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="too many logins are waiting"):
            await passwords.hash("x")
        runtime.go_on.set()
        await asyncio.gather(*flood)
        assert runtime.most == AT_ONCE

    run(scenario())
