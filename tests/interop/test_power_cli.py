"""Pausing, suspending, rescuing and resetting servers, driven by the real `openstack` client on the fake driver."""

import pytest

from interop.test_compute_cli import Openstack, _wait, admin, boot, openstack, up

pytestmark = pytest.mark.interop
__all__ = ["admin", "openstack", "up"]


def test_power_rescue_and_reset(openstack: Openstack, admin: Openstack) -> None:
    boot(openstack, "power")
    server_id = openstack.table("server show power")["id"]
    for there, status, back in (("pause", "PAUSED", "unpause"), ("suspend", "SUSPENDED", "resume")):
        openstack(f"server {there} power")
        _wait(openstack, "power", status)
        openstack(f"server {back} power")
        _wait(openstack, "power", "ACTIVE")
    openstack("server rescue power")
    _wait(openstack, "power", "RESCUE")
    openstack("server unrescue power")
    _wait(openstack, "power", "ACTIVE")
    for state, status in (("error", "ERROR"), ("active", "ACTIVE")):
        admin(f"server set --auto-approve --state {state} {server_id}")
        _wait(openstack, "power", status)
    openstack("server delete --wait power")
