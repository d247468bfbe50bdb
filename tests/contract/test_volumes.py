"""What every volume client does. The simulation's double is the only one there is yet."""

import itertools

import pytest

from contract.services import run
from kilonova.clients.volume import NoBlockStorage, NoVolumes, Volumes
from kilonova.kernel.errors import Conflict, NotFound
from kilonova.kernel.ids import ProjectId, UserId
from kilonova.objects.caller import Caller
from kilonova.simulation.doubles.volumes import DirectVolumes, VolumeService

MEMBER = Caller(user_id=UserId("u"), user_name="u", project_id=ProjectId("mine"), roles=("member",))
OTHER = Caller(user_id=UserId("o"), user_name="o", project_id=ProjectId("theirs"), roles=("member",))
UNKNOWN = "99999999-9999-4999-8999-999999999999"
HOST = {"host": "host-1"}


@pytest.fixture
def service() -> VolumeService:
    numbers = itertools.count(1)
    return VolumeService(lambda: f"00000000-0000-4000-8000-{next(numbers):012}")


@pytest.fixture
def volumes(service: VolumeService) -> Volumes:
    return DirectVolumes(service)


@pytest.fixture
def volume_id(service: VolumeService) -> str:
    return service.make(ProjectId("mine")).id


def test_volume__its_life_with_a_server__status_follows(volumes: Volumes, volume_id: str) -> None:
    async def status() -> str:
        return (await volumes.volume_get(MEMBER, volume_id)).status

    async def work() -> None:
        assert await status() == "available"
        made = await volumes.attachment_create(volume_id, "server")
        assert (made.status, await status()) == ("reserved", "reserved")
        connected = await volumes.attachment_connect(made.id, HOST)
        assert connected.connection["driver_volume_type"]
        assert await status() == "attaching"
        await volumes.attachment_complete(made.id)
        assert await status() == "in-use"
        assert [one.id for one in await volumes.attachments_of("server")] == [made.id]
        await volumes.attachment_delete(made.id)
        await volumes.attachment_delete(made.id)
        assert (await status(), list(await volumes.attachments_of("server"))) == ("available", [])

    run(work())


def test_volume__of_another_project_or_unknown__not_found(volumes: Volumes, volume_id: str) -> None:
    async def work() -> None:
        with pytest.raises(NotFound):
            await volumes.volume_get(OTHER, volume_id)
        with pytest.raises(NotFound):
            await volumes.volume_get(MEMBER, UNKNOWN)
        with pytest.raises(NotFound):
            await volumes.attachment_create(UNKNOWN, "server")

    run(work())


def test_attachment__another_server_has_the_volume__conflict(volumes: Volumes, volume_id: str) -> None:
    async def work() -> None:
        first = await volumes.attachment_create(volume_id, "server")
        with pytest.raises(Conflict):
            await volumes.attachment_create(volume_id, "another")
        again = await volumes.attachment_create(volume_id, "server")
        assert again.id != first.id, "one server may have several, as while it moves"

    run(work())


def test_attachment__never_connected_or_gone__not_completed(volumes: Volumes, volume_id: str) -> None:
    async def work() -> None:
        made = await volumes.attachment_create(volume_id, "server")
        with pytest.raises(Conflict):
            await volumes.attachment_complete(made.id)
        await volumes.attachment_delete(made.id)
        for call in (volumes.attachment_complete(made.id), volumes.attachment_connect(made.id, HOST)):
            with pytest.raises(NotFound):
                await call

    run(work())


def test_volume_delete__only_when_nobody_has_it(volumes: Volumes, volume_id: str) -> None:
    async def work() -> None:
        made = await volumes.attachment_create(volume_id, "server")
        with pytest.raises(Conflict):
            await volumes.volume_delete(volume_id)
        await volumes.attachment_delete(made.id)
        await volumes.volume_delete(volume_id)
        await volumes.volume_delete(volume_id)
        with pytest.raises(NotFound):
            await volumes.volume_get(MEMBER, volume_id)

    run(work())


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
