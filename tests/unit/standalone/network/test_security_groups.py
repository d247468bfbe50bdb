"""Security groups and their rules over HTTP."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from contract.network_site import Site

OnSite = Callable[..., None]


async def default_group(site: Site, who: str = "member") -> dict[str, Any]:
    groups = (await site.ask("GET", "/security-groups?name=default", who=who))["security_groups"]
    assert len(groups) == 1
    return dict(groups[0])


async def make_group(site: Site, **attributes: Any) -> dict[str, Any]:
    body = {"security_group": {"name": "web", **attributes}}
    return dict((await site.ask("POST", "/security-groups", body, status=201))["security_group"])


def test_list__fresh_project__default_group_with_neutrons_rules(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        group = await default_group(site)
        assert group["description"] == "Default security group"
        rules = sorted(
            (rule["direction"], rule["ethertype"], rule["remote_group_id"], rule["protocol"])
            for rule in group["security_group_rules"]
        )
        assert [rule[:2] for rule in rules] == [
            ("egress", "IPv4"),
            ("egress", "IPv6"),
            ("ingress", "IPv4"),
            ("ingress", "IPv6"),
        ]
        assert {(rule[0], rule[2]) for rule in rules} == {("egress", None), ("ingress", group["id"])}
        assert (await default_group(site))["id"] == group["id"]
        assert (await default_group(site, "other"))["id"] != group["id"]

    on_site(scenario)


def test_list__first_use_at_once__one_default_group(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        await asyncio.gather(*(site.ask("GET", "/security-groups") for _ in range(10)))
        await default_group(site)

    on_site(scenario)


def test_create__named_default__conflict_and_same_names_are_fine(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        body = {"security_group": {"name": "default"}}
        kind = await site.refusal("POST", "/security-groups", body, status=409)
        assert kind == "SecurityGroupDefaultAlreadyExists"
        one, two = await make_group(site), await make_group(site)
        assert one["id"] != two["id"]
        assert [rule["direction"] for rule in one["security_group_rules"]] == ["egress", "egress"]
        await site.refusal("POST", "/security-groups", {"security_group": {}}, status=400)

    on_site(scenario)


def test_default_group__rename_or_delete__refused(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        path = f"/security-groups/{(await default_group(site))['id']}"
        kind = await site.refusal("PUT", path, {"security_group": {"name": "x"}}, status=409)
        assert kind == "SecurityGroupCannotUpdateDefault"
        await site.ask("PUT", path, {"security_group": {"description": "ours"}})
        assert await site.refusal("DELETE", path, status=409) == "SecurityGroupCannotRemoveDefault"
        await site.ask("DELETE", path, who="admin", status=204)
        assert (await default_group(site))["description"] == "Default security group"

    on_site(scenario)


def test_delete__in_use__conflict_until_no_port_has_it(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        group = await make_group(site)
        other = await make_group(site)
        rule = {"security_group_id": other["id"], "direction": "ingress", "remote_group_id": group["id"]}
        await site.ask("POST", "/security-group-rules", {"security_group_rule": rule}, status=201)
        port = await site.port((await site.network())["id"], security_groups=[group["id"]])
        path = f"/security-groups/{group['id']}"
        assert await site.refusal("DELETE", path, status=409) == "SecurityGroupInUse"
        await site.ask("PUT", f"/ports/{port['id']}", {"port": {"security_groups": []}})
        await site.ask("DELETE", path, status=204)
        left = (await site.ask("GET", f"/security-groups/{other['id']}"))["security_group"]["security_group_rules"]
        assert [one["remote_group_id"] for one in left] == [None, None]

    on_site(scenario)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"protocol": "TCP", "port_range_min": 22, "port_range_max": "22"}, {"protocol": "tcp", "port_range_max": 22}),
        ({"protocol": 6, "port_range_min": 1, "port_range_max": 65535}, {"protocol": "6"}),
        ({"protocol": "icmp", "port_range_min": 0, "port_range_max": 0}, {"port_range_min": 0, "port_range_max": 0}),
        ({"protocol": "icmp", "port_range_min": 8}, {"port_range_min": 8, "port_range_max": None}),
        ({"protocol": "any"}, {"protocol": None}),
        ({"ethertype": "ipv6", "protocol": "ipv6-icmp"}, {"ethertype": "IPv6"}),
        ({"remote_ip_prefix": "10.0.0.5"}, {"remote_ip_prefix": "10.0.0.5/32", "normalized_cidr": "10.0.0.5/32"}),
        ({"remote_ip_prefix": "10.2.3.4/8"}, {"remote_ip_prefix": "10.2.3.4/8", "normalized_cidr": "10.0.0.0/8"}),
        ({"remote_ip_prefix": "fd00::/8", "ethertype": "IPv6"}, {"remote_ip_prefix": "fd00::/8"}),
    ],
)
def test_rule__possible__made_as_meant(on_site: OnSite, rule: Any, expected: Any) -> None:
    async def scenario(site: Site) -> None:
        body = {
            "security_group_rule": {"security_group_id": (await make_group(site))["id"], "direction": "ingress", **rule}
        }
        made = (await site.ask("POST", "/security-group-rules", body, status=201))["security_group_rule"]
        assert made | expected == made
        path = f"/security-group-rules/{made['id']}"
        assert (await site.ask("GET", path))["security_group_rule"] == made
        await site.ask("DELETE", path, status=204)
        assert await site.refusal("DELETE", path, status=404) == "SecurityGroupRuleNotFound"
        assert "name" not in made

    on_site(scenario)


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ({"direction": "sideways"}, "HTTPBadRequest"),
        ({"ethertype": "IPX"}, "HTTPBadRequest"),
        ({"protocol": "quic"}, "HTTPBadRequest"),
        ({"protocol": 256}, "HTTPBadRequest"),
        ({"protocol": True}, "HTTPBadRequest"),
        ({"protocol": "tcp", "port_range_min": 0, "port_range_max": 0}, "SecurityGroupInvalidPortRange"),
        ({"protocol": "tcp", "port_range_min": 9, "port_range_max": 5}, "SecurityGroupInvalidPortRange"),
        ({"protocol": "tcp", "port_range_min": 9}, "SecurityGroupInvalidPortRange"),
        ({"protocol": "tcp", "port_range_min": -1, "port_range_max": -1}, "HTTPBadRequest"),
        ({"protocol": "tcp", "port_range_min": 1, "port_range_max": 65536}, "HTTPBadRequest"),
        ({"port_range_min": 1, "port_range_max": 5}, "SecurityGroupInvalidProtocolForPort"),
        ({"protocol": "icmp", "port_range_min": 256}, "SecurityGroupInvalidIcmpValue"),
        ({"protocol": "icmp", "port_range_max": 0}, "SecurityGroupMissingIcmpType"),
        ({"protocol": "ipv6-icmp"}, "SecurityGroupEthertypeConflictWithProtocol"),
        ({"remote_ip_prefix": "fd00::/8"}, "SecurityGroupRuleParameterConflict"),
        ({"remote_ip_prefix": "here"}, "HTTPBadRequest"),
    ],
)
def test_rule__impossible__bad_request(on_site: OnSite, rule: Any, kind: str) -> None:
    async def scenario(site: Site) -> None:
        group = await make_group(site)
        body = {"security_group_rule": {"security_group_id": group["id"], "direction": "ingress", **rule}}
        assert await site.refusal("POST", "/security-group-rules", body, status=400) == kind

    on_site(scenario)


def test_rule__twice__conflict_also_when_written_differently(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        group = {"security_group_id": (await make_group(site))["id"], "direction": "ingress"}
        await site.ask("POST", "/security-group-rules", {"security_group_rule": group}, status=201)
        for same in (
            {"remote_ip_prefix": "0.0.0.0/0"},
            {"remote_ip_prefix": "10.2.3.4/0"},
            {"protocol": "any"},
            {"description": "again"},
        ):
            body = {"security_group_rule": {**group, **same}}
            assert await site.refusal("POST", "/security-group-rules", body, status=409) == "SecurityGroupRuleExists"

    on_site(scenario)


def test_rule__both_remotes_or_foreign_groups__refused(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        own, foreign = (await make_group(site))["id"], (await default_group(site, "other"))["id"]
        rule = {
            "security_group_id": own,
            "direction": "ingress",
            "remote_group_id": own,
            "remote_ip_prefix": "10.0.0.0/8",
        }
        kind = await site.refusal("POST", "/security-group-rules", {"security_group_rule": rule}, status=400)
        assert kind == "SecurityGroupRemoteGroupAndRemoteIpPrefix"
        for wrong in ({"security_group_id": foreign}, {"security_group_id": own, "remote_group_id": foreign}):
            body = {"security_group_rule": {"direction": "ingress", **wrong}}
            assert await site.refusal("POST", "/security-group-rules", body, status=404) == "SecurityGroupNotFound"

    on_site(scenario)


def test_rule__change__not_a_thing(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        rule = (await default_group(site))["security_group_rules"][0]
        body = {"security_group_rule": {"description": "x"}}
        await site.refusal("PUT", f"/security-group-rules/{rule['id']}", body, status=405)

    on_site(scenario)
