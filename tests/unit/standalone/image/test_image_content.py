"""Contents of images: what is taken, what is refused and leaves nothing behind, how they are read again."""

import asyncio
import hashlib
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from contract.services import Services, run, services

BYTES = {"Content-Type": "application/octet-stream"}
RAW = b"\x01" * 3_000_000


def qcow2(*, version: int = 3, backing: int = 0, features: int = 0, size: int = 1 << 30) -> bytes:
    """The header of a qcow2 image (QEMU's docs/interop/qcow2.txt) and some clusters."""
    start = struct.pack(">4sIQIIQ", b"QFI\xfb", version, backing, 0, 16, size)
    return (start.ljust(72, b"\0") + struct.pack(">Q", features)).ljust(131_072, b"\0")


VMDK = (
    struct.pack("<4sIIQQQQ", b"KDMV", 1, 3, 2048, 128, 1, 1).ljust(512, b"\0")
    + b'# Disk DescriptorFile\ncreateType="monolithicSparse"\nRW 2048 SPARSE "disk.vmdk"\n'
).ljust(70_000, b"\0")
BZIMAGE = (b"MZ".ljust(0x1FE, b"\x90") + b"\x55\xaa" + b"\xeb\x66HdrS").ljust(100_000, b"\x42")
MBR_DISK = (bytes(446) + b"\x80\0\0\0\x83\0\0\0" + bytes(56) + b"\x55\xaa").ljust(1_000_000, b"\0")


async def create(s: Services, disk_format: str | None = "raw", **attributes: Any) -> str:
    container = disk_format if disk_format in {"aki", "ari"} else "bare"
    document = {"name": "i", "disk_format": disk_format, "container_format": container, **attributes}
    response = await s.ask("POST", "/image/v2/images", await s.token("kilonova"), json=document)
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


async def upload(s: Services, image_id: str, content: Any, status: int = 204, **headers: str) -> str:
    path = f"/image/v2/images/{image_id}/file"
    response = await s.ask("PUT", path, await s.token("kilonova"), {**BYTES, **headers}, content=content)
    assert response.status_code == status, response.text
    return response.text


async def show(s: Services, image_id: str) -> dict[str, Any]:
    document: dict[str, Any] = (await s.ask("GET", f"/image/v2/images/{image_id}", await s.token("kilonova"))).json()
    return document


async def download(s: Services, image_id: str, **headers: str) -> Any:
    return await s.ask("GET", f"/image/v2/images/{image_id}/file", await s.token("kilonova"), headers)


async def is_untouched(s: Services, image_id: str) -> None:
    """Queued, without content, and no file anywhere."""
    shown = await show(s, image_id)
    assert (shown["status"], shown["size"], shown["checksum"]) == ("queued", None, None)
    assert list((s.directory / "contents").iterdir()) == []


@pytest.mark.parametrize(
    ("disk_format", "content", "virtual_size"),
    [
        ("raw", RAW, len(RAW)),
        ("raw", b"", 0),
        ("raw", MBR_DISK, len(MBR_DISK)),
        ("qcow2", qcow2(), 1 << 30),
        ("qcow2", qcow2(version=2), 1 << 30),
        ("aki", BZIMAGE, len(BZIMAGE)),
        ("ari", b"\x1f\x8b\x08" + bytes(1000), 1003),
    ],
)
def test_upload__sound_content__active_with_hashes(
    tmp_path: Path, disk_format: str, content: bytes, virtual_size: int
) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            image_id = await create(s, disk_format)
            await upload(s, image_id, content)
            shown = await show(s, image_id)
            assert (shown["status"], shown["size"], shown["virtual_size"]) == ("active", len(content), virtual_size)
            assert shown["checksum"] == hashlib.md5(content).hexdigest()
            assert (shown["os_hash_algo"], shown["os_hash_value"]) == ("sha512", hashlib.sha512(content).hexdigest())
            assert (await download(s, image_id)).content == content
            assert [each.name for each in (tmp_path / "contents").iterdir()] == [image_id]

    run(scenario())


