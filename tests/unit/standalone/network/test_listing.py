"""Lists over HTTP: filters, fields, sorting and pages, the same for every kind of resource."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from contract.network_site import Site

OnSite = Callable[..., None]


async def names(site: Site, query: str, *, who: str = "member") -> list[str]:
    return [one["name"] for one in (await site.ask("GET", f"/networks?{query}", who=who))["networks"]]


async def five_networks(site: Site) -> None:
    for name, mtu in (("a", 1400), ("b", 1500), ("c", 1400), ("d", 9000), ("e", 1500)):
        await site.network(name=name, mtu=mtu, description=f"about {name}")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=b", "b"),
        ("name=b&name=d&name=zz", "bd"),
        ("name=b&mtu=1400", ""),
        ("mtu=1400&mtu=9000", "acd"),
        ("mtu=99999999999999999999", ""),
        ("shared=false&admin_state_up=True", "abcde"),
        ("shared=true", ""),
        ("router:external=0", "abcde"),
        ("description=about+c", "c"),
        ("tenant_id=" + "b" * 32, "abcde"),
        ("project_id=someone", ""),
        ("revision_number=1", "abcde"),
        ("name=%27+OR+1%3D1+--", ""),
    ],
)
def test_list__filters__all_must_fit_and_repeated_ones_are_alternatives(
    on_site: OnSite, query: str, found: str
) -> None:
    async def scenario(site: Site) -> None:
        await five_networks(site)
        assert await names(site, f"{query}&sort_key=name") == list(found)

    on_site(scenario)


@pytest.mark.parametrize(
    "query",
    [
        "colour=red",
        "subnets=x",
        "mtu=many",
        "shared=maybe",
        "sort_key=colour",
        "sort_key=name&sort_dir=up",
        "sort_dir=asc",
        "limit=few",
        "limit=-1",
        "marker=nonsense",
        "&".join(f"name={i}" for i in range(501)),
    ],
)
def test_list__what_can_not_be_answered__bad_request(on_site: OnSite, query: str) -> None:
    async def scenario(site: Site) -> None:
        await site.refusal("GET", f"/networks?{query}", status=400)

    on_site(scenario)


def test_list__fields__only_those(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network = await site.network(name="a")
        listed = await site.ask("GET", "/networks?fields=id&fields=name&fields=colour")
        assert listed == {"networks": [{"id": network["id"], "name": "a"}]}
        shown = await site.ask("GET", f"/networks/{network['id']}?fields=mtu")
        assert shown == {"network": {"mtu": 1500}}

    on_site(scenario)


@pytest.mark.parametrize(
    ("query", "order"),
    [
        ("sort_key=name", "abcde"),
        ("sort_key=name&sort_dir=desc", "edcba"),
        ("sort_key=mtu&sort_dir=desc&sort_key=name&sort_dir=asc", "dbeac"),
        ("sort_key=mtu&sort_key=name", "acbed"),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 3, 5, 100])
def test_list__pages__together_are_the_whole_in_order_both_ways(
    on_site: OnSite, query: str, order: str, limit: int
) -> None:
    async def scenario(site: Site) -> None:
        await five_networks(site)
        pages: list[dict[str, Any]] = []
        url = f"/networks?{query}&limit={limit}"
        while url:
            pages.append(await site.ask("GET", url))
            url = link(pages[-1], "next")
        assert "".join(one["name"] for page in pages for one in page["networks"]) == order
        assert all(len(page["networks"]) <= limit for page in pages)
        back = [pages[-1]]
        while url := link(back[-1], "previous"):
            back.append(await site.ask("GET", url))
        assert [page["networks"] for page in back[::-1]][-1] == pages[-1]["networks"]
        assert "".join(one["name"] for page in back[::-1] for one in page["networks"]) == order

    on_site(scenario)


def link(page: dict[str, Any], rel: str) -> str:
    for one in page.get("networks_links", []):
        if one["rel"] == rel:
            parts = urlsplit(one["href"])
            assert parts.netloc == "cloud.test"
            assert parts.path == "/network/v2.0/networks"
            assert parse_qs(parts.query)["limit"]
            return f"/networks?{parts.query}"
    return ""


def test_list__null_values__have_a_place_in_the_order(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network())["id"]
        for number, gateway in enumerate((None, "10.1.0.1", None, "10.3.0.1")):
            await site.subnet(network_id, f"10.{number}.0.0/24", gateway_ip=gateway)
        found, marker = [], ""
        for _ in range(4):
            page = await site.ask("GET", f"/subnets?sort_key=gateway_ip&sort_key=cidr&limit=1{marker}")
            found.append(page["subnets"][0]["cidr"])
            marker = f"&marker={page['subnets'][0]['id']}"
        assert found == ["10.0.0.0/24", "10.2.0.0/24", "10.1.0.0/24", "10.3.0.0/24"]
        empty = await site.ask("GET", "/subnets?gateway_ip=&sort_key=cidr")
        assert [one["cidr"] for one in empty["subnets"]] == ["10.0.0.0/24", "10.2.0.0/24"]

    on_site(scenario)


def test_list__marker_of_another_project__tells_nothing(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        foreign = await site.network(who="other")
        assert await site.refusal("GET", f"/networks?marker={foreign['id']}", status=400) == "InvalidInput"

    on_site(scenario)


def test_list__ports__by_address_subnet_group_and_device(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network())["id"]
        subnet = await site.subnet(network_id, "10.0.0.0/24")
        v6 = await site.subnet(network_id, "fd00::/64")
        one = await site.port(network_id, fixed_ips=[{"ip_address": "10.0.0.5"}], device_id="s1")
        two = await site.port(network_id, fixed_ips=[{"ip_address": "10.0.0.6"}, {"subnet_id": v6["id"]}])
        group = one["security_groups"][0]

        async def found(query: str) -> list[str]:
            return sorted(port["id"] for port in (await site.ask("GET", f"/ports?{query}"))["ports"])

        both = sorted([one["id"], two["id"]])
        assert await found("fixed_ips=ip_address%3D10.0.0.5") == [one["id"]]
        assert await found("fixed_ips=ip_address%3D10.0.0.5&fixed_ips=ip_address%3D10.0.0.6") == both
        assert await found(f"fixed_ips=subnet_id%3D{v6['id']}") == [two["id"]]
        assert await found(f"fixed_ips=subnet_id%3D{subnet['id']}&fixed_ips=ip_address%3D10.0.0.6") == [two["id"]]
        assert await found("fixed_ips=ip_address%3DFD00:0::2") == [two["id"]]
        assert await found(f"security_groups={group}") == both
        assert await found("device_id=s1") == [one["id"]]
        assert await found(f"mac_address={two['mac_address']}") == [two["id"]]
        assert await found("status=DOWN&device_owner=") == both
        await site.refusal("GET", "/ports?fixed_ips=10.0.0.5", status=400)

    on_site(scenario)


def test_list__many_ports__each_with_its_own_addresses(on_site: OnSite) -> None:
    async def scenario(site: Site) -> None:
        network_id = (await site.network())["id"]
        await site.subnet(network_id, "10.0.0.0/16")
        for _ in range(3):
            await site.ask("POST", "/ports", {"ports": [{"network_id": network_id}] * 400}, status=201)
        ports = (await site.ask("GET", "/ports"))["ports"]
        assert len({port["fixed_ips"][0]["ip_address"] for port in ports}) == 1200

    on_site(scenario, limits={"port": -1})
