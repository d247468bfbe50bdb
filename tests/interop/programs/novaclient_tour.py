"""Scenarios of python-novaclient, run by its own interpreter: `python novaclient_tour.py SCENARIO`."""

import sys
import time

import openstack
from novaclient import client, exceptions

OLDEST, NEWEST = "2.1", "2.96"


def _nova(version, cloud="kilonova"):
    return client.Client(version, session=openstack.connect(cloud=cloud).session)


def _furnished():
    """What a server needs; flavor and image are made when they are not there yet."""
    conn, admin = openstack.connect(), openstack.connect(cloud="kilonova-admin")
    image = conn.image.find_image("nova") or conn.image.create_image(
        "nova", data=bytes(1 << 20), disk_format="raw", container_format="bare", validate_checksum=False
    )
    flavor = admin.compute.find_flavor("nova") or admin.compute.create_flavor(name="nova", vcpus=1, ram=64, disk=1)
    return image.id, flavor.id


def _wait(nova, server, status):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            seen = nova.servers.get(server)
        except exceptions.NotFound:
            assert status == "gone"
            return None
        if seen.status == status:
            return seen
        time.sleep(0.1)
    raise AssertionError(f"{server} is not {status}")


def _life(version, **options):
    nova = _nova(version)
    image, flavor = _furnished()
    server = nova.servers.create("life", image, flavor, **options)
    server = _wait(nova, server.id, "ACTIVE")
    nova.servers.set_meta(server, {"a": "b"})
    assert nova.servers.get(server.id).metadata == {"a": "b"}
    nova.servers.stop(server)
    _wait(nova, server.id, "SHUTOFF")
    nova.servers.start(server)
    _wait(nova, server.id, "ACTIVE")
    server.reboot("HARD")
    _wait(nova, server.id, "ACTIVE")
    assert "[fake]" in server.get_console_output()
    assert [action.action for action in nova.instance_action.list(server)][-1] == "create"
    server.delete()
    _wait(nova, server.id, "gone")


def server_life_at_the_oldest_version():
    _life(OLDEST)


def server_life_at_a_new_version():
    _life(NEWEST, nics="none")


def lists():
    nova, admin = _nova(NEWEST), _nova(NEWEST, "kilonova-admin")
    assert nova.servers.list(search_opts={"name": "nothing"}) == []
    assert [flavor.name for flavor in nova.flavors.list()]
    assert len(admin.hypervisors.list()) == 3
    assert {service.status for service in admin.services.list(binary="nova-compute")} == {"enabled"}
    assert nova.limits.get().absolute
    assert [zone.zoneName for zone in nova.availability_zones.list(detailed=False)] == ["nova"]


def errors():
    nova = _nova(NEWEST)
    for call, expected in (
        (lambda: nova.servers.get("00000000-0000-4000-8000-000000000000"), exceptions.NotFound),
        (nova.hypervisors.list, exceptions.Forbidden),
        (lambda: nova.keypairs.create("bad", public_key="nonsense"), exceptions.BadRequest),
    ):
        try:
            call()
        except expected:
            pass
        else:
            raise AssertionError(f"no {expected.__name__}")


if __name__ == "__main__":
    globals()[sys.argv[1]]()
