"""What every network client does: the built-in service in process, and Neutron's client.

Neutron's client runs against the built-in service over HTTP, and against a real Neutron where KILONOVA_TEST_NEUTRON_URL
names one; then KILONOVA_TEST_KEYSTONE_URL, _USER, _PASSWORD and _PROJECT name an administrator, and _MEMBER_USER and
_OTHER_USER (each with _PASSWORD and _PROJECT) members of two other projects.
"""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from contract.network_site import PEOPLE, network_site, served
from contract.services import log_in, run
from kilonova.clients.network import Networks
from kilonova.clients.neutron import NeutronNetworks
from kilonova.clients.session import Credentials, ServiceSession
from kilonova.kernel.errors import Conflict, Invalid, NotFound, OverLimit, Unavailable
from kilonova.objects.caller import Caller
from kilonova.objects.port import Network, Port, PortRequest
from kilonova.runtime.real import RealRuntime

CIDR = "10.11.12.0/24"


def new_id() -> str:
    return str(uuid.uuid4())


@dataclass
class Subject:
    """A network client, and the Networking API behind it."""

    networks: Networks
    http: httpx.AsyncClient
    admin: Caller
    member: Caller
    other: Caller

    async def ask(self, method: str, path: str, body: Any, status: int, who: Caller | None = None) -> Any:
        headers = {"X-Auth-Token": (who or self.member).token}
        response = await self.http.request(method, f"/v2.0{path}", headers=headers, json=body)
        assert response.status_code == status, response.text
        return response.json() if response.content else None

    async def network(self, who: Caller | None = None, **attributes: Any) -> str:
        body = {"network": {"name": f"contract-{new_id()[:8]}", **attributes}}
        return str((await self.ask("POST", "/networks", body, 201, who))["network"]["id"])

    async def subnet(self, network_id: str, cidr: str = CIDR, **attributes: Any) -> str:
        version = 6 if ":" in cidr else 4
        body = {"subnet": {"network_id": network_id, "cidr": cidr, "ip_version": version, **attributes}}
        return str((await self.ask("POST", "/subnets", body, 201))["subnet"]["id"])

    async def server_port(self, network_id: str, server_id: str, **options: Any) -> Port:
        assert self.member.project_id is not None
        given: dict[str, Any] = {
            "project_id": self.member.project_id,
            "network_id": network_id,
            "server_id": server_id,
            "host": "node-1",
            "zone": "nova",
            "fixed_ip": None,
            "security_group_ids": (),
            "description": "kilonova:test",
        }
        return await self.networks.port_create(PortRequest(**{**given, **options}))


@asynccontextmanager
async def standalone(directory: Path) -> AsyncIterator[Subject]:
    async with network_site(directory) as site:
        yield Subject(site.networks, site.http, PEOPLE["admin"], PEOPLE["member"], PEOPLE["other"])


@asynccontextmanager
async def over_http(directory: Path) -> AsyncIterator[Subject]:
    async with network_site(directory) as site, served(site) as url:
        account = Credentials(auth_url=f"{url}/identity", username="nova", password="pw")
        networks = NeutronNetworks(ServiceSession(account, site.runtime, {"network": f"{url}/network"}))
        yield Subject(networks, site.http, PEOPLE["admin"], PEOPLE["member"], PEOPLE["other"])
        await networks.close()


@asynccontextmanager
async def real_neutron(_directory: Path) -> AsyncIterator[Subject]:
    from kilonova.clients.keystone import KeystoneIdentity  # noqa: PLC0415 - only where there is one

    def setting(name: str) -> str:
        return os.environ[f"KILONOVA_TEST_KEYSTONE_{name}"]

    account = Credentials(
        auth_url=setting("URL"),
        username=setting("USER"),
        password=setting("PASSWORD"),
        project_name=setting("PROJECT"),
    )
    runtime, url = RealRuntime(), os.environ["KILONOVA_TEST_NEUTRON_URL"]
    session = ServiceSession(account, runtime, {"network": url})
    identity = KeystoneIdentity(session, runtime)
    people = []
    async with httpx.AsyncClient(base_url=session.auth_url, timeout=60) as http:
        for who in ("", "MEMBER_", "OTHER_"):
            user, password, project = setting(f"{who}USER"), setting(f"{who}PASSWORD"), setting(f"{who}PROJECT")
            people.append(await identity.caller(await log_in(http, "", user, password, project)))
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        yield Subject(NeutronNetworks(session), http, *people)
    await session.close()


