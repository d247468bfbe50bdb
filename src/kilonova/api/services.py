"""Compute services: the agent's side of each host (Compute API reference, "Compute services").

Every host is one `nova-compute` service, because that is how clients know hosts that run servers.
"""

from typing import ClassVar, Literal, TypeVar

from msgspec import UNSET, Struct, UnsetType

from kilonova.api import body, times
from kilonova.api.aggregate_store import aggregates_forget_host_txn
from kilonova.api.availability_zones import zones
from kilonova.api.compute import Compute
from kilonova.api.fields import HostField, Truth
from kilonova.api.host_ids import host_with_id
from kilonova.api.query import ComputeRoute, Query
from kilonova.api.shapes import (
    MICRO_TIME,
    NO_BODY,
    TEXT,
    TRUTH,
    UUID,
    Takes,
    either,
    gives,
    listed,
    obj,
    or_null,
    shaped,
    text,
    words,
)
from kilonova.kernel.errors import Invalid, NotFound
from kilonova.kernel.ids import HostName
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Doc
from kilonova.objects.host import Host
from kilonova.operations.host_removal import host_remove
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

T = TypeVar("T")

BINARY = "nova-compute"
_RULE = "os_compute_api:os-services:"

LIST = Query(names=("binary", "host"), strict="strict-list-queries")


SERVICE = obj(
    {
        "id": UUID,
        "binary": TEXT,
        "host": TEXT,
        "zone": TEXT,
        "status": words("enabled", "disabled"),
        "state": words("up", "down"),
        "updated_at": or_null(MICRO_TIME),
        "disabled_reason": or_null(TEXT),
        "forced_down": TRUTH,
    }
)
DOWN = obj({"binary": TEXT, "host": TEXT, "status": words("UNKNOWN")})
"""A service of a cell that does not answer."""
CHANGED = obj(
    {
        "host": TEXT,
        "binary": TEXT,
        "status?": words("enabled", "disabled"),
        "disabled_reason?": TEXT,
        "forced_down?": TRUTH,
    }
)
"""What actions told, until 2.52."""


class NoSuchService(NotFound):
    """Compute service {id} could not be found."""

    code = "no-such-service"


class NoSuchBinary(NotFound):
    """Could not find binary {binary} on host {host}."""

    code = "no-such-binary"


class UnknownServiceAction(NotFound):
    """Unknown action"""

    code = "unknown-service-action"


class ReasonWithoutDisable(Invalid):
    """A disabled_reason needs the status 'disabled'."""

    code = "reason-without-disable"


class NothingToUpdate(Invalid):
    """No updates were requested. Fields 'status' or 'forced_down' should be specified."""

    code = "no-service-update"


class Reason(str):
    """1 to 255 characters."""

    __slots__ = ()
    schema: ClassVar[Schema] = text(255)

    @classmethod
    def read(cls, value: object) -> "Reason":
        """Check `value`. Raises ValueError."""
        if not isinstance(value, str) or not 1 <= len(value) <= 255:
            raise ValueError("it must be a text of 1 to 255 characters")
        return cls(value)


class ServiceUpdate(Struct, forbid_unknown_fields=True):
    """The body of an update since 2.53."""

    status: Literal["enabled", "disabled"] | UnsetType = UNSET
    disabled_reason: Reason | UnsetType = UNSET
    forced_down: Truth | UnsetType = UNSET


class ServiceAction(Struct, forbid_unknown_fields=True):
    """The body of an update before 2.53, when the path said what to do."""

    host: HostField
    binary: str
    disabled_reason: Reason | None = None
    forced_down: Truth | None = None


