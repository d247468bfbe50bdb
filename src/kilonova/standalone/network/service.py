"""The built-in network service: its API as an ASGI application, and what compute asks of it without HTTP between."""

from collections.abc import Mapping, Sequence

from kilonova.database.database import Database, Transaction
from kilonova.kernel.errors import OverLimit
from kilonova.objects.caller import Caller
from kilonova.objects.port import Network, Port, PortRequest, SecurityGroup, Subnet
from kilonova.runtime.runtime import Runtime
from kilonova.standalone.network.collection import Document
from kilonova.standalone.network.errors import NetworkNotFound, OverQuota, PortInUse, PortNotFound
from kilonova.standalone.network.http import network_service
from kilonova.standalone.network.nouns import group_of, networks_txn, port_of, ports_txn, subnet_of
from kilonova.standalone.network.policies import rules
from kilonova.standalone.network.ports import create_txn, with_macs
from kilonova.standalone.network.store import networks, ports, subnets
from kilonova.standalone.network.store import security_groups as groups
from kilonova.standalone.network.store.quotas import DEFAULTS, Limits
from kilonova.web.policy import Policy
from kilonova.web.service import Tokens


class StandaloneNetworks:
    """Implements `clients.network.Networks` on the network database; `service` answers the Networking API."""

    def __init__(
        self,
        database: Database,
        runtime: Runtime,
        tokens: Tokens,
        *,
        policy: Mapping[str, str] | None = None,
        limits: Limits = DEFAULTS,
    ) -> None:
        """Answer from a database with the tables of `tables.metadata`.

        Args:
            database: the network database. It stays its opener's to close.
            runtime: clock, ids, chance.
            tokens: says who asks, for the API.
            policy: rules that differ from the defaults, by name.
            limits: the quotas of projects that have none of their own.
        """
        self._database = database
        self._runtime = runtime
        self._policy = Policy(rules(), policy)
        self._limits = limits
        self.service = network_service(database, tokens, runtime, self._policy, limits)

    async def networks_available(self, caller: Caller) -> Sequence[Network]:
        """See `Networks.networks_available`."""
        return await self._database.read(_usable_txn, caller.project_id or "")

    async def network_get(self, caller: Caller, network_id: str) -> Network:
        """See `Networks.network_get`."""
        return await self._database.read(self._network_txn, caller, network_id)

    async def port_get(self, caller: Caller, port_id: str) -> Port:
        """See `Networks.port_get`."""
        return await self._database.read(self._port_txn, caller, port_id)

    async def security_groups(self, caller: Caller) -> Sequence[SecurityGroup]:
        """See `Networks.security_groups`."""
        project_id = caller.project_id
        if project_id is None:
            return ()
        if await self._database.read(groups.find_default_txn, project_id) is None:
            await self._database.write(groups.default_txn, self._runtime.uuid, project_id)
        return [group_of(row) for row in await self._database.read(groups.of_project_txn, project_id)]

    async def network(self, network_id: str) -> Network:
        """See `Networks.network`."""
        return await self._database.read(lambda tx: networks_txn(tx, [networks.get_txn(tx, network_id)])[0])

    async def subnets(self, network_id: str) -> Sequence[Subnet]:
        """See `Networks.subnets`."""
        return [subnet_of(row) for row in await self._database.read(subnets.of_network_txn, network_id)]

    async def ports_of(self, server_id: str) -> Sequence[Port]:
        """See `Networks.ports_of`."""
        return await self._database.read(_ports_of_txn, server_id)

    async def ports_page(self, marker: str = "", limit: int = 500) -> Sequence[Port]:
        """See `Networks.ports_page`."""
        return await self._database.scan(lambda tx: ports_txn(tx, ports.page_txn(tx, marker, limit)))

    async def port_create(self, request: PortRequest) -> Port:
        """See `Networks.port_create`."""
        item: Document = {
            "id": self._runtime.uuid(),
            "project_id": request.project_id,
            "network_id": request.network_id,
            "device_id": request.server_id,
            "device_owner": f"compute:{request.zone}",
            "binding:host_id": request.host,
            "description": request.description,
        }
        if request.fixed_ip is not None:
            item["fixed_ips"] = [{"ip_address": request.fixed_ip}]
        if request.security_group_ids:
            item["security_groups"] = list(request.security_group_ids)

        async def write(items: Sequence[Document]) -> Port:
            return await self._database.write(self._create_txn, items[0])

        try:
            return await with_macs([item], self._runtime.random, write)
        except OverQuota as error:
            raise OverLimit(**error.details) from None

    async def port_bind(self, port_id: str, *, server_id: str, host: str, zone: str) -> Port:
        """See `Networks.port_bind`."""
        return await self._database.write(_bind_txn, port_id, server_id, host, zone)

    async def port_unbind(self, port_id: str) -> None:
        """See `Networks.port_unbind`."""
        await self._database.write(_unbind_txn, port_id)

    async def port_delete(self, port_id: str) -> None:
        """See `Networks.port_delete`."""
        await self._database.write(ports.delete_txn, port_id)

    async def close(self) -> None:
        """See `Networks.close`. The database is closed by whoever opened it."""

    def _network_txn(self, tx: Transaction, caller: Caller, network_id: str) -> Network:
        row = networks.get_txn(tx, network_id)
        if not self._policy.allows("get_network", caller, row):
            raise NetworkNotFound(id=network_id)
        return networks_txn(tx, [row])[0]

    def _port_txn(self, tx: Transaction, caller: Caller, port_id: str) -> Port:
        row = ports.get_txn(tx, port_id)
        if not self._policy.allows("get_port", caller, row):
            raise PortNotFound(id=port_id)
        return ports_txn(tx, [row])[0]

    def _create_txn(self, tx: Transaction, item: Document) -> Port:
        network = networks.get_txn(tx, item["network_id"])
        groups.require_txn(tx, item.get("security_groups", ()), item["project_id"])
        complete = {
            "name": "",
            "admin_state_up": True,
            "port_security_enabled": network["port_security_enabled"],
            "allowed_address_pairs": (),
            "binding:vnic_type": "normal",
            "binding:profile": {},
            **item,
        }
        made = create_txn(tx, self._limits, self._runtime.uuid, complete)
        return port_of(made.row, made.fixed_ips, sorted(made.groups), ())


def _usable_txn(tx: Transaction, project_id: str) -> list[Network]:
    return networks_txn(tx, networks.usable_txn(tx, project_id))


def _ports_of_txn(tx: Transaction, server_id: str) -> list[Port]:
    return ports_txn(tx, ports.of_device_txn(tx, server_id))


def _bind_txn(tx: Transaction, port_id: str, server_id: str, host: str, zone: str) -> Port:
    row = ports.get_txn(tx, port_id)
    if row["device_id"] not in {"", server_id}:
        raise PortInUse(id=port_id, network=row["network_id"], device=row["device_id"])
    bound = {"device_id": server_id, "device_owner": f"compute:{zone}", "host_id": host}
    ports.update_txn(tx, row, bound)
    return ports_txn(tx, [row | bound | ports.binding(host)])[0]


def _unbind_txn(tx: Transaction, port_id: str) -> None:
    row = ports.find_txn(tx, port_id)
    if row is not None:
        ports.update_txn(tx, row, {"device_id": "", "device_owner": "", "host_id": ""})
