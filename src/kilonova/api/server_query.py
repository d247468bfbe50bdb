"""What a list of servers is asked for: whose, which, in which order, which page (API reference, "List servers")."""

from typing import Any

from kilonova.api import paging, server_filters
from kilonova.api.compute import Compute
from kilonova.api.query import Asked, BadParameter, Query
from kilonova.kernel.errors import Forbidden, Invalid
from kilonova.kernel.ids import ProjectId, ServerId
from kilonova.kernel.versions import Level
from kilonova.objects.server_query import SORT_KEYS, ServerQuery
from kilonova.web.call import Call

_FOREIGN = frozenset(
    {"block_device_mapping", "info_cache", "pci_devices", "security_groups", "services", "system_metadata"}
)
"""Parameters that are known and name nothing that servers could be filtered by."""
_SORT_WITHOUT_EFFECT = frozenset(
    {
        *("auto_disk_config", "kernel_id", "locked_by", "ramdisk_id", "soft_deleted"),
        *(
            "terminated_at",
            "architecture",
            "cell_name",
            "cleaned",
            "default_ephemeral_device",
            "default_swap_device",
            "deleted",
        ),
        *("deleted_at", "disable_terminate", "ephemeral_gb", "ephemeral_key_uuid", "id", "info_cache", "launched_on"),
        *("memory_mb", "metadata", "os_type", "pci_devices", "progress", "root_gb", "security_groups", "services"),
        *("shutdown_terminate", "system_metadata", "updated_by", "vcpu_model", "vcpus", "vm_mode"),
    }
)
QUERY = Query(
    names=(
        *("all_tenants", "project_id", "tenant_id", "status", "limit", "marker", "sort_dir", "sort_key"),
        *(each.name for each in server_filters.FILTERS),
        *sorted(_FOREIGN),
    ),
    shape="server_query",
    strict="strict-list-queries",
    private=True,
)


class SortForAdmins(Forbidden):
    """Only administrators can sort servers by {key}"""

    code = "sort-for-admins"


def read(call: Call, compute: Compute, *, detail: bool) -> ServerQuery | None:
    """The query that a request asks; None when it can match no server. Raises `Invalid`, `Forbidden`."""
    asked = QUERY.read(call)
    all_filters = compute.policy.allows("os_compute_api:servers:allow_all_filters", call.user)
    if all_filters:
        _refuse_foreign(asked)
    page = paging.page(asked, compute)
    fields = server_filters.read(asked, call.version, all_filters=all_filters)
    fields.update(_owner(asked, call, compute, detail=detail))
    if fields.get("states") == server_filters.NO_STATE or page.limit == 0:
        return None
    return ServerQuery(
        **fields,
        sort=_sort(asked, call.version, all_filters=all_filters),
        limit=page.limit,
        marker=None if page.marker is None else ServerId(page.marker),
    )


def _refuse_foreign(asked: Asked) -> None:
    for name in sorted(_FOREIGN.intersection(asked)):
        raise Invalid(reason=f"Invalid filter field: {name}.")


def _owner(asked: Asked, call: Call, compute: Compute, *, detail: bool) -> dict[str, Any]:
    """Whose servers: those of the caller's project, or with `all_tenants` everybody's or one project's."""
    if asked.one("all_tenants") != "" and not asked.truth("all_tenants"):
        return {"project_id": call.user.project_id}
    kind = "detail" if detail else "index"
    compute.policy.enforce(f"os_compute_api:servers:{kind}:get_all_tenants", call.user)
    project = asked.one("tenant_id") or asked.one("project_id")
    return {} if project is None else {"project_id": ProjectId(project)}


def _sort(asked: Asked, level: Level, *, all_filters: bool) -> tuple[tuple[str, str], ...]:
    """Pairs of key and direction, made total by `created_at` and `uuid`. Raises `BadParameter`, `SortForAdmins`."""
    order: dict[str, str] = {}
    for key, direction in _sort_asked(asked):
        if key in {"host", "node"} and not all_filters:
            raise SortForAdmins(key=key)
        known = "host" if key == "node" else key
        if known == "locked" and not level.has("server-list-locked"):
            continue
        if known in SORT_KEYS:
            order.setdefault(known, direction)
        elif known not in _SORT_WITHOUT_EFFECT:
            raise BadParameter(name="sort_key", value=key[:100], reason="Servers cannot be sorted by it.")
    last = list(order.values())[-1] if order else "desc"
    return tuple((order | {key: order.get(key, last) for key in ("created_at", "uuid")}).items())


def _sort_asked(asked: Asked) -> list[tuple[str, str]]:
    """The pairs as given; directions that are missing are like the first, and newest first is what nobody has to ask for."""
    keys, directions = asked.get("sort_key") or ["created_at"], asked.get("sort_dir", [])
    for direction in directions:
        if direction not in {"asc", "desc"}:
            raise BadParameter(name="sort_dir", value=direction[:100], reason="It must be asc or desc.")
    if len(directions) > len(keys):
        raise Invalid(reason="Sort direction size exceeds sort key size")
    missing = [directions[0] if directions else "desc"] * (len(keys) - len(directions))
    return list(zip(keys, [*directions, *missing], strict=True))
