"""Images of servers, rebuild and shelving, driven by the real `openstack` client on the fake driver."""

import pytest

from interop.test_compute_cli import Openstack, _wait, admin, boot, openstack, up

pytestmark = pytest.mark.interop
__all__ = ["admin", "openstack", "up"]


def test_image_backup_rebuild_and_shelve(openstack: Openstack) -> None:
    boot(openstack, "art")
    made = openstack.table("server image create --wait --name golden art")
    assert made["status"] == "active"
    boot_again = "server create --wait --image golden --flavor small --network net copy"
    assert openstack.table(boot_again)["status"] == "ACTIVE"
    for night in (1, 2):
        openstack(f"server backup create --wait --name night-{night} --type daily --rotate 1 art")
        _wait(openstack, "art", "ACTIVE")
    names = {row["Name"] for row in openstack.table("image list")}
    assert "night-2" in names
    assert "night-1" not in names
    openstack("server rebuild --wait --image golden --description anew art")
    shown = openstack.table("server show art")
    assert (shown["status"], shown["description"]) == ("ACTIVE", "anew")
    openstack("server shelve --wait art")
    _wait(openstack, "art", "SHELVED_OFFLOADED")
    openstack("server unshelve --wait art")
    _wait(openstack, "art", "ACTIVE")
    openstack("server delete --wait art copy")
    assert "art-shelved" not in [row["Name"] for row in openstack.table("image list")]
