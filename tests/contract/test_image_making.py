"""What every image client does with images that are made from servers: the built-in service, Glance's client, the double."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from contract.services import run
from contract.test_images import over_http, standalone
from kilonova.clients.image import Images
from kilonova.kernel.errors import Forbidden, NotFound
from kilonova.kernel.ids import ProjectId, UserId
from kilonova.objects.caller import Caller
from kilonova.objects.image import NewImage
from kilonova.simulation.doubles.images import ImageService, SimImages
from kilonova.simulation.faults import QUIET, Faults
from kilonova.simulation.loop import SimLoop, simulate

CONTENT = b"what a server's disk holds" * 1000
OTHER = ProjectId("0" * 32)

Scenario = Callable[[Images, Caller], Awaitable[None]]
Judge = Callable[[Scenario], None]


def new(caller: Caller, number: int = 1, **fields: Any) -> NewImage:
    known: dict[str, Any] = {
        "id": f"55555555-0000-4000-8000-{number:012}",
        "name": f"snapshot {number}",
        "owner": caller.project_id,
        "disk_format": "raw",
        "properties": {"image_type": "backup", "instance_uuid": "a server"},
    }
    return NewImage(**{**known, **fields})


async def pieces(content: bytes = CONTENT) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 10_000):
        yield content[start : start + 10_000]


async def broken() -> AsyncIterator[bytes]:
    yield CONTENT
    raise ConnectionError("the host is gone")


async def read(images: Images, image_id: str) -> bytes:
    return b"".join([piece async for piece in images.image_content(image_id)])


@pytest.fixture(params=["standalone", "glance client", "double"])
def judge(request: pytest.FixtureRequest, tmp_path: Path) -> Judge:
    """Runs a scenario on one of the implementations."""

    def on_double(scenario: Scenario) -> None:
        caller = Caller(user_id=UserId("user"), user_name="user", project_id=ProjectId("project"))

        async def main(loop: SimLoop) -> None:
            await scenario(SimImages(loop, ImageService(), loop.process("api"), Faults(QUIET)), caller)

        simulate(main, 1)

    def on_service(scenario: Scenario) -> None:
        async def in_subject() -> None:
            opened = standalone if request.param == "standalone" else over_http
            async with opened(tmp_path) as subject:
                await scenario(subject.images, subject.owner)

        run(in_subject())

    return on_double if request.param == "double" else on_service


def test_image_create__is_queued_and_private_and_the_projects_own(judge: Judge) -> None:
    async def scenario(images: Images, caller: Caller) -> None:
        await images.image_create(new(caller, min_disk=3, min_ram=64), caller)
        image = await images.image_get(caller, new(caller).id)
        assert (image.name, image.status, image.visibility, image.owner) == (
            "snapshot 1",
            "queued",
            "private",
            caller.project_id,
        )
        assert (image.disk_format, image.container_format, image.min_disk, image.min_ram) == ("raw", "bare", 3, 64)
        assert image.properties["instance_uuid"] == "a server"

    judge(scenario)


def test_image_create__in_the_services_name__belongs_to_the_owner_named(judge: Judge) -> None:
    async def scenario(images: Images, caller: Caller) -> None:
        await images.image_create(new(caller, owner=OTHER))
        assert (await images.image(new(caller).id)).owner == OTHER

    judge(scenario)


def test_image_create__twice__the_first_stays(judge: Judge) -> None:
    async def scenario(images: Images, caller: Caller) -> None:
        await images.image_create(new(caller), caller)
        await images.image_store(new(caller).id, pieces())
        await images.image_create(new(caller, name="another"))
        image = await images.image(new(caller).id)
        assert (image.name, image.status) == ("snapshot 1", "active")

    judge(scenario)


def test_image_store__is_what_was_given_and_is_hashed(judge: Judge) -> None:
    async def scenario(images: Images, caller: Caller) -> None:
        await images.image_create(new(caller), caller)
        await images.image_store(new(caller).id, pieces())
        image = await images.image_get(caller, new(caller).id)
        assert (image.status, image.size) == ("active", len(CONTENT))
        assert image.sha512 == hashlib.sha512(CONTENT).hexdigest()
        assert await read(images, image.id) == CONTENT

    judge(scenario)


def test_image_store__twice__the_first_content_stays_and_the_second_is_not_read(judge: Judge) -> None:
    async def scenario(images: Images, caller: Caller) -> None:
        await images.image_create(new(caller), caller)
        await images.image_store(new(caller).id, pieces())
        await images.image_store(new(caller).id, broken())
        assert await read(images, new(caller).id) == CONTENT

    judge(scenario)


def test_image_store__breaks_off__the_image_has_no_content_and_takes_the_next(judge: Judge) -> None:
    async def scenario(images: Images, caller: Caller) -> None:
        await images.image_create(new(caller), caller)
        with pytest.raises(ConnectionError):
            await images.image_store(new(caller).id, broken())
        while (await images.image(new(caller).id)).status == "saving":
            await asyncio.sleep(0)  # the service has yet to notice that the connection is gone
        await images.image_store(new(caller).id, pieces())
        assert await read(images, new(caller).id) == CONTENT

    judge(scenario)


def test_image_store__deleted_image__not_found(judge: Judge) -> None:
    async def scenario(images: Images, caller: Caller) -> None:
        with pytest.raises(NotFound):
            await images.image_store(new(caller).id, pieces())

    judge(scenario)


def test_image_delete__gone_and_gone_again(judge: Judge) -> None:
    async def scenario(images: Images, caller: Caller) -> None:
        await images.image_create(new(caller), caller)
        await images.image_store(new(caller).id, pieces())
        for _ in range(2):
            await images.image_delete(new(caller).id)
        with pytest.raises(NotFound):
            await images.image(new(caller).id)

    judge(scenario)


def test_images_of__those_with_every_property__newest_first(judge: Judge) -> None:
    async def scenario(images: Images, caller: Caller) -> None:
        weekly = {"image_type": "backup", "instance_uuid": "a server", "backup_type": "weekly"}
        await images.image_create(new(caller, 1, properties=weekly), caller)
        await images.image_create(new(caller, 2), caller)
        await images.image_create(new(caller, 3, properties=weekly, owner=OTHER))
        await images.image_create(new(caller, 4, properties=weekly), caller)
        assert caller.project_id is not None
        found = await images.images_of(caller.project_id, weekly)
        assert sorted(image.id[-1] for image in found) == ["1", "4"]
        assert list(found) == sorted(found, key=lambda image: image.created_at, reverse=True)

    judge(scenario)


def test_image_create__caller_may_not__forbidden(tmp_path: Path) -> None:
    async def in_subject() -> None:
        for opened in (standalone, over_http):
            async with opened(tmp_path) as subject:
                with pytest.raises(Forbidden):
                    await subject.images.image_create(new(subject.owner), subject.outsider)

    run(in_subject())