@pytest.mark.parametrize(
    ("disk_format", "content", "why"),
    [
        ("qcow2", qcow2(backing=104), "backing file"),
        ("qcow2", qcow2(features=4), "data_file"),
        ("qcow2", qcow2(features=1 << 40), "Unknown QCOW2 features"),
        ("qcow2", qcow2(version=1), "Unsupported qcow2 version"),
        ("qcow2", RAW, "qcow2"),
        ("qcow2", b"QFI\xfb", "qcow2"),
        ("qcow2", b"", "qcow2"),
        ("qcow2", VMDK, "qcow2"),
        ("raw", qcow2(), "looks like qcow2"),
        ("raw", qcow2()[:200], "looks like qcow2"),
        ("raw", VMDK, "looks like vmdk"),
        ("aki", qcow2(), "looks like qcow2"),
        ("ari", VMDK, "looks like vmdk"),
    ],
)
def test_upload__unsafe_or_other_than_declared__refused_and_nothing_kept(
    tmp_path: Path, disk_format: str, content: bytes, why: str
) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            image_id = await create(s, disk_format)
            assert why in await upload(s, image_id, content, 415)
            await is_untouched(s, image_id)

    run(scenario())


def test_upload__refused__may_be_tried_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            image_id = await create(s, "qcow2")
            await upload(s, image_id, RAW, 415)
            await upload(s, image_id, qcow2())
            assert (await show(s, image_id))["status"] == "active"

    run(scenario())


