"""Quotas, tags, and what clients ask about the service itself."""

from collections.abc import Callable
from typing import Any

import pytest

from contract.network_site import Site
from kilonova.standalone.network.absent import ABSENT

OnSite = Callable[..., None]
MEMBER = "b" * 32
DEFAULTS = {"network": 100, "subnet": 100, "port": 500, "security_group": 10, "security_group_rule": 100}


def test_quota__own_project__shown_with_use_and_defaults(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        await site.network()
        assert await site.ask("GET", f"/quotas/{MEMBER}") == {"quota": DEFAULTS}
        assert await site.ask("GET", f"/quotas/{MEMBER}/default") == {"quota": DEFAULTS}
        details = (await site.ask("GET", f"/quotas/{MEMBER}/details"))["quota"]
        assert details["network"] == {"limit": 100, "used": 1, "reserved": 0}
        assert (await site.ask("GET", "/quotas/project"))["project"]["project_id"] == MEMBER
        assert (await site.ask("GET", "/quotas/tenant"))["tenant"]["tenant_id"] == MEMBER
        await site.refusal("GET", f"/quotas/{'c' * 32}", status=403)

    on_site(scenario)


def test_quota__administrator_changes_it__holds_until_deleted(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        path = f"/quotas/{MEMBER}"
        await site.refusal("PUT", path, {"quota": {"network": 1}}, status=403)
        changed = await site.ask("PUT", path, {"quota": {"network": 1}}, who="admin")
        assert changed == {"quota": {**DEFAULTS, "network": 1}}
        await site.network()
        assert await site.refusal("POST", "/networks", {"network": {}}, status=409) == "OverQuota"
        listed = (await site.ask("GET", "/quotas", who="admin"))["quotas"]
        assert listed == [{"project_id": MEMBER, "tenant_id": MEMBER, **DEFAULTS, "network": 1}]
        assert (await site.ask("GET", "/quotas", who="other"))["quotas"] == []
        await site.ask("PUT", path, {"quota": {"network": -1}}, who="admin")
        await site.network()
        await site.refusal("PUT", path, {"quota": {"network": 1}}, who="admin", status=400)
        await site.ask("PUT", path, {"quota": {"network": 1, "force": True}}, who="admin")
        await site.ask("DELETE", path, who="admin", status=204)
        assert await site.ask("GET", path) == {"quota": DEFAULTS}

    on_site(scenario)


@pytest.mark.parametrize(
    "quota", [{"router": 5}, {"network": -2}, {"network": "many"}, {"network": None}, {"network": 2**31}, []]
)
def test_quota__wrong__bad_request(on_site: OnSite, quota: Any) -> None:
    async def scenario(site: Site) -> None:
        await site.refusal("PUT", f"/quotas/{MEMBER}", {"quota": quota}, who="admin", status=400)

    on_site(scenario)


def test_tags__put_and_taken__shown_and_found_by(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network(name="n1"))["id"]
        await site.network(name="n2")
        path = f"/networks/{network_id}/tags"
        assert await site.ask("PUT", path, {"tags": ["red", "blue"]}) == {"tags": ["blue", "red"]}
        await site.ask("PUT", f"{path}/green", status=201)
        await site.ask("PUT", f"{path}/green", status=201)
        assert await site.ask("GET", path) == {"tags": ["blue", "green", "red"]}
        assert (await site.ask("GET", f"/networks/{network_id}"))["network"]["tags"] == ["blue", "green", "red"]
        await site.ask("GET", f"{path}/red", status=204)
        for query, found in (
            ("tags=red,blue", ["n1"]),
            ("tags=red,pink", []),
            ("tags-any=red,pink", ["n1"]),
            ("not-tags=red,blue", ["n2"]),
            ("not-tags-any=pink", ["n1", "n2"]),
        ):
            listed = (await site.ask("GET", f"/networks?{query}&sort_key=name"))["networks"]
            assert [one["name"] for one in listed] == found, query
        await site.ask("DELETE", f"{path}/red", status=204)
        assert await site.refusal("DELETE", f"{path}/red", status=404) == "TagNotFound"
        assert await site.refusal("GET", f"{path}/red", status=404) == "TagNotFound"
        await site.ask("DELETE", path, status=204)
        assert await site.ask("GET", path) == {"tags": []}

    on_site(scenario)


def test_tags__others_or_impossible__refused(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        path = f"/networks/{(await site.network())['id']}/tags"
        await site.refusal("PUT", path, {"tags": ["x"]}, who="other", status=404)
        await site.refusal("PUT", path, {"tags": ["x"]}, who="reader", status=403)
        for wrong in (["a,b"], [""], ["a/b"], ["x" * 256], [1], "x", ["a", "a"], [str(i) for i in range(51)]):
            await site.refusal("PUT", path, {"tags": wrong}, status=400)
        await site.refusal("PUT", path, {"tag": ["x"]}, status=400)
        await site.ask("PUT", path, {"tags": [str(i) for i in range(50)]})
        await site.refusal("PUT", f"{path}/more", status=400)

    on_site(scenario)


def test_tags__resource_deleted__gone_with_it(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network())["id"]
        await site.ask("PUT", f"/networks/{network_id}/tags/red", status=201)
        await site.ask("DELETE", f"/networks/{network_id}", status=204)
        await site.refusal("GET", f"/networks/{network_id}/tags", status=404)

        def left(tx: Any) -> int:
            return int(tx.connection.exec_driver_sql("select count(*) from tags").scalar_one())

        assert await site.database.read(left) == 0

    on_site(scenario)


def test_versions__anybody__told(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        document = (await site.http.get("/")).json()
        assert document["versions"][0]["links"] == [{"rel": "self", "href": "http://cloud.test/network/v2.0/"}]
        resources = await site.ask("GET", "/", who="")
        assert [one["collection"] for one in resources["resources"]][:3] == ["networks", "subnets", "ports"]

    on_site(scenario)


def test_extensions__listed__each_can_be_shown(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        listed = (await site.ask("GET", "/extensions"))["extensions"]
        aliases = [one["alias"] for one in listed]
        assert {"security-group", "binding", "quotas", "standard-attr-tag"} <= set(aliases)
        assert "router" not in aliases
        for one in listed:
            assert await site.ask("GET", f"/extensions/{one['alias']}") == {"extension": one}
        assert await site.refusal("GET", "/extensions/router", status=404) == "ExtensionNotFound"
        assert await site.ask("GET", "/availability_zones") == {"availability_zones": []}
        assert await site.ask("GET", "/agents") == {"agents": []}

    on_site(scenario)


@pytest.mark.parametrize("segment", sorted(ABSENT))
def test_absent__every_method__not_found_with_a_reason(on_site: OnSite, segment: str) -> None:
    async def scenario(site: Site) -> None:
        for method, path in (("GET", segment), ("POST", segment), ("GET", f"{segment}/x"), ("PUT", f"{segment}/x/y")):
            answer = await site.ask(method, f"/{path}", status=404)
            assert "not there yet" in answer["NeutronError"]["message"]

    on_site(scenario)
