"""The image service, driven by the real `openstack` client."""

import struct
from pathlib import Path

import pytest

from contract.services import PASSWORDS
from interop.openstack_client import Client, with_client

pytestmark = pytest.mark.interop

CREATE = "image create --container-format bare --disk-format"


def test_images__whole_life(tmp_path: Path) -> None:
    content = tmp_path / "disk.raw"
    content.write_bytes(bytes(range(256)) * 4096)

    async def scenario(openstack: Client) -> None:
        made = await openstack.table(f"{CREATE} raw --property hw_disk_bus=virtio --tag t --file", str(content), "disk")
        assert (made["status"], made["size"]) == ("active", 1 << 20)
        await openstack(f"{CREATE} raw later")
        assert {row["Name"] for row in await openstack.table("image list")} == {"disk", "later"}
        assert len(await openstack.table("image list --status active --tag t")) == 1
        assert [row["Name"] for row in await openstack.table("image list --sort name:desc --limit 1")] == ["later"]
        await openstack("image set --name system --min-ram 64 --property a=b --protected disk")
        await openstack("image unset --property a --tag t system")
        shown = await openstack.table("image show system")
        assert (shown["min_ram"], shown["tags"], "a" in shown["properties"]) == (64, [], False)
        await openstack("image delete system", fails="protected")
        await openstack("image save system --file", str(tmp_path / "copy.raw"))
        assert (tmp_path / "copy.raw").read_bytes() == content.read_bytes()
        await openstack("image set --unprotected system")
        await openstack("image delete system later")
        assert await openstack.table("image list") == []

    with_client(tmp_path, scenario)


def test_images__sharing_and_visibility(tmp_path: Path) -> None:
    async def scenario(openstack: Client) -> None:
        member = openstack.as_user("kilonova", PASSWORDS["kilonova"], "kilonova")
        gift = (await openstack.table(f"{CREATE} raw --shared gift"))["id"]
        await openstack(f"{CREATE} raw --private secret")
        await openstack(f"{CREATE} raw --public for-all")
        assert [row["Name"] for row in await member.table("image list")] == ["for-all"]
        await openstack("image add project gift kilonova")
        await member("image set --accept", gift)
        assert {row["Name"] for row in await member.table("image list")} == {"for-all", "gift"}
        await member("image show secret", fails="No")
        await member("image delete for-all", fails="403")
        await member(f"{CREATE} raw --public mine", fails="403")
        await openstack("image remove project gift kilonova")
        assert len(await member.table("image list")) == 1

    with_client(tmp_path, scenario)


def test_images__refused_content__says_why(tmp_path: Path) -> None:
    backed = tmp_path / "backed.qcow2"
    backed.write_bytes(struct.pack(">4sIQIIQ", b"QFI\xfb", 3, 104, 0, 16, 1 << 30).ljust(131_072, b"\0"))

    async def scenario(openstack: Client) -> None:
        await openstack(f"{CREATE} qcow2 --file", str(backed), "backed", fails="backing file")
        await openstack(f"{CREATE} raw --file", str(backed), "lie", fails="looks like qcow2")
        await openstack(f"{CREATE} vmdk --file", str(backed), "other", fails="qcow2, aki, ari")

    with_client(tmp_path, scenario)
