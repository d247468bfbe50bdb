"""What every volume client does: the simulation's double, and Cinder's client.

Cinder's client runs against a real Cinder where KILONOVA_TEST_CINDER_URL names one; then KILONOVA_TEST_KEYSTONE_URL, _USER,
_PASSWORD and _PROJECT name an administrator, and _MEMBER_USER and _OTHER_USER (each with _PASSWORD and _PROJECT) members of two
other projects.
"""

import asyncio
import itertools
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from contract.services import log_in, run
from kilonova.clients.cinder import CinderVolumes
from kilonova.clients.session import Credentials, ServiceSession
from kilonova.clients.volume import NoBlockStorage, NoVolumes, Volumes
from kilonova.kernel.errors import Conflict, NotFound
from kilonova.kernel.ids import ProjectId, UserId
from kilonova.objects.caller import Caller
from kilonova.runtime.real import RealRuntime
from kilonova.simulation.doubles.volumes import DirectVolumes, VolumeService

MEMBER = Caller(user_id=UserId("u"), user_name="u", project_id=ProjectId("mine"), roles=("member",))
OTHER = Caller(user_id=UserId("o"), user_name="o", project_id=ProjectId("theirs"), roles=("member",))
UNKNOWN = "99999999-9999-4999-8999-999999999999"
HERE = {"host": "host-1"}
THERE = {"host": "host-2"}


def new_id() -> str:
    return str(uuid.uuid4())


@dataclass
class Subject:
    """A volume client, two people, and a way to make a volume of the first one."""

    volumes: Volumes
    member: Caller
    other: Caller
    make: Callable[[], Awaitable[str]]

    async def status(self, volume_id: str) -> str:
        return (await self.volumes.volume_get(self.member, volume_id)).status

    async def statuses(self, server_id: str) -> list[str]:
        return [one.status for one in await self.volumes.attachments_of(server_id)]


@asynccontextmanager
async def double() -> AsyncIterator[Subject]:
    numbers = itertools.count(1)
    service = VolumeService(lambda: f"00000000-0000-4000-8000-{next(numbers):012}")

    async def make() -> str:
        return service.make(ProjectId("mine")).id

    yield Subject(DirectVolumes(service), MEMBER, OTHER, make)


@asynccontextmanager
async def real_cinder() -> AsyncIterator[Subject]:
    from kilonova.clients.keystone import KeystoneIdentity  # noqa: PLC0415 - only where there is one

    def setting(name: str) -> str:
        return os.environ[f"KILONOVA_TEST_KEYSTONE_{name}"]

    account = Credentials(
        auth_url=setting("URL"), username="nova", password=setting("PASSWORD"), project_name="service"
    )
    runtime, url = RealRuntime(), os.environ["KILONOVA_TEST_CINDER_URL"]
    session = ServiceSession(account, runtime, {"block-storage": f"{url}/v3"})
    identity = KeystoneIdentity(session, runtime)
    people = []
    async with httpx.AsyncClient(base_url=session.auth_url, timeout=60) as http:
        for who in ("MEMBER_", "OTHER_"):
            user, password, project = setting(f"{who}USER"), setting(f"{who}PASSWORD"), setting(f"{who}PROJECT")
            people.append(await identity.caller(await log_in(http, "", user, password, project)))
    volumes = CinderVolumes(session)

    async def make() -> str:
        body = {"volume": {"size": 1, "name": "contract"}}
        response = await session.post("block-storage", "/v3/volumes", json=body, token=people[0].token)
        assert response.status_code == 202, response.text
        volume_id: str = response.json()["volume"]["id"]
        async with asyncio.timeout(30):
            while (await volumes.volume_get(people[0], volume_id)).status == "creating":
                await runtime.sleep(0.1)
        return volume_id

    yield Subject(volumes, people[0], people[1], make)
    await volumes.close()


Scenario = Callable[[Subject], Awaitable[None]]
Judge = Callable[[Scenario], None]


@pytest.fixture(params=["double", pytest.param("real cinder", marks=pytest.mark.interop)])
def judge(request: pytest.FixtureRequest) -> Judge:
    """Runs a scenario on one of the implementations."""
    if request.param == "real cinder" and "KILONOVA_TEST_CINDER_URL" not in os.environ:
        pytest.skip("KILONOVA_TEST_CINDER_URL names no Cinder")
    opened = {"double": double, "real cinder": real_cinder}[request.param]

    def judged(scenario: Scenario) -> None:
        async def in_subject() -> None:
            async with opened() as subject:
                await scenario(subject)

        run(in_subject())

    return judged


