"""Quotas: exact however many ask at once, per project and per user, and free again when servers are gone."""

import asyncio
import itertools
from typing import Any

import pytest

from kilonova.kernel.errors import OverLimit
from kilonova.kernel.ids import ProjectId, UserId
from kilonova.objects.boot import Boot
from kilonova.operations.quota import DEFAULTS, NETWORK, Quota, Usage
from kilonova.operations.servers import Servers
from unit.operations.rig import CALLER, REQUEST, Rig, play, server, server_id

PROJECT = ProjectId("project")


def boots(first: int, count: int = 1, **fields: Any) -> list[Boot]:
    return [Boot(server=server(number, **fields), image=None) for number in range(first, first + count)]


async def quota_of(rig: Rig, **limits: int) -> Quota:
    return Quota((await rig.parts("quota")).database, limits)


async def try_boot(api: Servers, asked: list[Boot]) -> bool:
    try:
        await api.boot(CALLER, REQUEST, asked)
    except OverLimit:
        return False
    return True


@pytest.mark.parametrize(("limit", "resource"), [(5, "instances"), (5, "cores"), (5 * 512, "ram")])
def test_three_times_too_many_at_once__exactly_as_many_as_allowed(limit: int, resource: str) -> None:
    async def work(rig: Rig) -> None:
        apis = [await rig.servers(**{resource: limit}) for _ in range(3)]
        answers = await asyncio.gather(*(try_boot(apis[n % 3], boots(n)) for n in range(1, 16)))
        assert sum(answers) == 5
        usage = await (await quota_of(rig)).usage(PROJECT)
        assert usage == Usage(instances=5, cores=5, ram=5 * 512, server_groups=0)
        assert rig.api.rows("SELECT count(*) FROM servers") == [(5,)]
        assert rig.api.rows("SELECT count(*) FROM operations") == [(5,)]

    play(work)


def test_multi_create_beyond_the_limit__none_of_it_is_kept() -> None:
    async def work(rig: Rig) -> None:
        api = await rig.servers(instances=3)
        with pytest.raises(OverLimit) as refused:
            await api.boot(CALLER, REQUEST, boots(1, 4))
        assert refused.value.details == {"resource": "instances", "requested": 4, "used": 0, "limit": 3}
        for table in ("servers", "operations", "server_map", "quota_ledger"):
            assert rig.api.rows(f"SELECT count(*) FROM {table}") == [(0,)], table
        assert await try_boot(api, boots(1, 3))

    play(work)


def test_limit_of_a_user__counts_that_user_only() -> None:
    async def work(rig: Rig) -> None:
        api, quota = await rig.servers(instances=4), await quota_of(rig)
        await quota.set_limits(PROJECT, {"instances": 1}, UserId("ann"))
        numbers = itertools.count(1)
        assert await try_boot(api, boots(next(numbers), user_id="ann"))
        assert not await try_boot(api, boots(next(numbers), user_id="ann"))
        assert await try_boot(api, boots(next(numbers), user_id="bob"))
        await quota.set_limits(PROJECT, {"instances": 10}, UserId("ann"))
        assert await try_boot(api, boots(next(numbers), user_id="ann"))
        assert await try_boot(api, boots(next(numbers), user_id="ann"))
        assert not await try_boot(api, boots(next(numbers), user_id="ann")), "the project's limit holds too"
        assert (await quota.usage(PROJECT, UserId("ann"))).instances == 3

    play(work)


def test_limits__the_narrower_wins_and_reset_brings_the_wider_back() -> None:
    async def work(rig: Rig) -> None:
        quota, user = await quota_of(rig, instances=7), UserId("ann")
        assert (await quota.limits(PROJECT))["instances"] == 7
        await quota.set_class_limits("default", {"instances": 8, "cores": 80})
        await quota.set_limits(PROJECT, {"instances": 9})
        await quota.set_limits(PROJECT, {"cores": -1}, user)
        assert await quota.limits(PROJECT, user) == {**DEFAULTS, **NETWORK, "instances": 9, "cores": -1}
        assert await quota.limits(PROJECT) == {**DEFAULTS, **NETWORK, "instances": 9, "cores": 80}
        assert await quota.limits(ProjectId("other")) == {**DEFAULTS, **NETWORK, "instances": 8, "cores": 80}
        assert (await quota.class_limits("default"))["cores"] == 80
        await quota.set_limits(PROJECT, {"instances": 3})
        assert (await quota.limits(PROJECT))["instances"] == 3
        await quota.reset(PROJECT)
        assert (await quota.limits(PROJECT, user))["instances"] == 8
        await quota.reset(PROJECT, user)
        assert (await quota.limits(PROJECT, user))["cores"] == 80

    play(work)


def test_unlimited__never_refused() -> None:
    async def work(rig: Rig) -> None:
        api = await rig.servers(instances=-1, cores=-1, ram=-1)
        assert await try_boot(api, boots(1, 60))

    play(work)


def test_deleted_before_it_was_anywhere__its_room_is_free_at_once() -> None:
    async def work(rig: Rig) -> None:
        api = await rig.servers(instances=1)
        assert await try_boot(api, boots(1))
        await api.delete(CALLER, REQUEST, server_id(1))
        assert await try_boot(api, boots(2))

    play(work)


def test_deleted_in_its_cell__its_room_is_free_when_the_cell_has_said_so() -> None:
    async def work(rig: Rig) -> None:
        await rig.add_hosts()
        await rig.start_agent()
        await rig.start_all()
        api = await rig.servers(instances=1)
        assert await try_boot(api, boots(1))
        await rig.settled()
        assert not await try_boot(api, boots(2))
        await api.delete(CALLER, REQUEST, server_id(1))
        await rig.settled()
        assert await try_boot(api, boots(2))
        assert rig.cell1.rows("SELECT * FROM settlements") == []

    play(work)
