"""Scenarios of openstacksdk, run by its own interpreter: `python sdk_tour.py SCENARIO`."""

import sys

import openstack
from openstack import exceptions


def _connected(name=None):
    return openstack.connect(cloud=name) if name else openstack.connect()


def _furnished(conn):
    """Network, image and flavor, made when they are not there yet."""
    admin = _connected("kilonova-admin")
    network = conn.network.find_network("sdk") or conn.network.create_network(name="sdk")
    if not list(conn.network.subnets(network_id=network.id)):
        conn.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.1.0.0/24")
    image = conn.image.find_image("sdk") or conn.image.create_image(
        "sdk", data=bytes(1 << 20), disk_format="raw", container_format="bare", validate_checksum=False
    )
    flavor = admin.compute.find_flavor("sdk") or admin.compute.create_flavor(name="sdk", vcpus=1, ram=64, disk=1)
    return {"image_id": image.id, "flavor_id": flavor.id, "networks": [{"uuid": network.id}]}


def server_life():
    conn = _connected()
    server = conn.compute.create_server(name="life", metadata={"a": "b"}, **_furnished(conn))
    server = conn.compute.wait_for_server(server, wait=60)
    assert server.status == "ACTIVE"
    assert server.addresses["sdk"][0]["addr"].startswith("10.1.0.")
    conn.compute.set_server_metadata(server, c="d")
    assert dict(conn.compute.get_server_metadata(server).metadata) == {"a": "b", "c": "d"}
    conn.compute.update_server(server, name="lived")
    conn.compute.add_tag_to_server(server, "tagged")
    assert [each.name for each in conn.compute.servers(tags="tagged")] == ["lived"]
    conn.compute.stop_server(server)
    conn.compute.wait_for_server(server, status="SHUTOFF", wait=60)
    conn.compute.start_server(server)
    conn.compute.wait_for_server(server, wait=60)
    conn.compute.reboot_server(server, "HARD")
    conn.compute.wait_for_server(server, wait=60)
    assert "[fake]" in conn.compute.get_server_console_output(server)["output"]
    actions = [action.action for action in conn.compute.server_actions(server)]
    assert actions[-1] == "create", actions
    conn.compute.delete_server(server)
    conn.compute.wait_for_delete(server, wait=60)


def pages():
    conn = _connected()
    wanted = _furnished(conn)
    made = [conn.compute.create_server(name=f"page-{number}", **wanted) for number in range(5)]
    for server in made:
        conn.compute.wait_for_server(server, wait=60)
    names = [server.name for server in conn.compute.servers(limit=2, sort_key="display_name", sort_dir="asc")]
    assert names == [f"page-{number}" for number in range(5)], names
    assert len(list(conn.compute.servers(details=False, limit=1))) == 5
    for server in made:
        conn.compute.delete_server(server)
    for server in made:
        conn.compute.wait_for_delete(server, wait=60)


def several_at_once():
    conn = _connected()
    conn.compute.create_server(name="many", min_count=3, max_count=3, return_reservation_id=True, **_furnished(conn))
    servers = list(conn.compute.servers(name="many"))
    assert sorted(server.name for server in servers) == ["many-1", "many-2", "many-3"]
    for server in servers:
        conn.compute.wait_for_server(server, wait=60)
        conn.compute.delete_server(server)
        conn.compute.wait_for_delete(server, wait=60)


def errors():
    conn = _connected()
    for call, expected in (
        (lambda: conn.compute.get_server("00000000-0000-4000-8000-000000000000"), exceptions.NotFoundException),
        (lambda: conn.compute.create_flavor(name="x", vcpus=1, ram=1, disk=1), exceptions.ForbiddenException),
        (lambda: conn.compute.create_server(name="", **_furnished(conn)), exceptions.BadRequestException),
        (lambda: conn.compute.create_keypair(name="bad", public_key="nonsense"), exceptions.BadRequestException),
    ):
        try:
            call()
        except expected:
            pass
        else:
            raise AssertionError(f"no {expected.__name__}")


def keys_groups_and_limits():
    conn = _connected()
    key = conn.compute.create_keypair(name="sdk")
    assert key.private_key
    assert key.fingerprint
    assert [each.name for each in conn.compute.keypairs()] == ["sdk"]
    conn.compute.delete_keypair(key)
    group = conn.compute.create_server_group(name="apart", policy="anti-affinity")
    assert [each.name for each in conn.compute.server_groups()] == ["apart"]
    conn.compute.delete_server_group(group)
    assert conn.compute.get_limits().absolute.instances >= 10


def admin_views():
    admin = _connected("kilonova-admin")
    assert len(list(admin.compute.hypervisors(details=True))) == 3
    assert {service.state for service in admin.compute.services(binary="nova-compute")} == {"up"}
    assert len(list(admin.placement.resource_providers())) == 3
    aggregate = admin.compute.create_aggregate(name="rack", availability_zone="east")
    admin.compute.add_host_to_aggregate(aggregate, "fake-00001")
    admin.compute.remove_host_from_aggregate(aggregate, "fake-00001")
    admin.compute.delete_aggregate(aggregate)
    credential = admin.identity.create_application_credential(admin.current_user_id, name="robot")
    assert credential.secret
    admin.identity.delete_application_credential(admin.current_user_id, credential)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
