"""What every image client does: the built-in service in process, and Glance's client.

Glance's client runs against the built-in service over HTTP, and against a real Glance where KILONOVA_TEST_GLANCE_URL names
one; then KILONOVA_TEST_KEYSTONE_URL, _USER, _PASSWORD and _PROJECT name an administrator, and
KILONOVA_TEST_KEYSTONE_OTHER_USER, _OTHER_PASSWORD and _OTHER_PROJECT a member of another project.
"""

import hashlib
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from contract.services import PASSWORDS, log_in, run, served, services
from kilonova.clients.glance import GlanceImages
from kilonova.clients.identity import Identity
from kilonova.clients.image import Images
from kilonova.clients.keystone import KeystoneIdentity
from kilonova.clients.session import Credentials, ServiceSession
from kilonova.kernel.errors import NotFound
from kilonova.objects.caller import Caller
from kilonova.runtime.real import RealRuntime

CONTENT = bytes(range(256)) * 10_000


@dataclass
class Subject:
    """An image client, the Image API behind it, and who asks."""

    images: Images
    http: httpx.AsyncClient
    owner: Caller
    outsider: Caller

    async def ask(self, method: str, path: str, status: int, **options: Any) -> Any:
        headers = {"X-Auth-Token": self.owner.token, **options.pop("headers", {})}
        response = await self.http.request(method, path, headers=headers, **options)
        assert response.status_code == status, response.text
        return response.json() if response.content else None

    @asynccontextmanager
    async def image(self, content: bytes | None = CONTENT, **attributes: Any) -> AsyncIterator[str]:
        """An image of the owner's for one test."""
        document = {"name": "contract", "disk_format": "raw", "container_format": "bare", **attributes}
        image_id = (await self.ask("POST", "/v2/images", 201, json=document))["id"]
        if content is not None:
            headers = {"Content-Type": "application/octet-stream"}
            await self.ask("PUT", f"/v2/images/{image_id}/file", 204, content=content, headers=headers)
        yield image_id
        await self.ask("DELETE", f"/v2/images/{image_id}", 204)

    async def content(self, image_id: str) -> bytes:
        return b"".join([piece async for piece in self.images.image_content(image_id)])


async def subject_of(images: Images, identity: Identity, http: httpx.AsyncClient, tokens: tuple[str, str]) -> Subject:
    return Subject(images, http, await identity.caller(tokens[0]), await identity.caller(tokens[1]))


@asynccontextmanager
async def standalone(directory: Path) -> AsyncIterator[Subject]:
    async with services(directory) as running:
        transport = httpx.ASGITransport(app=running.images.service)
        tokens = await running.token("admin"), await running.token("kilonova")
        async with httpx.AsyncClient(transport=transport, base_url="http://image.test") as http:
            yield await subject_of(running.images, running.identity, http, tokens)


@asynccontextmanager
async def over_http(directory: Path) -> AsyncIterator[Subject]:
    async with served(directory) as (running, url):
        runtime = RealRuntime()
        account = Credentials(
            auth_url=f"{url}/identity", username="admin", password=PASSWORDS["admin"], project_name="admin"
        )
        tokens = await running.token("admin"), await running.token("kilonova")
        images = GlanceImages(ServiceSession(account, runtime))
        async with httpx.AsyncClient(base_url=f"{url}/image") as http:
            yield await subject_of(images, running.identity, http, tokens)
        await images.close()


@asynccontextmanager
async def real_glance(_directory: Path) -> AsyncIterator[Subject]:
    named = {name: os.environ[f"KILONOVA_TEST_KEYSTONE_{name}"] for name in ("URL", "USER", "PASSWORD", "PROJECT")}
    other = [os.environ[f"KILONOVA_TEST_KEYSTONE_OTHER_{name}"] for name in ("USER", "PASSWORD", "PROJECT")]
    url, image_url, runtime = named["URL"], os.environ["KILONOVA_TEST_GLANCE_URL"], RealRuntime()
    account = Credentials(
        auth_url=url, username=named["USER"], password=named["PASSWORD"], project_name=named["PROJECT"]
    )
    session = ServiceSession(account, runtime, {"image": image_url})
    async with httpx.AsyncClient(base_url=session.auth_url) as identity_http:
        owner = await log_in(identity_http, "", named["USER"], named["PASSWORD"], named["PROJECT"])
        outsider = await log_in(identity_http, "", other[0], other[1], other[2])
    async with httpx.AsyncClient(base_url=image_url) as http:
        yield await subject_of(GlanceImages(session), KeystoneIdentity(session, runtime), http, (owner, outsider))
    await session.close()


Scenario = Callable[[Subject], Awaitable[None]]
Judge = Callable[[Scenario], None]


@pytest.fixture(params=["standalone", "glance client", pytest.param("real glance", marks=pytest.mark.interop)])
def judge(request: pytest.FixtureRequest, tmp_path: Path) -> Judge:
    """Runs a scenario on one of the implementations."""
    if request.param == "real glance" and "KILONOVA_TEST_GLANCE_URL" not in os.environ:
        pytest.skip("KILONOVA_TEST_GLANCE_URL names no Glance")
    opened = {"standalone": standalone, "glance client": over_http, "real glance": real_glance}[request.param]

    def judged(scenario: Scenario) -> None:
        async def in_subject() -> None:
            async with opened(tmp_path) as subject:
                await scenario(subject)

        run(in_subject())

    return judged


def test_image_get__active_image__tells_what_compute_needs(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        attributes = {
            "min_ram": 64,
            "min_disk": 2,
            "tags": ["b", "a"],
            "hw_disk_bus": "virtio",
            "visibility": "private",
        }
        async with subject.image(**attributes) as image_id:
            image = await subject.images.image_get(subject.owner, image_id)
            assert (image.id, image.name, image.status, image.visibility) == (image_id, "contract", "active", "private")
            assert (image.disk_format, image.container_format, image.size) == ("raw", "bare", len(CONTENT))
            assert image.sha512 == hashlib.sha512(CONTENT).hexdigest()
            assert (image.min_ram, image.min_disk, sorted(image.tags)) == (64, 2, ["a", "b"])
            assert image.owner == subject.owner.project_id
            assert image.properties["hw_disk_bus"] == "virtio"
            assert "os_hidden" not in image.properties

    judge(scenario)


def test_image_get__without_content__is_queued_and_has_no_size(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        async with subject.image(content=None) as image_id:
            image = await subject.images.image_get(subject.owner, image_id)
            assert (image.status, image.size, image.sha512) == ("queued", None, None)

    judge(scenario)


def test_image_get__other_project__sees_public_and_not_private(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        async with subject.image(visibility="public") as public, subject.image(visibility="private") as private:
            assert (await subject.images.image_get(subject.outsider, public)).id == public
            with pytest.raises(NotFound):
                await subject.images.image_get(subject.outsider, private)

    judge(scenario)


def test_image_get__no_such_image__not_found(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        for unknown in (str(uuid.uuid4()), "../../etc/passwd", "", "a/b", "%2e%2e"):
            with pytest.raises(NotFound):
                await subject.images.image_get(subject.owner, unknown)
            with pytest.raises(NotFound):
                await subject.content(unknown)

    judge(scenario)


def test_image_content__active_image__is_what_was_uploaded(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        async with subject.image() as image_id:
            assert await subject.content(image_id) == CONTENT

    judge(scenario)


def test_image_content__no_content_yet__not_found(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        async with subject.image(content=None) as image_id:
            with pytest.raises(NotFound):
                await subject.content(image_id)

    judge(scenario)
