"""Floating IPs and their pools, until 2.35 (API reference, "Floating IPs"): the network service has them; pools are networks.

A network service without floating IPs has none to list, and no pool to take one from.
"""

from typing import Annotated, Any

from msgspec import Meta, Struct

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.passed_on import Document, Remote
from kilonova.api.query import ComputeRoute, Query
from kilonova.api.shapes import NO_BODY, TEXT, UUID, Takes, gives, listed, obj, or_null
from kilonova.kernel.errors import Conflict, NotFound
from kilonova.kernel.ids import is_uuid
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

UNTIL = "2.35"
KIND = "Floating IP"
PATH = "/floatingips"
ANY_QUERY = Query(strict=None)
_RULE = "os_compute_api:os-floating-ips:"
_IP = obj({"id": UUID, "ip": TEXT, "pool": TEXT, "fixed_ip": or_null(TEXT), "instance_id": or_null(TEXT)})


class NoSuchPool(NotFound):
    """Floating IP pool {pool} not found."""

    code = "no-such-floating-ip-pool"


class NoMoreFloatingIps(NotFound):
    """No more floating IPs in pool {pool}."""

    code = "no-more-floating-ips"


class FloatingIpWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a create."""

    pool: Annotated[str, Meta(max_length=255)] | None = None


class FloatingIps:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def pools(self, call: Call) -> Reply:
        """The pools: every external network."""
        self._compute.policy.enforce("os_compute_api:os-floating-ip-pools", call.user)
        return Reply({"floating_ip_pools": [{"name": _name(pool)} for pool in await self._pools(call)]})

    async def index(self, call: Call) -> Reply:
        """The floating IPs of the caller's project."""
        self._enforce(call, "list")
        try:
            found = await self._network.ask(call, "GET", PATH, kind=KIND, params=_own(call))
        except NotFound:  # there are none in this network service
            return Reply({"floating_ips": []})
        pools = {pool["id"]: pool for pool in await self._pools(call)}
        return Reply({"floating_ips": [await self._told(call, one, pools) for one in found["floatingips"]]})

    async def show(self, call: Call) -> Reply:
        """One of them."""
        self._enforce(call, "show")
        found = (await self._network.one(call, PATH, call.params["id"], kind=KIND))["floatingip"]
        return Reply(
            {"floating_ip": await self._told(call, found, {pool["id"]: pool for pool in await self._pools(call)})}
        )

    async def create(self, call: Call) -> Reply:
        """Take one from a pool: the one named, or the first."""
        wish = FloatingIpWish()
        if call.body:
            wish = body.struct(call, body.whole(call), FloatingIpWish, None, "pool")
        self._enforce(call, "create")
        pool = _chosen(await self._pools(call), wish.pool)
        sent = {"floatingip": {"floating_network_id": pool["id"]}}
        try:
            made = (await self._network.ask(call, "POST", PATH, sent, kind=KIND))["floatingip"]
        except Conflict as error:
            raise NoMoreFloatingIps(pool=_name(pool)) from error
        return Reply({"floating_ip": await self._told(call, made, {pool["id"]: pool})})

    async def delete(self, call: Call) -> Reply:
        """Give one back; whatever has it loses it."""
        self._enforce(call, "delete")
        await self._network.one(call, PATH, call.params["id"], kind=KIND, method="DELETE")
        return Reply()

    @property
    def _network(self) -> Remote:
        return Remote(self._compute.network_api, "/v2.0")

    async def _pools(self, call: Call) -> list[Document]:
        params = {"router:external": "true"}
        found: list[Document] = (await self._network.ask(call, "GET", "/networks", kind="Network", params=params))[
            "networks"
        ]
        return sorted(found, key=_name)

    async def _told(self, call: Call, one: Document, pools: dict[str, Document]) -> Document:
        pool = pools.get(one["floating_network_id"])
        return {
            "id": one["id"],
            "ip": one["floating_ip_address"],
            "pool": one["floating_network_id"] if pool is None else _name(pool),
            "fixed_ip": one["fixed_ip_address"],
            "instance_id": await self._server_of(call, one["port_id"]),
        }

    async def _server_of(self, call: Call, port_id: str | None) -> str | None:
        if port_id is None:
            return None
        try:
            port = (await self._network.one(call, "/ports", port_id, kind="Port"))["port"]
        except NotFound:
            return None
        return port["device_id"] or None

    def _enforce(self, call: Call, action: str) -> None:
        self._compute.policy.enforce(_RULE + action, call.user, {"project_id": call.user.project_id})


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of floating IPs."""
    ips, every = FloatingIps(compute), "/os-floating-ips"
    one = every + "/{id}"
    return [
        ComputeRoute(
            method="GET",
            path="/os-floating-ip-pools",
            handler=ips.pools,
            until=UNTIL,
            query=ANY_QUERY,
            gives=gives({"floating_ip_pools": listed(obj({"name": TEXT}))}),
        ),
        ComputeRoute(
            method="GET",
            path=every,
            handler=ips.index,
            until=UNTIL,
            query=ANY_QUERY,
            gives=gives({"floating_ips": listed(_IP)}),
        ),
        ComputeRoute(
            method="POST",
            path=every,
            handler=ips.create,
            until=UNTIL,
            body=Body.JSON,
            takes=Takes(kind=FloatingIpWish),
            gives=gives({"floating_ip": _IP}),
        ),
        ComputeRoute(
            method="GET", path=one, handler=ips.show, until=UNTIL, query=ANY_QUERY, gives=gives({"floating_ip": _IP})
        ),
        ComputeRoute(method="DELETE", path=one, handler=ips.delete, until=UNTIL, success=202, gives=NO_BODY),
    ]


async def with_address(network: Remote, call: Call, address: str) -> Document:
    """The floating IP of the caller's project with this address. Raises `NotFound`."""
    params = {**_own(call), "floating_ip_address": address}
    found: list[Document] = (await network.ask(call, "GET", PATH, kind=KIND, asked=address, params=params))[
        "floatingips"
    ]
    if not found:
        raise NotFound(kind=KIND, id=address[:100])
    return found[0]


def _own(call: Call) -> dict[str, str]:
    return {"project_id": str(call.user.project_id)}


def _chosen(pools: list[Document], wanted: str | None) -> Document:
    for pool in pools:
        if wanted is None or pool["id" if is_uuid(wanted) else "name"] == wanted:
            return pool
    raise NoSuchPool(pool=wanted or "")


def _name(pool: dict[str, Any]) -> str:
    return str(pool["name"] or pool["id"])
