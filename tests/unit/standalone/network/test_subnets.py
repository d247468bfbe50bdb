"""Subnets over HTTP: what is worked out, what is refused, who may."""

from collections.abc import Callable
from typing import Any

import pytest

from contract.network_site import Site

OnSite = Callable[..., None]


def test_create__cidr_only__gateway_and_pool_are_worked_out(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network())["id"]
        subnet = await site.subnet(network_id, "10.0.0.0/24", name="blue")
        for name in ("id", "created_at", "updated_at"):
            del subnet[name]
        assert subnet == {
            "name": "blue",
            "description": "",
            "project_id": "b" * 32,
            "tenant_id": "b" * 32,
            "tags": [],
            "revision_number": 1,
            "network_id": network_id,
            "ip_version": 4,
            "cidr": "10.0.0.0/24",
            "gateway_ip": "10.0.0.1",
            "enable_dhcp": True,
            "ipv6_ra_mode": None,
            "ipv6_address_mode": None,
            "allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.254"}],
            "dns_nameservers": [],
            "host_routes": [],
            "subnetpool_id": None,
        }

    on_site(scenario)


def test_create__no_gateway_wanted__pool_has_its_address(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        subnet = await site.subnet((await site.network())["id"], "10.0.0.0/29", gateway_ip=None)
        assert subnet["gateway_ip"] is None
        assert subnet["allocation_pools"] == [{"start": "10.0.0.1", "end": "10.0.0.6"}]

    on_site(scenario)


def test_create__ipv6__compressed_and_canonical(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        subnet = await site.subnet((await site.network())["id"], "FD00:0:0::/64", dns_nameservers=["2001:DB8::0:1"])
        assert (subnet["cidr"], subnet["gateway_ip"]) == ("fd00::/64", "fd00::1")
        assert subnet["dns_nameservers"] == ["2001:db8::1"]
        assert subnet["allocation_pools"] == [{"start": "fd00::2", "end": "fd00::ffff:ffff:ffff:ffff"}]

    on_site(scenario)


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"cidr": "10.0.0.1/24"}, "HTTPBadRequest"),
        ({"cidr": "10.0.0.0"}, "HTTPBadRequest"),
        ({"cidr": "10.0.0.0/33"}, "HTTPBadRequest"),
        ({"cidr": "10.0.0.0/255.255.255.0"}, "HTTPBadRequest"),
        ({"cidr": "010.0.0.0/24"}, "HTTPBadRequest"),
        ({"cidr": 167772160}, "HTTPBadRequest"),
        ({"cidr": "fe80::%eth0/64", "ip_version": 6}, "HTTPBadRequest"),
        ({"cidr": "fd00::/64"}, "InvalidInput"),
        ({"ip_version": 5}, "HTTPBadRequest"),
        ({"ip_version": True}, "HTTPBadRequest"),
        ({"gateway_ip": "10.0.0.0"}, "InvalidInput"),
        ({"gateway_ip": "10.0.0.255"}, "InvalidInput"),
        ({"gateway_ip": "fd00::1"}, "InvalidInput"),
        ({"gateway_ip": "router"}, "HTTPBadRequest"),
        ({"dns_nameservers": ["9.9.9.9", "9.9.9.9"]}, "HTTPBadRequest"),
        ({"dns_nameservers": [f"9.9.9.{i}" for i in range(6)]}, "HTTPBadRequest"),
        ({"dns_nameservers": "9.9.9.9"}, "HTTPBadRequest"),
        ({"dns_nameservers": ["fd00::1"]}, "InvalidInput"),
        ({"host_routes": [{"destination": "10.1.0.0/16"}]}, "HTTPBadRequest"),
        ({"host_routes": [{"destination": "10.1.0.0/16", "nexthop": "fd00::1"}]}, "InvalidInput"),
        ({"allocation_pools": [{"start": "10.0.0.9"}]}, "HTTPBadRequest"),
        ({"allocation_pools": [{"start": "10.0.0.9", "end": "10.0.0.5"}]}, "InvalidAllocationPool"),
        ({"allocation_pools": [{"start": "10.0.0.9", "end": "10.0.1.5"}]}, "OutOfBoundsAllocationPool"),
        ({"subnetpool_id": "x"}, "HTTPBadRequest"),
        ({"ipv6_ra_mode": "slaac"}, "InvalidInput"),
        ({"network_id": "nonsense"}, "HTTPBadRequest"),
    ],
)
def test_create__impossible__bad_request_and_nothing_made(on_site: OnSite, attributes: Any, kind: str) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network())["id"]
        body = {"subnet": {"network_id": network_id, "ip_version": 4, "cidr": "10.0.0.0/24", **attributes}}
        assert await site.refusal("POST", "/subnets", body, status=400) == kind
        assert (await site.ask("GET", "/subnets"))["subnets"] == []

    on_site(scenario)