def test_upload__larger_than_allowed__too_large_whether_declared_or_not(tmp_path: Path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield bytes(100_000)

    async def scenario() -> None:
        async with services(tmp_path, size_max=2_000_000) as s:
            image_id = await create(s)
            await upload(s, image_id, RAW, 413)
            await is_untouched(s, image_id)
            await upload(s, image_id, pieces(), 413)
            await is_untouched(s, image_id)

    run(scenario())


def test_upload__no_room_left__clear_sentence_and_nothing_kept(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            image_id = await create(s)
            partial = tmp_path / "contents" / f"{image_id}.partial"
            partial.symlink_to("/dev/full")
            assert "no room left" in await upload(s, image_id, RAW, 503)
            await is_untouched(s, image_id)

    run(scenario())


def test_upload__client_goes_away__image_is_queued_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            image_id = await create(s)
            headers = {"X-Auth-Token": await s.token("kilonova"), **BYTES}
            scope = {
                "type": "http",
                "method": "PUT",
                "path": f"/image/v2/images/{image_id}/file",
                "query_string": b"",
                "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            }
            messages = [
                {"type": "http.request", "body": bytes(2_000_000), "more_body": True},
                {"type": "http.disconnect"},
            ]
            answers = []

            async def receive() -> Any:
                return messages.pop(0)

            async def send(message: Any) -> None:
                answers.append(message)

            await s.app(scope, receive, send)
            assert answers == []
            await is_untouched(s, image_id)

    run(scenario())


def test_upload__twice_at_once__second_conflicts(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            image_id = await create(s)
            started, go_on = asyncio.Event(), asyncio.Event()

            async def slow() -> AsyncIterator[bytes]:
                yield b"one"
                started.set()
                await go_on.wait()
                yield b"two"

            first = asyncio.create_task(upload(s, image_id, slow()))
            await started.wait()
            await upload(s, image_id, b"other", 409)
            assert (await download(s, image_id)).status_code == 204
            go_on.set()
            await first
            assert (await download(s, image_id)).content == b"onetwo"
            await upload(s, image_id, b"again", 409)

    run(scenario())


def test_upload__image_deleted_meanwhile__not_found_and_nothing_kept(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            image_id = await create(s)

            async def deleting() -> AsyncIterator[bytes]:
                yield RAW
                response = await s.ask("DELETE", f"/image/v2/images/{image_id}", await s.token("kilonova"))
                assert response.status_code == 204

            await upload(s, image_id, deleting(), 404)
            assert list((tmp_path / "contents").iterdir()) == []

    run(scenario())


def test_upload__wrong_media_type_or_no_format__refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            await upload(s, await create(s), RAW, 415, **{"Content-Type": "application/json"})
            await upload(s, await create(s, None), RAW, 400)

    run(scenario())


@pytest.mark.parametrize(
    ("asked", "status", "content", "told"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=8-", 206, b"89", "bytes 8-9/10"),
        ("bytes=8-400", 206, b"89", "bytes 8-9/10"),
        ("bytes=-4", 206, b"6789", "bytes 6-9/10"),
        ("bytes=-40", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=5-2", 416, b"", "bytes */10"),
        ("bytes=-", 416, b"", "bytes */10"),
        ("bytes=a-b", 416, b"", "bytes */10"),
        ("bytes=0-1,3-4", 416, b"", "bytes */10"),
        ("lines=1-2", 416, b"", "bytes */10"),
    ],
)
def test_download__range__those_bytes(tmp_path: Path, asked: str, status: int, content: bytes, told: str) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            image_id = await create(s)
            await upload(s, image_id, b"0123456789")
            response = await download(s, image_id, Range=asked)
            assert (response.status_code, response.content) == (status, content)
            assert response.headers["Content-Range"] == told

    run(scenario())


def test_open__after_a_crash__interrupted_upload_is_over_and_leftovers_are_gone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            kept, interrupted = await create(s), await create(s)
            await upload(s, kept, RAW)
            started = asyncio.Event()

            async def endless() -> AsyncIterator[bytes]:
                yield bytes(2_000_000)
                started.set()
                await asyncio.Event().wait()

            task = asyncio.create_task(upload(s, interrupted, endless()))
            await started.wait()
            assert (await show(s, interrupted))["status"] == "saving"
            (tmp_path / "copy").mkdir()
            crashed = (tmp_path / "image.db", tmp_path / "image.db-wal")
            for file in crashed:
                (tmp_path / "copy" / file.name).write_bytes(file.read_bytes())
            task.cancel()
            await asyncio.wait([task])
        for file in crashed:
            file.unlink(missing_ok=True)
            file.write_bytes((tmp_path / "copy" / file.name).read_bytes())
        (tmp_path / "image.db-shm").unlink(missing_ok=True)
        (tmp_path / "contents" / f"{interrupted}.partial").write_bytes(b"half")
        async with services(tmp_path) as s:
            assert (await show(s, interrupted))["status"] == "queued"
            assert (await download(s, kept)).content == RAW
            assert [each.name for each in (tmp_path / "contents").iterdir()] == [kept]

    run(scenario())


def test_delete__content_goes_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            image_id = await create(s)
            await upload(s, image_id, RAW)
            await s.ask("DELETE", f"/image/v2/images/{image_id}", await s.token("kilonova"))
            assert list((tmp_path / "contents").iterdir()) == []
            assert (await download(s, image_id)).status_code == 404

    run(scenario())


def test_deactivated__content_for_administrators_only(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            image_id, token = await create(s), await s.token("kilonova")
            await upload(s, image_id, RAW)
            path = f"/image/v2/images/{image_id}"
            assert (await s.ask("POST", f"{path}/actions/deactivate", token)).status_code == 204
            assert (await show(s, image_id))["status"] == "deactivated"
            assert (await download(s, image_id)).status_code == 403
            assert (await s.ask("GET", f"{path}/file", await s.token("admin"))).content == RAW
            assert (await s.ask("POST", f"{path}/actions/reactivate", token)).status_code == 204
            assert (await download(s, image_id)).content == RAW
            queued = await create(s)
            assert (await s.ask("POST", f"/image/v2/images/{queued}/actions/deactivate", token)).status_code == 409

    run(scenario())
