"""Networks over HTTP: who sees them, who may change them, what is refused."""

from collections.abc import Callable
from typing import Any

import pytest

from contract.network_site import Site

OnSite = Callable[..., None]


def test_create__name_only__answers_defaults(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network = await site.network(name="red")
        times = network.pop("created_at"), network.pop("updated_at")
        assert times[0] == times[1]
        assert len(network.pop("id")) == 36
        assert network == {
            "name": "red",
            "description": "",
            "project_id": "b" * 32,
            "tenant_id": "b" * 32,
            "tags": [],
            "revision_number": 1,
            "admin_state_up": True,
            "shared": False,
            "mtu": 1500,
            "port_security_enabled": True,
            "status": "ACTIVE",
            "subnets": [],
            "router:external": False,
            "availability_zones": [],
        }

    on_site(scenario)


def test_show__administrator__sees_the_providers_attributes(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network())["id"]
        seen = (await site.ask("GET", f"/networks/{network_id}", who="admin"))["network"]
        assert seen["provider:network_type"] == "local"
        assert seen["provider:segmentation_id"] is None

    on_site(scenario)


def test_show__other_project__not_found_unless_shared_or_external(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        private = await site.network()
        shared = await site.network(who="admin", shared=True)
        external = await site.network(who="admin", **{"router:external": True})
        path = f"/networks/{private['id']}"
        assert await site.refusal("GET", path, who="other", status=404) == "NetworkNotFound"
        assert await site.refusal("PUT", path, {"network": {"name": "x"}}, who="other", status=404) == "NetworkNotFound"
        assert await site.refusal("DELETE", path, who="other", status=404) == "NetworkNotFound"
        listed = (await site.ask("GET", "/networks", who="other"))["networks"]
        assert {one["id"] for one in listed} == {shared["id"], external["id"]}
        body = {"network": {"name": "mine now"}}
        kind = await site.refusal("PUT", f"/networks/{shared['id']}", body, who="other", status=403)
        assert kind == "PolicyNotAuthorized"
        assert await site.refusal("DELETE", f"/networks/{shared['id']}", who="other", status=403) == kind

    on_site(scenario)


@pytest.mark.parametrize(
    "attributes",
    [{"shared": True}, {"router:external": True}, {"provider:network_type": "local"}],
)
def test_create__member_names_what_is_the_administrators__forbidden(on_site: OnSite, attributes: Any) -> None:
    async def scenario(site: Site) -> None:
        body = {"network": attributes}
        assert await site.refusal("POST", "/networks", body, status=403) == "PolicyNotAuthorized"
        assert (await site.ask("GET", "/networks"))["networks"] == []
        await site.ask("POST", "/networks", body, who="admin", status=201)

    on_site(scenario)


def test_create__reader__forbidden(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        await site.refusal("POST", "/networks", {"network": {}}, who="reader", status=403)

    on_site(scenario)


def test_create__for_another_project__administrators_only(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        body = {"network": {"name": "theirs", "project_id": "c" * 32}}
        assert await site.refusal("POST", "/networks", body, status=400) == "HTTPBadRequest"
        made = (await site.ask("POST", "/networks", body, who="admin", status=201))["network"]
        assert made["tenant_id"] == "c" * 32
        await site.ask("GET", f"/networks/{made['id']}", who="other")
        await site.refusal(
            "POST", "/networks", {"network": {"project_id": "c", "tenant_id": "d"}}, who="admin", status=400
        )
        await site.refusal("POST", "/networks", {"network": {}}, who="unscoped", status=400)

    on_site(scenario)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"network": []}',
        b'{"network": null}',
        b'{"port": {}}',
        b'{"network": {}, "port": {}}',
        b'{"networks": []}',
        b'{"networks": [1]}',
        b'{"network": {"nmae": "x"}}',
        b'{"network": {"id": "x"}}',
        b'{"network": {"status": "ACTIVE"}}',
        b'{"network": {"name": 1}}',
        b'{"network": {"name": {"a": 1}}}',
        b'{"network": {"name": "\\u0000"}}',
        b'{"network": {"admin_state_up": "maybe"}}',
        b'{"network": {"mtu": 67}}',
        b'{"network": {"mtu": 99999999999999999999}}',
        b'{"network": {"mtu": 1.5}}',
        b'{"network": {"mtu": true}}',
        b'{"network": {"project_id": ""}}',
        b'{"network": {"project_id": null}}',
        ('{"network": {"name": "' + "x" * 256 + '"}}').encode(),
        b'{"network": {"name": ' + b"[" * 5000 + b"]" * 5000 + b"}}",
    ],
)
def test_create__what_can_not_be_read__bad_request_and_nothing_made(on_site: OnSite, body: bytes) -> None:
    async def scenario(site: Site) -> None:
        assert await site.refusal("POST", "/networks", body, status=400) == "HTTPBadRequest"
        assert (await site.ask("GET", "/networks"))["networks"] == []

    on_site(scenario)


def test_create__bulk__all_or_none(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        made = await site.ask("POST", "/networks", {"networks": [{"name": "a"}, {"name": "b"}]}, status=201)
        assert [one["name"] for one in made["networks"]] == ["a", "b"]
        await site.refusal(
            "POST", "/networks", {"networks": [{"name": "c"}, {"name": "d", "shared": True}]}, status=403
        )
        assert len((await site.ask("GET", "/networks"))["networks"]) == 2
        too_many = {"networks": [{}] * 501}
        assert await site.refusal("POST", "/networks", too_many, status=400) == "HTTPBadRequest"

    on_site(scenario)


def test_create__quota_used_up__over_quota_and_bulk_makes_none(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        await site.network()
        assert await site.refusal("POST", "/networks", {"networks": [{}, {}]}, status=409) == "OverQuota"
        await site.network()
        assert await site.refusal("POST", "/networks", {"network": {}}, status=409) == "OverQuota"
        await site.network(who="other")

    on_site(scenario, limits={"network": 2})


def test_update__changes__counted_and_shown(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network = await site.network()
        path = f"/networks/{network['id']}"
        changed = await site.ask("PUT", path, {"network": {"name": "blue", "mtu": "1400", "admin_state_up": False}})
        assert changed["network"]["revision_number"] == 2
        shown = (await site.ask("GET", path))["network"]
        assert (shown["name"], shown["mtu"], shown["admin_state_up"]) == ("blue", 1400, False)
        for wrong in ({"id": "x"}, {"project_id": "b" * 32}, {"colour": 1}, {"subnets": []}):
            assert await site.refusal("PUT", path, {"network": wrong}, status=400) == "HTTPBadRequest"
        await site.refusal("PUT", path, {"network": {"shared": True}}, status=403)

    on_site(scenario)


def test_update__no_longer_shared__refused_while_others_use_it(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network(who="admin", shared=True))["id"]
        port = await site.port(network_id)
        body = {"network": {"shared": False}}
        kind = await site.refusal("PUT", f"/networks/{network_id}", body, who="admin", status=409)
        assert kind == "InvalidSharedSetting"
        await site.ask("DELETE", f"/ports/{port['id']}", status=204)
        await site.ask("PUT", f"/networks/{network_id}", body, who="admin")

    on_site(scenario)


def test_delete__with_subnets__goes_with_them_but_not_under_ports(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network())["id"]
        subnet_id = (await site.subnet(network_id, "10.0.0.0/24"))["id"]
        port = await site.port(network_id)
        assert await site.refusal("DELETE", f"/networks/{network_id}", status=409) == "NetworkInUse"
        assert (await site.ask("GET", f"/subnets/{subnet_id}"))["subnet"]["id"] == subnet_id
        await site.ask("DELETE", f"/ports/{port['id']}", status=204)
        await site.ask("DELETE", f"/networks/{network_id}", status=204)
        assert await site.refusal("GET", f"/subnets/{subnet_id}", status=404) == "SubnetNotFound"
        assert await site.refusal("DELETE", f"/networks/{network_id}", status=404) == "NetworkNotFound"

    on_site(scenario)


@pytest.mark.parametrize("network_id", ["nonsense", "%2e%2e%2fports", "a%00b", "é", "x" * 5000, "' OR 1=1 --"])
def test_show__strange_ids__not_found(on_site: OnSite, network_id: str) -> None:
    async def scenario(site: Site) -> None:
        await site.network()
        await site.refusal("GET", f"/networks/{network_id}", status=404)

    on_site(scenario)


def test_any__no_token_or_a_wrong_one__unauthorized_in_keystones_form(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        for who in ("", "forged"):
            answer = await site.ask("GET", "/networks", who=who, status=401)
            assert answer["error"]["code"] == 401

    on_site(scenario)


def test_any__policy_overridden__other_people_may(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        await site.ask("POST", "/networks", {"network": {"shared": True}}, status=201)

    on_site(scenario, policy={"create_network:shared": "role:member"})


def test_any__other_method__not_allowed(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        assert await site.refusal("PATCH", "/networks", {}, status=405) == "HTTPMethodNotAllowed"

    on_site(scenario)