class Services:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """List services, of one host or binary if asked; from 2.69 on also of cells that don't answer, in short."""
        self._compute.policy.enforce(_RULE + "list", call.user)
        asked = LIST.read(call)
        wanted_host, wanted_binary = asked.one("host"), asked.one("binary")
        hosts = await self._compute.hosts.all() if wanted_binary in {None, "", BINARY} else ()
        shown = [host for host in hosts if not wanted_host or host.name == wanted_host]
        zone_of = await zones(self._compute)
        default = self._compute.default_zone
        docs = [self._told(call, host, zone_of.get(host.name, default)) for host in shown]
        if call.version.has("service-down-cells") and wanted_binary in {None, "", BINARY}:
            docs += [
                {"binary": BINARY, "host": name, "status": "UNKNOWN"}
                for name in await self._compute.hosts.unanswered()
                if not wanted_host or name == wanted_host
            ]
        return Reply({"services": docs})

    async def update(self, call: Call) -> Reply:
        """Change one service."""
        self._compute.policy.enforce(_RULE + "update", call.user)
        host = await self._find(call)
        asked = body.struct(call, body.whole(call), ServiceUpdate, None, "service")
        _check_update(asked)
        reason = None if asked.disabled_reason is UNSET else str(asked.disabled_reason)
        if asked.status == "enabled":
            await self._compute.hosts.enable(host.name)
        elif asked.status == "disabled":
            await self._compute.hosts.disable(host.name, reason)
        if asked.forced_down is not UNSET:
            await self._compute.hosts.force_down(host.name, down=bool(asked.forced_down))
        changed = await self._compute.hosts.get(host.name)
        zone_of = await zones(self._compute)
        return Reply({"service": self._told(call, changed, zone_of.get(host.name, self._compute.default_zone))})

    async def delete(self, call: Call) -> Reply:
        """Forget a service and its host, which must have no servers."""
        self._compute.policy.enforce(_RULE + "delete", call.user)
        host = await self._find(call)
        await host_remove(self._compute.hosts, self._compute.placement, host.name)
        await self._compute.database.write(aggregates_forget_host_txn, host.name)
        return Reply()

    async def act(self, call: Call) -> Reply:
        """Change one service, until 2.52: the path says what is done, and the answer what was changed."""
        self._compute.policy.enforce(_RULE + "update", call.user)
        action, hosts = call.params["id"], self._compute.hosts
        known = call.version.has("service-forced-down") or action != "force-down"
        if action not in {"enable", "disable", "disable-log-reason", "force-down"} or not known:
            raise UnknownServiceAction
        asked = body.struct(call, body.whole(call), ServiceAction, "service_update", "service")
        host = await hosts.get(HostName(str(asked.host)))
        if asked.binary != BINARY:
            raise NoSuchBinary(binary=asked.binary[:100], host=host.name)
        told: Doc = {"status": "disabled"}
        if action == "enable":
            await hosts.enable(host.name)
            told = {"status": "enabled"}
        elif action == "disable":
            await hosts.disable(host.name, None)
        elif action == "force-down":
            told = {"forced_down": bool(_needed(asked.forced_down, "forced_down"))}
            await hosts.force_down(host.name, down=told["forced_down"])
        else:
            told["disabled_reason"] = str(_needed(asked.disabled_reason, "disabled_reason"))
            await hosts.disable(host.name, told["disabled_reason"])
        return Reply({"service": {"host": host.name, "binary": BINARY, **told}})

    async def _find(self, call: Call) -> Host:
        """The host whose service has the id in the path."""
        wanted, by_uuid = call.params["id"], call.version.has("service-uuid")
        hosts = await self._compute.hosts.all()
        host = host_with_id(hosts, wanted, lambda one: one.service_uuid, by_uuid=by_uuid)
        if host is None:
            raise NoSuchService(id=wanted[:100])
        return host

    def _told(self, call: Call, host: Host, zone: str) -> Doc:
        doc: Doc = {
            "id": host.service_uuid,
            "binary": BINARY,
            "host": host.name,
            "zone": zone,
            "status": "enabled" if host.enabled else "disabled",
            "state": "up" if host.up(self._compute.runtime.now()) else "down",
            "updated_at": times.micro(host.heartbeat_at),
            "disabled_reason": host.disabled_reason,
            "forced_down": host.forced_down,
        }
        return call.version.down("service", doc)


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of services."""
    services = Services(compute)
    return [
        ComputeRoute(
            method="GET",
            path="/os-services",
            handler=services.index,
            query=LIST,
            gives=gives({"services": listed(shaped(either(SERVICE, DOWN), "service"))}),
        ),
        ComputeRoute(
            method="PUT",
            path="/os-services/{id}",
            handler=services.act,
            body=Body.JSON,
            until="2.52",
            takes=Takes(kind=ServiceAction, shape="service_update"),
            gives=gives({"service": CHANGED}),
        ),
        ComputeRoute(
            method="PUT",
            path="/os-services/{id}",
            handler=services.update,
            body=Body.JSON,
            since="2.53",
            takes=Takes(kind=ServiceUpdate),
            gives=gives({"service": shaped(SERVICE, "service")}),
        ),
        ComputeRoute(method="DELETE", path="/os-services/{id}", handler=services.delete, success=204, gives=NO_BODY),
    ]


def _check_update(asked: ServiceUpdate) -> None:
    if asked.disabled_reason is not UNSET and asked.status != "disabled":
        raise ReasonWithoutDisable
    if asked.status is UNSET and asked.forced_down is UNSET:
        raise NothingToUpdate


def _needed(value: T | None, name: str) -> T:
    if value is None:
        raise body.BadField(field=name, value="None", reason=f"'{name}' is a required property")
    return value