def test_create__gateway_in_a_pool__conflict(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        pools = [{"start": "10.0.0.1", "end": "10.0.0.5"}]
        body = {"network_id": (await site.network())["id"], "ip_version": 4, "cidr": "10.0.0.0/24"}
        kind = await site.refusal("POST", "/subnets", {"subnet": {**body, "allocation_pools": pools}}, status=409)
        assert kind == "GatewayConflictWithAllocationPools"

    on_site(scenario)


@pytest.mark.parametrize(
    ("modes", "cidr", "status"),
    [
        ({"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}, "fd00::/64", 201),
        ({"ipv6_address_mode": "dhcpv6-stateful"}, "fd00::/80", 201),
        ({"ipv6_ra_mode": "slaac", "ipv6_address_mode": "dhcpv6-stateful"}, "fd00::/64", 400),
        ({"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}, "fd00::/80", 400),
        ({"ipv6_address_mode": "slaac", "enable_dhcp": False}, "fd00::/64", 400),
        ({"ipv6_address_mode": "magic"}, "fd00::/64", 400),
    ],
)
def test_create__ipv6_modes__only_what_goes_together(on_site: OnSite, modes: Any, cidr: str, status: int) -> None:
    async def scenario(site: Site) -> None:
        body = {"network_id": (await site.network())["id"], "ip_version": 6, "cidr": cidr, **modes}
        await site.ask("POST", "/subnets", {"subnet": body}, status=status)

    on_site(scenario)


def test_create__overlap__refused_on_one_network_fine_on_another(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        one, other = (await site.network())["id"], (await site.network())["id"]
        await site.subnet(one, "10.0.0.0/16")
        body = {"subnet": {"network_id": one, "ip_version": 4, "cidr": "10.0.7.0/24"}}
        assert await site.refusal("POST", "/subnets", body, status=400) == "InvalidInput"
        await site.subnet(other, "10.0.7.0/24")
        await site.subnet(one, "10.1.0.0/16")
        assert len((await site.ask("GET", f"/networks/{one}"))["network"]["subnets"]) == 2

    on_site(scenario)


def test_create__network_of_another_project__only_its_owner(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        foreign = (await site.network(who="other"))["id"]
        shared = (await site.network(who="admin", shared=True))["id"]
        body = {"ip_version": 4, "cidr": "10.0.0.0/24"}
        kind = await site.refusal("POST", "/subnets", {"subnet": {**body, "network_id": foreign}}, status=404)
        assert kind == "NetworkNotFound"
        await site.refusal("POST", "/subnets", {"subnet": {**body, "network_id": shared}}, status=403)
        subnet = await site.subnet(shared, "10.0.0.0/24", who="admin")
        assert (await site.ask("GET", f"/subnets/{subnet['id']}"))["subnet"]["id"] == subnet["id"]
        await site.refusal("DELETE", f"/subnets/{subnet['id']}", status=403)

    on_site(scenario)


def test_update__gateway_and_pools__checked_together(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network())["id"]
        subnet = await site.subnet(network_id, "10.0.0.0/24")
        path = f"/subnets/{subnet['id']}"
        kind = await site.refusal("PUT", path, {"subnet": {"gateway_ip": "10.0.0.9"}}, status=409)
        assert kind == "GatewayConflictWithAllocationPools"
        change = {"gateway_ip": "10.0.0.9", "allocation_pools": [{"start": "10.0.0.20", "end": "10.0.0.30"}]}
        changed = (await site.ask("PUT", path, {"subnet": change}))["subnet"]
        assert (changed["gateway_ip"], changed["allocation_pools"]) == ("10.0.0.9", change["allocation_pools"])
        port = await site.port(network_id, fixed_ips=[{"ip_address": "10.0.0.10"}])
        kind = await site.refusal("PUT", path, {"subnet": {"gateway_ip": "10.0.0.10"}}, status=409)
        assert kind == "GatewayIpInUse"
        assert port["fixed_ips"][0]["ip_address"] == "10.0.0.10"
        assert await site.refusal("PUT", path, {"subnet": {"cidr": "10.0.0.0/16"}}, status=400) == "HTTPBadRequest"

    on_site(scenario)


def test_delete__addresses_in_use__conflict_until_they_are_free(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network())["id"]
        subnet_id = (await site.subnet(network_id, "10.0.0.0/24"))["id"]
        port = await site.port(network_id)
        assert await site.refusal("DELETE", f"/subnets/{subnet_id}", status=409) == "SubnetInUse"
        await site.ask("PUT", f"/ports/{port['id']}", {"port": {"fixed_ips": []}})
        await site.ask("DELETE", f"/subnets/{subnet_id}", status=204)

    on_site(scenario)


def test_create__slaac_under_ports_that_are_there__they_get_addresses_and_lose_them(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network())["id"]
        port = await site.port(network_id, mac_address="fa:16:3e:01:02:03")
        subnet = await site.subnet(network_id, "fd00::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
        found = (await site.ask("GET", f"/ports/{port['id']}"))["port"]["fixed_ips"]
        assert found == [{"subnet_id": subnet["id"], "ip_address": "fd00::f816:3eff:fe01:203"}]
        await site.ask("DELETE", f"/subnets/{subnet['id']}", status=204)
        assert (await site.ask("GET", f"/ports/{port['id']}"))["port"]["fixed_ips"] == []

    on_site(scenario)
