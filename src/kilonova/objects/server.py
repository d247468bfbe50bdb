"""Servers: the noun everything here is about, and the status that users see of one."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

from kilonova.kernel.ids import HostName, OperationId, ProjectId, ServerId, UserId
from kilonova.objects.flavor import Flavor
from kilonova.objects.guest import GuestImage, GuestNic, GuestVolume, PowerState
from kilonova.objects.portion import Portion


class VmState(StrEnum):
    """Where a server is at rest (`OS-EXT-STS:vm_state`)."""

    BUILDING = "building"
    ACTIVE = "active"
    STOPPED = "stopped"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    RESCUED = "rescued"
    RESIZED = "resized"
    SHELVED = "shelved"
    SHELVED_OFFLOADED = "shelved_offloaded"
    SOFT_DELETED = "soft-delete"
    DELETED = "deleted"
    ERROR = "error"


class TaskState(StrEnum):
    """What is being done to a server (`OS-EXT-STS:task_state`); none at rest."""

    SCHEDULING = "scheduling"
    NETWORKING = "networking"
    BLOCK_DEVICE_MAPPING = "block_device_mapping"
    SPAWNING = "spawning"
    DELETING = "deleting"
    POWERING_OFF = "powering-off"
    POWERING_ON = "powering-on"
    REBOOTING = "rebooting"
    REBOOT_PENDING = "reboot_pending"
    REBOOT_STARTED = "reboot_started"
    REBOOTING_HARD = "rebooting_hard"
    REBOOT_PENDING_HARD = "reboot_pending_hard"
    REBOOT_STARTED_HARD = "reboot_started_hard"
    SOFT_DELETING = "soft-deleting"
    RESTORING = "restoring"
    PAUSING = "pausing"
    UNPAUSING = "unpausing"
    SUSPENDING = "suspending"
    RESUMING = "resuming"
    RESCUING = "rescuing"
    UNRESCUING = "unrescuing"
    UPDATING_PASSWORD = "updating_password"
    REBUILDING = "rebuilding"
    REBUILD_BLOCK_DEVICE_MAPPING = "rebuild_block_device_mapping"
    REBUILD_SPAWNING = "rebuild_spawning"
    IMAGE_SNAPSHOT_PENDING = "image_snapshot_pending"
    IMAGE_SNAPSHOT = "image_snapshot"
    IMAGE_PENDING_UPLOAD = "image_pending_upload"
    IMAGE_UPLOADING = "image_uploading"
    IMAGE_BACKUP = "image_backup"
    SHELVING = "shelving"
    SHELVING_IMAGE_PENDING_UPLOAD = "shelving_image_pending_upload"
    SHELVING_IMAGE_UPLOADING = "shelving_image_uploading"
    SHELVING_OFFLOADING = "shelving_offloading"
    UNSHELVING = "unshelving"
    RESIZE_PREP = "resize_prep"
    RESIZE_MIGRATING = "resize_migrating"
    RESIZE_MIGRATED = "resize_migrated"
    RESIZE_FINISH = "resize_finish"
    RESIZE_REVERTING = "resize_reverting"
    RESIZE_CONFIRMING = "resize_confirming"
    MIGRATING = "migrating"


class Nic(msgspec.Struct, frozen=True, kw_only=True):
    """One network card of a server, as users are shown it."""

    port_id: str
    network_id: str
    network_name: str
    mac: str
    addresses: tuple["NicAddress", ...]
    owned: bool
    """Whether the port was made for this server, and is deleted with it."""
    tag: str | None = None


class NicAddress(msgspec.Struct, frozen=True, kw_only=True):
    """One address of a card."""

    address: str
    version: int
    kind: str = "fixed"


class NicRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One card as it was asked for: a network (and perhaps an address) or a port that exists."""

    network_id: str | None = None
    port_id: str | None = None
    fixed_ip: str | None = None
    tag: str | None = None


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """A volume that a server uses, or is about to."""

    guest: GuestVolume
    tag: str | None = None
    delete_on_termination: bool = False


