"""Another service's API asked in a caller's name: of a service of this process, and of one over HTTP."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contract.network_site import PEOPLE, network_site, served
from contract.services import run
from kilonova.clients.service_api import InProcessApi, NoService, NotPassedOn, ServiceApi, SessionApi
from kilonova.clients.session import Credentials, ServiceSession
from kilonova.kernel.errors import Conflict, Forbidden, Invalid, NotAuthenticated, NotFound, Unavailable

MEMBER, READER, OTHER = PEOPLE["member"], PEOPLE["reader"], PEOPLE["other"]
GROUPS = "/v2.0/security-groups"


@asynccontextmanager
async def in_process(directory: Path) -> AsyncIterator[ServiceApi]:
    async with network_site(directory) as site:
        yield InProcessApi(site.networks.service, "network")


@asynccontextmanager
async def over_http(directory: Path) -> AsyncIterator[ServiceApi]:
    async with network_site(directory) as site, served(site) as url:
        account = Credentials(auth_url=f"{url}/identity", username="nova", password="pw")
        session = ServiceSession(account, site.runtime, {"network": f"{url}/network"})
        yield SessionApi(session, "network")
        await session.close()


Scenario = Callable[[ServiceApi], Awaitable[None]]


@pytest.fixture(params=[in_process, over_http])
def judge(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Scenario], None]:
    """Runs a scenario on one of the implementations."""

    def judged(scenario: Scenario) -> None:
        async def opened() -> None:
            async with request.param(tmp_path) as api:
                await scenario(api)

        run(opened())

    return judged


def test_ask__made_changed_listed_and_deleted__each_in_the_callers_name(judge: Callable[[Scenario], None]) -> None:
    async def scenario(api: ServiceApi) -> None:
        made = await api.ask(MEMBER, "POST", GROUPS, {"security_group": {"name": "g"}})
        assert (made.status, made.good, made.service) == (201, True, "network")
        group: Any = made.body["security_group"]
        assert group["project_id"] == MEMBER.project_id
        path = f"{GROUPS}/{group['id']}"
        changed = await api.ask(MEMBER, "PUT", path, {"security_group": {"name": "ü"}})
        assert changed.body["security_group"]["name"] == "ü"
        found = await api.ask(MEMBER, "GET", GROUPS, params={"name": "ü"})
        assert [one["id"] for one in found.body["security_groups"]] == [group["id"]]
        gone = await api.ask(MEMBER, "DELETE", path)
        assert (gone.status, gone.body) == (204, None)

    judge(scenario)


def test_ask__refused__the_error_says_why(judge: Callable[[Scenario], None]) -> None:
    async def scenario(api: ServiceApi) -> None:
        group = {"security_group": {"name": "g"}}
        forged = msgspec.structs.replace(MEMBER, token="forged")
        foreign = (await api.ask(OTHER, "POST", GROUPS, group)).body["security_group"]["id"]
        for caller, method, path, body, kind, said in (
            (forged, "GET", GROUPS, None, NotAuthenticated, ""),
            (READER, "POST", GROUPS, group, Forbidden, "network service"),
            (MEMBER, "GET", f"{GROUPS}/{foreign}", None, NotFound, "Group x"),
            (MEMBER, "POST", GROUPS, {"security_group": {"name": "default"}}, Conflict, "Default"),
            (MEMBER, "POST", GROUPS, {"security_group": {"surprise": 1}}, Invalid, "surprise"),
        ):
            answer = await api.ask(caller, method, path, body)
            assert not answer.good
            error = answer.refusal("Group", "x")
            assert isinstance(error, kind)
            assert said in error.message

    judge(scenario)


def test_ask__service_fails__unavailable() -> None:
    async def broken(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b"oops"})

    async def scenario() -> None:
        with pytest.raises(Unavailable, match="500"):
            await InProcessApi(broken, "network").ask(MEMBER, "GET", "/")
        with pytest.raises(NotPassedOn):
            await NoService().ask(MEMBER, "GET", "/")

    run(scenario())
