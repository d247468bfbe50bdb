"""What a list of servers asks for, and the page it gets."""

import msgspec

from kilonova.kernel.ids import CellId, HostName, ProjectId, ServerId, UserId
from kilonova.objects.flavor import Flavor
from kilonova.objects.guest import PowerState
from kilonova.objects.server import Server, TaskState, VmState

SORT_KEYS = (
    "created_at",
    "updated_at",
    "launched_at",
    "display_name",
    "uuid",
    "host",
    "vm_state",
    "task_state",
    "power_state",
    "image_ref",
    "instance_type_id",
    "key_name",
    "availability_zone",
    "project_id",
    "user_id",
    "hostname",
    "launch_index",
    "display_description",
    "root_device_name",
    "locked",
    "config_drive",
    "access_ip_v4",
    "access_ip_v6",
)
"""Sort keys by the Compute API's names."""


class StateFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Servers in `vm_state`, and in one of `tasks` or in none of `not_tasks` where given."""

    vm_state: VmState
    tasks: frozenset[TaskState] | None = None
    not_tasks: frozenset[TaskState] = frozenset()


class ServerQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Every condition must hold; None asks for nothing. Text conditions named `*_like` are regular expressions."""

    project_id: ProjectId | None = None
    user_id: UserId | None = None
    ids: tuple[ServerId, ...] | None = None
    states: tuple[StateFilter, ...] | None = None
    """Any of these; an empty tuple matches no server."""
    deleted: bool = False
    """True: only deleted servers. Ignored with `changes_since`, which shows both."""
    soft_deleted: bool | None = None
    """Whether soft-deleted servers are shown: if None, among the deleted ones and not among the living."""
    changes_since: float | None = None
    changes_before: float | None = None
    name_like: str | None = None
    hostname_like: str | None = None
    description_like: str | None = None
    ip_like: str | None = None
    ip6_like: str | None = None
    host: HostName | None = None
    flavor_id: str | None = None
    image_id: str | None = None
    key_name: str | None = None
    availability_zone: str | None = None
    reservation_id: str | None = None
    launch_index: int | None = None
    task_state: TaskState | None = None
    power_state: PowerState | None = None
    locked: bool | None = None
    locked_by: str | None = None
    config_drive: bool | None = None
    disk_config: str | None = None
    kernel_id: str | None = None
    ramdisk_id: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    access_ip_v4: str | None = None
    access_ip_v6: str | None = None
    created_at: float | None = None
    launched_at: float | None = None
    terminated_at: float | None = None
    progress: int | None = None
    root_device_name: str | None = None
    tags_all: tuple[str, ...] = ()
    tags_any: tuple[str, ...] = ()
    not_tags_all: tuple[str, ...] = ()
    not_tags_any: tuple[str, ...] = ()
    sort: tuple[tuple[str, str], ...] = (("created_at", "desc"), ("uuid", "desc"))
    """Pairs of a key of SORT_KEYS and `asc` or `desc`; `uuid` is always last, so that the order is total."""
    marker: ServerId | None = None
    limit: int = 1000


class ServerPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of servers in order."""

    servers: tuple[Server, ...]
    more: bool
    """Whether at least one more follows."""
    down: tuple["DownServer", ...] = ()
    """Servers in cells that did not answer, for microversion 2.69 and newer."""


class DownServer(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a server whose cell does not answer (API guide, "Handling down cells")."""

    id: ServerId
    project_id: ProjectId
    user_id: UserId
    created_at: float
    cell_id: CellId
    group_id: str | None = None
    flavor: Flavor | None = None
    """None for a server made by a version that did not keep it."""
    image_id: str | None = None
    availability_zone: str | None = None