class Shelved(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a guest that was shelved."""

    image: GuestImage
    """Its disk."""
    at: float
    """Since when."""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A server between two hosts, or two sizes: from the claim on the new place until it is confirmed, reverted or undone."""

    operation_id: OperationId
    """Of the resize or migration; also the consumer that holds the old place in placement, when that is another host."""
    kind: str = "resize"
    """`resize`, `migration`, `live-migration` or `evacuation` (Compute API, "Migrations", `migration_type`)."""
    source: HostName
    dest: HostName
    """The same as `source` when only the size changes."""
    old_flavor: Flavor
    new_flavor: Flavor
    old_portion: Portion | None = None
    """What it held at the old place: see `Server.portion`."""
    old_vm_state: VmState
    """Where the server goes back to, and is after the confirmation: `active` or `stopped`."""
    finished_at: float | None = None
    """When the server became VERIFY_RESIZE."""
    old_volumes: tuple[GuestVolume, ...] = ()
    """The volumes as the old guest reaches them, once the new one reaches them from another host."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Why a server is in ERROR (Compute API, "Server faults")."""

    code: int
    message: str
    """For the user: what happened, without secrets."""
    details: str
    """For the operator."""
    created_at: float


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """One server: what was asked for, where it is, and how it is. Times are seconds since the epoch."""

    id: ServerId
    project_id: ProjectId
    user_id: UserId
    name: str
    hostname: str
    description: str | None = None
    flavor: Flavor
    image_id: str | None
    image_properties: dict[str, str] = {}
    """The image's properties at boot, e.g. `kernel_id`, `os_type`."""
    image: GuestImage | None = None
    """The content that its root disk was made from, and is made anew from; None without an image."""
    kernel: GuestImage | None = None
    ramdisk: GuestImage | None = None
    key_name: str | None = None
    key_type: str | None = None
    public_key: str | None = None
    metadata: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    """Sorted."""
    availability_zone: str | None = None
    """The zone of the host; before there is one, the zone asked for."""
    pinned_availability_zone: str | None = None
    """The zone the user asked for, if any."""
    user_data: str | None = None
    """Base64, as it came."""
    config_drive: bool = False
    disk_config: str = "MANUAL"
    """`AUTO` or `MANUAL` (`OS-DCF:diskConfig`)."""
    access_ip_v4: str = ""
    access_ip_v6: str = ""
    security_groups: tuple[str, ...] = ()
    """Names, as users are shown them."""
    networks_requested: tuple[NicRequest, ...] | None = ()
    """None stands for `auto` where the API allowed the service to choose; () for no network."""
    nics: tuple[Nic, ...] = ()
    guest_nics: tuple[GuestNic, ...] = ()
    """The same cards as its host is told of them."""
    volumes: tuple[Volume, ...] = ()
    group_id: str | None = None
    """The server group it is a member of."""
    hints: dict[str, list[str]] = {}
    """Scheduler hints, each as a list."""
    locked: bool = False
    locked_reason: str | None = None
    locked_by: str | None = None
    """`owner` or `admin`."""
    trusted_certs: tuple[str, ...] | None = None
    host: HostName | None = None
    portion: Portion | None = None
    """What it holds in placement on its host; None for what its flavor says, of the host's own provider."""
    requested_host: HostName | None = None
    """The host an admin asked for."""
    ssh_port: int | None = None
    """Loopback port of the host that leads to the guest's port 22, for guests in user-mode networks."""
    move: Move | None = None
    shelved: Shelved | None = None
    vm_state: VmState = VmState.BUILDING
    task_state: TaskState | None = None
    power_state: PowerState = PowerState.NOSTATE
    current_op: OperationId | None = None
    """The one live operation."""
    generation: int = 1
    """Counts the wishes about this server that its host must tell apart, old from new."""
    request_epoch: int = 0
    """The epoch at which its boot request was handed over to the cell: a later one carries what users changed since."""
    progress: int = 0
    reservation_id: str = ""
    launch_index: int = 0
    root_device_name: str | None = "/dev/vda"
    fault: Fault | None = None
    encrypted_password: str = ""
    """What its guest gave away of a password that it made up: encrypted with the key pair, in base64."""
    password_failed_at: float | None = None
    """When its guest was last asked in vain to set a password."""
    created_at: float
    updated_at: float
    launched_at: float | None = None
    deleted_at: float | None = None
    soft_deleted_at: float | None = None
    """Since when it waits to be reclaimed."""

    @property
    def boots_from_volume(self) -> bool:
        """Whether its root disk is a volume, and none of its host's: it has no image then, also before it has its volumes."""
        return self.image_id is None

    @property
    def status(self) -> str:
        """What users see (Compute API guide, "Server concepts")."""
        return status(self.vm_state, self.task_state)


_AT_REST: Mapping[VmState, str] = MappingProxyType(
    {
        VmState.BUILDING: "BUILD",
        VmState.ACTIVE: "ACTIVE",
        VmState.STOPPED: "SHUTOFF",
        VmState.PAUSED: "PAUSED",
        VmState.SUSPENDED: "SUSPENDED",
        VmState.RESCUED: "RESCUE",
        VmState.RESIZED: "VERIFY_RESIZE",
        VmState.SHELVED: "SHELVED",
        VmState.SHELVED_OFFLOADED: "SHELVED_OFFLOADED",
        VmState.SOFT_DELETED: "SOFT_DELETED",
        VmState.DELETED: "DELETED",
        VmState.ERROR: "ERROR",
    }
)

_RESIZING = (TaskState.RESIZE_PREP, TaskState.RESIZE_MIGRATING, TaskState.RESIZE_MIGRATED, TaskState.RESIZE_FINISH)
_REBUILDING = (TaskState.REBUILDING, TaskState.REBUILD_BLOCK_DEVICE_MAPPING, TaskState.REBUILD_SPAWNING)
_SHOWN_DURING: tuple[tuple[str, tuple[VmState, ...], tuple[TaskState, ...]], ...] = (
    ("REBOOT", (VmState.ACTIVE,), (TaskState.REBOOTING, TaskState.REBOOT_PENDING, TaskState.REBOOT_STARTED)),
    (
        "HARD_REBOOT",
        (VmState.ACTIVE,),
        (TaskState.REBOOTING_HARD, TaskState.REBOOT_PENDING_HARD, TaskState.REBOOT_STARTED_HARD),
    ),
    ("PASSWORD", (VmState.ACTIVE,), (TaskState.UPDATING_PASSWORD,)),
    ("REBUILD", (VmState.ACTIVE, VmState.STOPPED, VmState.ERROR), _REBUILDING),
    ("RESIZE", (VmState.ACTIVE, VmState.STOPPED), _RESIZING),
    ("MIGRATING", (VmState.ACTIVE, VmState.PAUSED), (TaskState.MIGRATING,)),
    ("REVERT_RESIZE", (VmState.RESIZED,), (TaskState.RESIZE_REVERTING,)),
)
_DURING: Mapping[tuple[VmState, TaskState], str] = MappingProxyType(
    {(state, task): shown for shown, states, tasks in _SHOWN_DURING for state in states for task in tasks}
)


def status(vm_state: VmState, task_state: TaskState | None) -> str:
    """The status that (vm_state, task_state) is shown as."""
    if task_state is not None:
        during = _DURING.get((vm_state, task_state))
        if during is not None:
            return during
    return _AT_REST[vm_state]


def states_of(shown: str) -> tuple[tuple[VmState, frozenset[TaskState] | None], ...]:
    """Which states are shown as the status `shown`: pairs of vm_state and the task states that count, None for any other.

    Used to filter lists by status in the database. Empty for a status that no state is shown as.
    """
    by_task: dict[VmState, frozenset[TaskState]] = {}
    for (vm_state, task_state), name in _DURING.items():
        if name == shown:
            by_task[vm_state] = by_task.get(vm_state, frozenset()) | {task_state}
    resting = tuple((vm_state, None) for vm_state, name in _AT_REST.items() if name == shown)
    return (*resting, *by_task.items())


def tasks_shown_apart(vm_state: VmState) -> frozenset[TaskState]:
    """The task states in which `vm_state` is shown as something else than at rest."""
    return frozenset(task for (state, task) in _DURING if state == vm_state)