Scenario = Callable[[Subject], Awaitable[None]]
Judge = Callable[[Scenario], None]


@pytest.fixture(params=["standalone", "neutron client", pytest.param("real neutron", marks=pytest.mark.interop)])
def judge(request: pytest.FixtureRequest, tmp_path: Path) -> Judge:
    """Runs a scenario on one of the implementations."""
    if request.param == "real neutron" and "KILONOVA_TEST_NEUTRON_URL" not in os.environ:
        pytest.skip("KILONOVA_TEST_NEUTRON_URL names no Neutron")
    opened = {"standalone": standalone, "neutron client": over_http, "real neutron": real_neutron}[request.param]

    def judged(scenario: Scenario) -> None:
        async def in_subject() -> None:
            async with opened(tmp_path) as subject:
                await scenario(subject)

        run(in_subject())

    return judged


def test_networks_available__own_and_shared__not_those_of_others(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        own = await subject.network()
        foreign = await subject.network(subject.other)
        shared = await subject.network(subject.admin, shared=True)
        private = await subject.network(subject.admin)

        found = await subject.networks.networks_available(subject.member)

        ids = [network.id for network in found]
        assert own in ids
        assert shared in ids
        assert foreign not in ids
        assert private not in ids
        assert [(network.name, network.id) for network in found] == sorted((n.name, n.id) for n in found)

    judge(scenario)


def test_networks_available__administrator__not_every_projects(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        own, foreign = await subject.network(subject.admin), await subject.network()
        ids = [network.id for network in await subject.networks.networks_available(subject.admin)]
        assert own in ids
        assert foreign not in ids

    judge(scenario)


def test_network_get__own__tells_what_boot_needs(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        network_id = await subject.network(name="red", mtu=1400)
        subnet_id = await subject.subnet(network_id)
        assert await subject.networks.network_get(subject.member, network_id) == Network(
            id=network_id,
            name="red",
            project_id=subject.member.project_id or "",  # type: ignore[arg-type]
            shared=False,
            admin_state_up=True,
            external=False,
            mtu=1400,
            subnet_ids=(subnet_id,),
        )

    judge(scenario)


@pytest.mark.parametrize("network_id", ["", "nonsense", "../ports", "a b?c#d", "00000000-0000-0000-0000-000000000000"])
def test_network_get__unknown_or_foreign__not_found(judge: Judge, network_id: str) -> None:
    async def scenario(subject: Subject) -> None:
        foreign = await subject.network(subject.other)
        for one in (foreign, network_id or foreign):
            with pytest.raises(NotFound):
                await subject.networks.network_get(subject.member, one)

    judge(scenario)


def test_subnets__of_a_network__in_the_order_of_making(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        network_id = await subject.network()
        first = await subject.subnet(network_id, dns_nameservers=["9.9.9.9"])
        second = await subject.subnet(network_id, "fd00:1::/64", enable_dhcp=False, gateway_ip=None)

        found = {subnet.id: subnet for subnet in await subject.networks.subnets(network_id)}

        assert set(found) == {first, second}
        v4, v6 = found[first], found[second]
        assert (v4.version, v4.cidr, v4.gateway, v4.dns, v4.dhcp) == (4, CIDR, "10.11.12.1", ("9.9.9.9",), True)
        assert (v6.version, v6.cidr, v6.gateway, v6.dns, v6.dhcp) == (6, "fd00:1::/64", None, (), False)

    judge(scenario)


def test_security_groups__fresh_project__has_a_default_one(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        found = await subject.networks.security_groups(subject.other)
        assert "default" in [group.name for group in found]
        assert {group.project_id for group in found} == {subject.other.project_id}

    judge(scenario)


def test_port_create__no_address_named__gets_one_and_the_default_group(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        network_id, server_id = await subject.network(), new_id()
        subnet_id = await subject.subnet(network_id)

        port = await subject.server_port(network_id, server_id, description="kilonova:abc")

        assert (port.network_id, port.device_id, port.description) == (network_id, server_id, "kilonova:abc")
        assert port.project_id == subject.member.project_id
        assert port.mac.startswith("fa:16:3e:")
        assert [one.subnet_id for one in port.fixed_ips] == [subnet_id]
        assert port.fixed_ips[0].address.startswith("10.11.12.")
        assert port.fixed_ips[0].address not in {"10.11.12.0", "10.11.12.1", "10.11.12.255"}
        groups = await subject.networks.security_groups(subject.member)
        assert port.security_group_ids == tuple(group.id for group in groups if group.name == "default")
        assert port.host == "node-1"

    judge(scenario)


def test_port_create__two_versions__gets_an_address_of_each(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        network_id = await subject.network()
        await subject.subnet(network_id)
        await subject.subnet(network_id, "fd00:2::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
        port = await subject.server_port(network_id, new_id())
        v4, v6 = sorted(one.address for one in port.fixed_ips)
        assert v4.startswith("10.11.12.")
        interface = f"{int(port.mac[:2], 16) ^ 2:x}{port.mac[3:5]}:{int(port.mac[6:8], 16):x}ff:fe"
        assert v6.startswith(f"fd00:2::{interface}")

    judge(scenario)


def test_port_create__address_and_groups_named__has_them(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        network_id = await subject.network()
        await subject.subnet(network_id)
        group = {"security_group": {"name": f"web-{new_id()}"}}
        made = (await subject.ask("POST", "/security-groups", group, 201))["security_group"]["id"]
        port = await subject.server_port(network_id, new_id(), fixed_ip="10.11.12.99", security_group_ids=(made,))
        assert [one.address for one in port.fixed_ips] == ["10.11.12.99"]
        assert port.security_group_ids == (made,)

    judge(scenario)


def test_port_create__no_subnet__has_no_address(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        port = await subject.server_port(await subject.network(), new_id())
        assert port.fixed_ips == ()

    judge(scenario)


def test_port_create__address_taken__conflict(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        network_id = await subject.network()
        await subject.subnet(network_id)
        await subject.server_port(network_id, new_id(), fixed_ip="10.11.12.50")
        with pytest.raises(Conflict):
            await subject.server_port(network_id, new_id(), fixed_ip="10.11.12.50")

    judge(scenario)


@pytest.mark.parametrize("address", ["10.99.0.1", "10.11.12.255", "fd00::1"])
def test_port_create__address_not_of_the_network__invalid(judge: Judge, address: str) -> None:
    async def scenario(subject: Subject) -> None:
        network_id = await subject.network()
        await subject.subnet(network_id)
        with pytest.raises(Invalid):
            await subject.server_port(network_id, new_id(), fixed_ip=address)

    judge(scenario)


def test_port_create__network_or_group_gone__not_found(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        with pytest.raises(NotFound):
            await subject.server_port(new_id(), new_id())
        with pytest.raises(NotFound):
            await subject.server_port(await subject.network(), new_id(), security_group_ids=(new_id(),))

    judge(scenario)


def test_port_create__pool_empty__conflict_and_nothing_made(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        network_id, server_id = await subject.network(), new_id()
        pool = [{"start": "10.11.12.7", "end": "10.11.12.8"}]
        await subject.subnet(network_id, allocation_pools=pool)
        made = [await subject.server_port(network_id, new_id()) for _ in range(2)]
        assert sorted(port.fixed_ips[0].address for port in made) == ["10.11.12.7", "10.11.12.8"]
        with pytest.raises(Conflict):
            await subject.server_port(network_id, server_id)
        assert await subject.networks.ports_of(server_id) == []

    judge(scenario)


def test_port_create__at_once__every_address_once(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        network_id = await subject.network()
        await subject.subnet(network_id, allocation_pools=[{"start": "10.11.12.7", "end": "10.11.12.10"}])
        made = await asyncio.gather(
            *(subject.server_port(network_id, new_id()) for _ in range(6)), return_exceptions=True
        )
        ports = [one for one in made if isinstance(one, Port)]
        refused = [one for one in made if not isinstance(one, Port)]
        addresses = [port.fixed_ips[0].address for port in ports]
        assert len(set(addresses)) == len(addresses)
        assert set(addresses) <= {f"10.11.12.{last}" for last in (7, 8, 9, 10)}
        assert all(isinstance(one, Conflict | Unavailable) for one in refused), refused

    judge(scenario)


def test_port_create__quota_used_up__over_limit(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        network_id = await subject.network()
        path = f"/quotas/{subject.member.project_id}"
        await subject.ask("PUT", path, {"quota": {"port": 0, "force": True}}, 200, subject.admin)
        try:
            with pytest.raises(OverLimit):
                await subject.server_port(network_id, new_id())
        finally:
            await subject.ask("DELETE", path, None, 204, subject.admin)

    judge(scenario)


def test_port_get__foreign__not_found(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        port = await subject.server_port(await subject.network(), new_id())
        assert await subject.networks.port_get(subject.member, port.id) == port
        for caller, port_id in ((subject.other, port.id), (subject.member, new_id()), (subject.member, "../networks")):
            with pytest.raises(NotFound):
                await subject.networks.port_get(caller, port_id)

    judge(scenario)


def test_ports_of__server__its_ports_only_in_order_of_id(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        network_id, server_id = await subject.network(), new_id()
        made = [await subject.server_port(network_id, server_id) for _ in range(3)]
        await subject.server_port(network_id, new_id())
        found = await subject.networks.ports_of(server_id)
        assert [port.id for port in found] == sorted(port.id for port in made)

    judge(scenario)


def test_port_bind__host_named__active_there_and_again_the_same(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        server_id = new_id()
        port = await subject.server_port(await subject.network(), server_id)
        for _ in range(2):
            bound = await subject.networks.port_bind(port.id, server_id=server_id, host="node-1", zone="nova")
            assert (bound.host, bound.device_owner, bound.device_id) == ("node-1", "compute:nova", server_id)
            assert bound.vif_type not in {"", "unbound", "binding_failed"}
        moved = await subject.networks.port_bind(port.id, server_id=server_id, host="node-2", zone="nova")
        assert moved.host == "node-2"
        nowhere = await subject.networks.port_bind(port.id, server_id=server_id, host="", zone="nova")
        assert (nowhere.host, nowhere.device_id, nowhere.vif_type) == ("", server_id, "unbound")

    judge(scenario)


def test_port_bind__free_port__becomes_the_servers(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        body = {"port": {"network_id": await subject.network(), "name": "mine"}}
        port_id = (await subject.ask("POST", "/ports", body, 201))["port"]["id"]
        server_id = new_id()
        bound = await subject.networks.port_bind(port_id, server_id=server_id, host="node-1", zone="z")
        assert (bound.device_id, bound.name) == (server_id, "mine")

    judge(scenario)


def test_port_bind__another_servers_or_gone__refused(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        port = await subject.server_port(await subject.network(), new_id())
        with pytest.raises(Conflict):
            await subject.networks.port_bind(port.id, server_id=new_id(), host="node-1", zone="nova")
        with pytest.raises(NotFound):
            await subject.networks.port_bind(new_id(), server_id=new_id(), host="node-1", zone="nova")

    judge(scenario)


def test_port_unbind__bound__stays_and_is_free_again(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        network_id, server_id = await subject.network(), new_id()
        await subject.subnet(network_id)
        port = await subject.server_port(network_id, server_id)
        await subject.networks.port_bind(port.id, server_id=server_id, host="node-1", zone="nova")
        for _ in range(2):
            await subject.networks.port_unbind(port.id)
        free = await subject.networks.port_get(subject.member, port.id)
        assert (free.device_id, free.device_owner, free.host) == ("", "", "")
        assert (free.fixed_ips, free.mac, free.status) == (port.fixed_ips, port.mac, "DOWN")
        assert await subject.networks.ports_of(server_id) == []
        await subject.networks.port_unbind(new_id())

    judge(scenario)


def test_ports_page__in_order_of_id__all_of_them_once(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        network_id = await subject.network()
        made = sorted([(await subject.server_port(network_id, new_id())).id for _ in range(5)])
        seen: list[str] = []
        while page := await subject.networks.ports_page(seen[-1] if seen else "", 2):
            assert len(page) <= 2
            seen += [port.id for port in page]
        assert seen == sorted(seen)
        assert [port_id for port_id in seen if port_id in made] == made

    judge(scenario)


def test_port_delete__twice__address_is_free_again(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        network_id, server_id = await subject.network(), new_id()
        await subject.subnet(network_id)
        port = await subject.server_port(network_id, server_id, fixed_ip="10.11.12.60")
        for _ in range(2):
            await subject.networks.port_delete(port.id)
        assert await subject.networks.ports_of(server_id) == []
        again = await subject.server_port(network_id, server_id, fixed_ip="10.11.12.60")
        assert again.id != port.id

    judge(scenario)


def test_client__nobody_answers__unavailable() -> None:
    async def scenario() -> None:
        runtime = RealRuntime()
        session = ServiceSession(Credentials(auth_url="http://127.0.0.1:1", username="nova", password="pw"), runtime)
        networks = NeutronNetworks(session)
        with pytest.raises(Unavailable):
            await networks.ports_of(new_id())
        await networks.close()

    run(scenario())