def test_volume__its_life_with_a_server__status_follows(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        volumes, volume_id, server = subject.volumes, await subject.make(), new_id()
        assert await subject.status(volume_id) == "available"
        made = await volumes.attachment_create(volume_id, server)
        assert (made.volume_id, made.server_id, made.connection) == (volume_id, server, {})
        assert (await subject.statuses(server), await subject.status(volume_id)) == (["reserved"], "reserved")
        connected = await volumes.attachment_connect(made.id, HERE)
        assert connected.connection["driver_volume_type"] == "local"
        assert connected.connection["data"]["host"] == "host-1"
        assert (await subject.statuses(server), await subject.status(volume_id)) == (["attaching"], "attaching")
        await volumes.attachment_complete(made.id)
        await volumes.attachment_complete(made.id)
        assert (await subject.statuses(server), await subject.status(volume_id)) == (["attached"], "in-use")
        (there,) = await volumes.attachments_of(server)
        assert (there.id, there.connection) == (made.id, connected.connection)
        await volumes.attachment_delete(made.id)
        await volumes.attachment_delete(made.id)
        assert (await subject.statuses(server), await subject.status(volume_id)) == ([], "available")

    judge(scenario)


def test_volume__of_another_project_or_unknown__not_found(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        volume_id = await subject.make()
        found = await subject.volumes.volume_get(subject.member, volume_id)
        assert (found.id, found.size_gb, found.bootable) == (volume_id, 1, False)
        with pytest.raises(NotFound):
            await subject.volumes.volume_get(subject.other, volume_id)
        with pytest.raises(NotFound):
            await subject.volumes.volume_get(subject.member, UNKNOWN)
        with pytest.raises(NotFound):
            await subject.volumes.attachment_create(UNKNOWN, new_id())

    judge(scenario)


def test_attachment__another_server_has_the_volume__conflict(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        volume_id, server = await subject.make(), new_id()
        first = await subject.volumes.attachment_create(volume_id, server)
        with pytest.raises(Conflict):
            await subject.volumes.attachment_create(volume_id, new_id())
        again = await subject.volumes.attachment_create(volume_id, server)
        assert again.id != first.id

    judge(scenario)


def test_attachment__server_moves__a_second_one_for_the_other_host(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        volumes, volume_id, server = subject.volumes, await subject.make(), new_id()
        old = await volumes.attachment_create(volume_id, server, HERE)
        with pytest.raises(Conflict):
            await volumes.attachment_create(volume_id, server)
        await volumes.attachment_complete(old.id)
        empty = await volumes.attachment_create(volume_id, server)
        with pytest.raises(Conflict):
            await volumes.attachment_connect(empty.id, THERE)
        await volumes.attachment_delete(empty.id)
        new = await volumes.attachment_create(volume_id, server, THERE)
        assert new.connection["data"]["host"] == "host-2"
        await volumes.attachment_complete(new.id)
        assert await subject.statuses(server) == ["attached", "attached"]
        await volumes.attachment_delete(old.id)
        assert [one.id for one in await volumes.attachments_of(server)] == [new.id]
        assert await subject.status(volume_id) == "in-use"
        held = await volumes.attachment_create(volume_id, server)
        await volumes.attachment_delete(new.id)
        assert (await subject.statuses(server), await subject.status(volume_id)) == (["reserved"], "reserved")
        await volumes.attachment_delete(held.id)

    judge(scenario)


def test_attachment__never_connected_or_gone__not_completed(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        made = await subject.volumes.attachment_create(await subject.make(), new_id())
        with pytest.raises(Conflict):
            await subject.volumes.attachment_complete(made.id)
        await subject.volumes.attachment_delete(made.id)
        with pytest.raises(NotFound):
            await subject.volumes.attachment_complete(made.id)
        with pytest.raises(NotFound):
            await subject.volumes.attachment_connect(made.id, HERE)

    judge(scenario)


def test_volume_delete__only_when_nobody_has_it(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        volumes, volume_id = subject.volumes, await subject.make()
        made = await volumes.attachment_create(volume_id, new_id())
        with pytest.raises(Conflict):
            await volumes.volume_delete(volume_id)
        await volumes.attachment_delete(made.id)
        await volumes.volume_delete(volume_id)
        async with asyncio.timeout(30):
            while await _is_there(subject, volume_id):
                await asyncio.sleep(0.1)
        await volumes.volume_delete(volume_id)

    judge(scenario)


async def _is_there(subject: Subject, volume_id: str) -> bool:
    try:
        await subject.volumes.volume_get(subject.member, volume_id)
    except NotFound:
        return False
    return True


def test_no_volumes__says_so_and_has_none() -> None:
    async def work() -> None:
        none = NoVolumes()
        with pytest.raises(NoBlockStorage):
            await none.volume_get(MEMBER, UNKNOWN)
        with pytest.raises(NoBlockStorage):
            await none.attachment_create(UNKNOWN, "server")
        assert list(await none.attachments_of("server")) == []
        await none.attachment_delete(UNKNOWN)

    run(work())
