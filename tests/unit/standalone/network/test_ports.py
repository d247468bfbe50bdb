"""Ports over HTTP: addresses, MACs, bindings, security; also when several want the same thing at once."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from contract.network_site import Site

OnSite = Callable[..., None]


def addresses(port: dict[str, Any]) -> list[str]:
    return [one["ip_address"] for one in port["fixed_ips"]]


def test_create__network_only__answers_all_attributes(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network())["id"]
        subnet_id = (await site.subnet(network_id, "10.0.0.0/24"))["id"]
        groups = (await site.ask("GET", "/security-groups"))["security_groups"]
        port = await site.port(network_id, who="admin", project_id="b" * 32)
        assert port.pop("mac_address").startswith("fa:16:3e:")
        for name in ("id", "created_at", "updated_at"):
            del port[name]
        assert port == {
            "name": "",
            "description": "",
            "project_id": "b" * 32,
            "tenant_id": "b" * 32,
            "tags": [],
            "revision_number": 1,
            "network_id": network_id,
            "admin_state_up": True,
            "status": "DOWN",
            "device_id": "",
            "device_owner": "",
            "fixed_ips": [{"subnet_id": subnet_id, "ip_address": "10.0.0.2"}],
            "security_groups": [groups[0]["id"]],
            "port_security_enabled": True,
            "allowed_address_pairs": [],
            "binding:host_id": "",
            "binding:vnic_type": "normal",
            "binding:vif_type": "unbound",
            "binding:vif_details": {},
            "binding:profile": {},
        }

    on_site(scenario)


def test_create__member__sees_no_binding_but_the_nic_type(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        port = await site.port((await site.network())["id"])
        assert [name for name in port if name.startswith("binding:")] == ["binding:vnic_type"]

    on_site(scenario)


def test_create__one_after_the_other__next_address_even_after_a_delete(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network())["id"]
        await site.subnet(network_id, "10.0.0.0/29")
        first, second = await site.port(network_id), await site.port(network_id)
        assert addresses(first) + addresses(second) == ["10.0.0.2", "10.0.0.3"]
        await site.ask("DELETE", f"/ports/{first['id']}", status=204)
        following = [addresses(await site.port(network_id))[0] for _ in range(4)]
        assert following == ["10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.2"]
        kind = await site.refusal("POST", "/ports", {"port": {"network_id": network_id}}, status=409)
        assert kind == "IpAddressGenerationFailure"

    on_site(scenario)


def test_create__first_subnet_full__takes_from_the_next(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network())["id"]
        await site.subnet(network_id, "10.0.0.0/30")
        await site.subnet(network_id, "10.0.1.0/30")
        taken = [addresses(await site.port(network_id)) for _ in range(2)]
        assert taken == [["10.0.0.2"], ["10.0.1.2"]]

    on_site(scenario)


def test_create__huge_pools__cost_nothing(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network())["id"]
        await site.subnet(network_id, "10.0.0.0/8")
        await site.subnet(network_id, "fd00::/16")
        ports = [addresses(await site.port(network_id)) for _ in range(3)]
        assert ports == [["10.0.0.2", "fd00::2"], ["10.0.0.3", "fd00::3"], ["10.0.0.4", "fd00::4"]]

    on_site(scenario)


def test_create__at_once__the_last_address_goes_to_exactly_one(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network())["id"]
        await site.subnet(network_id, "10.0.0.0/30")
        body = {"port": {"network_id": network_id}}
        headers = {"X-Auth-Token": "member"}
        answers = await asyncio.gather(*(site.http.post("/v2.0/ports", json=body, headers=headers) for _ in range(20)))
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19
        assert len((await site.ask("GET", "/ports"))["ports"]) == 1

    on_site(scenario)


def test_create__at_once__one_mac_and_one_address_go_to_exactly_one(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network())["id"]
        await site.subnet(network_id, "10.0.0.0/24")
        headers = {"X-Auth-Token": "member"}
        for wanted in ({"mac_address": "fa:16:3e:00:00:01"}, {"fixed_ips": [{"ip_address": "10.0.0.77"}]}):
            body = {"port": {"network_id": network_id, **wanted}}
            posts = (site.http.post("/v2.0/ports", json=body, headers=headers) for _ in range(10))
            answers = await asyncio.gather(*posts)
            assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9

    on_site(scenario)


def test_create__at_once__quota_is_kept(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        body = {"port": {"network_id": (await site.network())["id"]}}
        headers = {"X-Auth-Token": "member"}
        answers = await asyncio.gather(*(site.http.post("/v2.0/ports", json=body, headers=headers) for _ in range(20)))
        assert sorted(answer.status_code for answer in answers) == [201] * 7 + [409] * 13

    on_site(scenario, limits={"port": 7})


@pytest.mark.parametrize(
    ("wanted", "status", "kind"),
    [
        ([{"ip_address": "10.0.0.1"}], 201, ""),
        ([{"ip_address": "10.0.0.200"}], 201, ""),
        ([{"ip_address": "10.0.0.0"}], 400, "InvalidIpForNetwork"),
        ([{"ip_address": "10.0.1.5"}], 400, "InvalidIpForNetwork"),
        ([{"ip_address": "010.0.0.5"}], 400, "HTTPBadRequest"),
        ([{"ip_address": "10.0.0.5"}, {"ip_address": "10.0.0.5"}], 400, "HTTPBadRequest"),
        ([{"ip_address": f"10.0.0.{last}"} for last in range(50, 56)], 400, "HTTPBadRequest"),
        ([{"subnet_id": "00000000-0000-0000-0000-000000000000"}], 404, "SubnetNotFound"),
        ([{"subnet": "x"}], 400, "HTTPBadRequest"),
        ("10.0.0.5", 400, "HTTPBadRequest"),
        ([], 201, ""),
    ],
)
def test_create__addresses_wanted__given_or_refused(on_site: OnSite, wanted: Any, status: int, kind: str) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network())["id"]
        await site.subnet(network_id, "10.0.0.0/24", allocation_pools=[{"start": "10.0.0.10", "end": "10.0.0.20"}])
        body = {"port": {"network_id": network_id, "fixed_ips": wanted}}
        answer = await site.ask("POST", "/ports", body, status=status)
        if status == 201:
            assert addresses(answer["port"]) == [one["ip_address"] for one in wanted]
        else:
            assert answer["NeutronError"]["type"] == kind
            assert (await site.ask("GET", "/ports"))["ports"] == []

    on_site(scenario)


def test_create__address_on_the_wrong_subnet__invalid(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network())["id"]
        subnet_id = (await site.subnet(network_id, "10.0.0.0/24"))["id"]
        await site.subnet(network_id, "10.0.1.0/24")
        wanted = [{"subnet_id": subnet_id, "ip_address": "10.0.1.5"}]
        body = {"port": {"network_id": network_id, "fixed_ips": wanted}}
        assert await site.refusal("POST", "/ports", body, status=400) == "InvalidIpForSubnet"

    on_site(scenario)


@pytest.mark.parametrize("mac", ["", "nonsense", "fa:16:3e:00:00", "01:00:5e:00:00:01", "00:00:00:00:00:00", 5, None])
def test_create__wrong_mac__bad_request(on_site: OnSite, mac: Any) -> None:
    async def scenario(site: Site) -> None:
        body = {"port": {"network_id": (await site.network())["id"], "mac_address": mac}}
        assert await site.refusal("POST", "/ports", body, status=400) == "HTTPBadRequest"

    on_site(scenario)


def test_create__mac_taken__conflict_on_one_network_fine_on_another(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        one, other = (await site.network())["id"], (await site.network())["id"]
        await site.port(one, mac_address="FA-16-3E-00-00-01")
        body = {"port": {"network_id": one, "mac_address": "fa:16:3e:00:00:01"}}
        assert await site.refusal("POST", "/ports", body, status=409) == "MacAddressInUse"
        assert (await site.port(other, mac_address="fa:16:3e:00:00:01"))["mac_address"] == "fa:16:3e:00:00:01"

    on_site(scenario)


def test_create__on_a_shared_network__only_what_its_users_may(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network(who="admin", shared=True))["id"]
        subnet_id = (await site.subnet(network_id, "10.0.0.0/24", who="admin"))["id"]
        await site.port(network_id, fixed_ips=[{"subnet_id": subnet_id}])
        for wrong in (
            {"fixed_ips": [{"ip_address": "10.0.0.9"}]},
            {"mac_address": "fa:16:3e:00:00:01"},
            {"port_security_enabled": False},
            {"device_owner": "network:dhcp"},
            {"allowed_address_pairs": [{"ip_address": "0.0.0.0/0"}]},
            {"binding:host_id": "node-1"},
            {"binding:profile": {"a": 1}},
        ):
            body = {"port": {"network_id": network_id, **wrong}}
            assert await site.refusal("POST", "/ports", body, status=403) == "PolicyNotAuthorized"

    on_site(scenario)


def test_create__foreign_network_or_group__not_found(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        foreign = (await site.network(who="other"))["id"]
        own = (await site.network())["id"]
        group = (await site.ask("GET", "/security-groups", who="other"))["security_groups"][0]["id"]
        assert await site.refusal("POST", "/ports", {"port": {"network_id": foreign}}, status=404) == "NetworkNotFound"
        body = {"port": {"network_id": own, "security_groups": [group]}}
        assert await site.refusal("POST", "/ports", body, status=404) == "SecurityGroupNotFound"

    on_site(scenario)


def test_bind__administrator__active_and_unbound_again(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        port = await site.port((await site.network())["id"])
        path = f"/ports/{port['id']}"
        await site.refusal("PUT", path, {"port": {"binding:host_id": "node-1"}}, status=403)
        bound = (await site.ask("PUT", path, {"port": {"binding:host_id": "node-1"}}, who="admin"))["port"]
        assert (bound["status"], bound["binding:vif_type"]) == ("ACTIVE", "other")
        body = {"port": {"mac_address": "fa:16:3e:00:00:09"}}
        assert await site.refusal("PUT", path, body, who="admin", status=409) == "PortBound"
        free = (await site.ask("PUT", path, {"port": {"binding:host_id": ""}}, who="admin"))["port"]
        assert (free["status"], free["binding:vif_type"]) == ("DOWN", "unbound")
        await site.ask("PUT", path, body, who="admin")

    on_site(scenario)


def test_update__addresses__kept_where_wanted_and_replaced_where_not(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network())["id"]
        subnet_id = (await site.subnet(network_id, "10.0.0.0/24"))["id"]
        port = await site.port(network_id)
        path = f"/ports/{port['id']}"
        wanted = [{"subnet_id": subnet_id}, {"ip_address": "10.0.0.50"}]
        changed = (await site.ask("PUT", path, {"port": {"fixed_ips": wanted}}))["port"]
        assert addresses(changed) == ["10.0.0.2", "10.0.0.50"]
        changed = (await site.ask("PUT", path, {"port": {"fixed_ips": [{"ip_address": "10.0.0.50"}]}}))["port"]
        assert addresses(changed) == ["10.0.0.50"]
        other = await site.port(network_id, fixed_ips=[{"ip_address": "10.0.0.2"}])
        body = {"port": {"fixed_ips": [{"ip_address": "10.0.0.60"}, {"ip_address": "10.0.0.2"}]}}
        assert await site.refusal("PUT", path, body, status=409) == "IpAddressAlreadyAllocated"
        assert addresses((await site.ask("GET", path))["port"]) == ["10.0.0.50"]
        assert addresses(other) == ["10.0.0.2"]

    on_site(scenario)


def test_port_security__disabled__no_groups_and_no_pairs(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network(port_security_enabled=False))["id"]
        port = await site.port(network_id)
        assert (port["port_security_enabled"], port["security_groups"]) == (False, [])
        group = (await site.ask("GET", "/security-groups"))["security_groups"][0]["id"]
        body = {"port": {"network_id": network_id, "security_groups": [group]}}
        kind = await site.refusal("POST", "/ports", body, status=409)
        assert kind == "PortSecurityAndIPRequiredForSecurityGroups"
        path = f"/ports/{port['id']}"
        pairs = {"port": {"allowed_address_pairs": [{"ip_address": "10.9.0.0/16"}]}}
        assert await site.refusal("PUT", path, pairs, status=409) == "AddressPairAndPortSecurityRequired"
        await site.ask("PUT", path, {"port": {"port_security_enabled": True, "security_groups": [group]}})
        kind = await site.refusal("PUT", path, {"port": {"port_security_enabled": False}}, status=409)
        assert kind == "PortSecurityPortHasSecurityGroup"
        paired = (await site.ask("PUT", path, pairs))["port"]["allowed_address_pairs"]
        assert paired == [{"mac_address": port["mac_address"], "ip_address": "10.9.0.0/16"}]

    on_site(scenario)


def test_create__bulk__all_or_none(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network())["id"]
        await site.subnet(network_id, "10.0.0.0/29")
        too_many = {"ports": [{"network_id": network_id}] * 6}
        assert await site.refusal("POST", "/ports", too_many, status=409) == "IpAddressGenerationFailure"
        made = await site.ask("POST", "/ports", {"ports": [{"network_id": network_id}] * 5}, status=201)
        assert len({addresses(port)[0] for port in made["ports"]}) == 5

    on_site(scenario)


def test_show__other_project__not_found(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        path = f"/ports/{(await site.port((await site.network())['id']))['id']}"
        for method, body in (("GET", None), ("PUT", {"port": {"name": "x"}}), ("DELETE", None)):
            assert await site.refusal(method, path, body, who="other", status=404) == "PortNotFound"
        await site.refusal("PUT", path, {"port": {"name": "x"}}, who="reader", status=403)
        await site.refusal("DELETE", path, who="reader", status=403)

    on_site(scenario)
