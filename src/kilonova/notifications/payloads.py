"""The payloads of notifications, in OpenStack's form (Compute "Versioned notifications"; nova's `doc/notification_samples`).

Pure. A payload says its name, its version and its namespace, and has its fields under `nova_object.data`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from kilonova.objects.aggregate import Aggregate
from kilonova.objects.flavor import Flavor
from kilonova.objects.guest import PowerState
from kilonova.objects.keypair import Keypair
from kilonova.objects.operation import Operation
from kilonova.objects.server import Server
from kilonova.objects.server_group import ServerGroup

Payload = dict[str, object]

POWER = {
    PowerState.NOSTATE: "pending",
    PowerState.RUNNING: "running",
    PowerState.PAUSED: "paused",
    PowerState.SHUTDOWN: "shutdown",
    PowerState.CRASHED: "crashed",
    PowerState.SUSPENDED: "suspended",
}


def payload(name: str, version: str, data: Mapping[str, object]) -> Payload:
    """An object as it goes over the wire."""
    return {
        "nova_object.name": name,
        "nova_object.version": version,
        "nova_object.namespace": "nova",
        "nova_object.data": data,
    }


def instance(server: Server, operation: Operation | None) -> Payload:
    """The data of every payload about a server; `operation` says who began what is told, if anybody did."""
    return {
        "uuid": server.id,
        "user_id": server.user_id,
        "tenant_id": server.project_id,
        "reservation_id": server.reservation_id,
        "display_name": server.name,
        "display_description": server.description,
        "host_name": server.hostname,
        "host": server.host,
        "node": server.host,
        "os_type": server.image_properties.get("os_type"),
        "architecture": server.image_properties.get("hw_architecture", server.image_properties.get("architecture")),
        "availability_zone": server.availability_zone,
        "flavor": flavor(server.flavor),
        "image_uuid": server.image_id,
        "key_name": server.key_name,
        "kernel_id": server.image_properties.get("kernel_id", ""),
        "ramdisk_id": server.image_properties.get("ramdisk_id", ""),
        "created_at": moment(server.created_at),
        "launched_at": moment(server.launched_at),
        "terminated_at": moment(server.deleted_at),
        "deleted_at": moment(server.deleted_at),
        "updated_at": moment(server.updated_at),
        "state": server.vm_state,
        "power_state": POWER[server.power_state],
        "task_state": server.task_state,
        "progress": server.progress,
        "ip_addresses": _addresses(server),
        "block_devices": _block_devices(server),
        "metadata": server.metadata,
        "locked": server.locked,
        "locked_reason": server.locked_reason,
        "auto_disk_config": server.disk_config,
        "shares": [],
        "request_id": None if operation is None else operation.request_id,
        "action_initiator_user": None if operation is None else operation.user_id,
        "action_initiator_project": None if operation is None else operation.project_id,
    }


def created(server: Server, operation: Operation, fault: Payload | None) -> Payload:
    """`instance.create`."""
    known = server.key_name is not None and server.public_key is not None
    keypair = {
        "user_id": server.user_id,
        "name": server.key_name,
        "fingerprint": "",
        "public_key": server.public_key,
        "type": server.key_type or "ssh",
    }
    data = {
        **instance(server, operation),
        "fault": fault,
        "keypairs": [payload("KeypairPayload", "1.0", keypair)] if known else [],
        "tags": list(server.tags),
        "trusted_image_certificates": None if server.trusted_certs is None else list(server.trusted_certs),
        "instance_name": f"instance-{server.id[:8]}",
    }
    return payload("InstanceCreatePayload", "1.13", data)


def acted(server: Server, operation: Operation, fault: Payload | None) -> Payload:
    """Every other action on a server: what it is about goes by its kind."""
    data = {**instance(server, operation), "fault": fault}
    params = operation.params
    match operation.kind:
        case "attach_volume" | "detach_volume":
            return payload("InstanceActionVolumePayload", "1.7", {**data, "volume_id": params["volume_id"]})
        case "swap_volume":
            volumes = {"old_volume_id": params["volume_id"], "new_volume_id": params["new_volume_id"]}
            return payload("InstanceActionVolumeSwapPayload", "1.9", {**data, **volumes})
        case "snapshot" | "backup":
            return payload("InstanceActionSnapshotPayload", "1.10", {**data, "snapshot_image_id": _image_of(operation)})
        case "rebuild":
            certificates = None if server.trusted_certs is None else list(server.trusted_certs)
            return payload("InstanceActionRebuildPayload", "1.10", {**data, "trusted_image_certificates": certificates})
        case "rescue":
            image = params.get("image") or {}
            return payload("InstanceActionRescuePayload", "1.4", {**data, "rescue_image_ref": image.get("id")})
        case _:
            return payload("InstanceActionPayload", "1.9", data)


def updated(before: Server, after: Server) -> Payload:
    """`instance.update`: what it was and what it is."""
    change = {
        "old_state": before.vm_state,
        "state": after.vm_state,
        "old_task_state": before.task_state,
        "new_task_state": after.task_state,
    }
    data = {
        **instance(after, None),
        "state_update": payload("InstanceStateUpdatePayload", "1.0", change),
        "audit_period": payload("AuditPeriodPayload", "1.0", _audit_period(after.updated_at)),
        "old_display_name": before.name if before.name != after.name else None,
        "tags": list(after.tags),
    }
    return payload("InstanceUpdatePayload", "2.1", data)


def locked(server: Server) -> Payload:
    """`instance.lock` and `instance.unlock`."""
    return payload("InstanceActionPayload", "1.9", {**instance(server, None), "fault": None})


def fault(operation: Operation) -> Payload:
    """Why an operation did not do what it was for."""
    told = {
        "exception": operation.state.capitalize(),
        "exception_message": operation.error or f"The operation was {operation.state}.",
        "function_name": operation.step,
        "module_name": operation.kind,
        "traceback": "",
    }
    return payload("ExceptionPayload", "1.1", told)


def flavor(one: Flavor, projects: Sequence[str] | None = None) -> Payload:
    """`flavor.*`; `projects` are those that may use a flavor that is not public, where that is told."""
    data = {
        "flavorid": one.id,
        "name": one.name,
        "memory_mb": one.memory_mb,
        "vcpus": one.vcpus,
        "root_gb": one.disk_gb,
        "ephemeral_gb": one.ephemeral_gb,
        "swap": one.swap_mb,
        "rxtx_factor": one.rxtx_factor,
        "vcpu_weight": 0,
        "disabled": one.disabled,
        "is_public": one.public,
        "extra_specs": one.extra_specs,
        "projects": projects,
        "description": one.description,
    }
    return payload("FlavorPayload", "1.4", data)


def aggregate(one: Aggregate) -> Payload:
    """`aggregate.*`."""
    data = {"id": one.id, "uuid": one.uuid, "name": one.name, "hosts": list(one.hosts), "metadata": one.metadata}
    return payload("AggregatePayload", "1.1", data)


def keypair(one: Keypair) -> Payload:
    """`keypair.*`."""
    data = {
        "user_id": one.user_id,
        "name": one.name,
        "fingerprint": one.fingerprint,
        "public_key": one.public_key,
        "type": one.type,
    }
    return payload("KeypairPayload", "1.0", data)


def server_group(one: ServerGroup) -> Payload:
    """`server_group.*`."""
    rules = {} if one.max_server_per_host is None else {"max_server_per_host": str(one.max_server_per_host)}
    data = {
        "uuid": one.id,
        "name": one.name,
        "project_id": one.project_id,
        "user_id": one.user_id,
        "policies": [one.policy],
        "policy": one.policy,
        "rules": rules,
        "members": list(one.members),
        "hosts": None,
    }
    return payload("ServerGroupPayload", "1.1", data)


def service(host: str, uuid: str, *, enabled: bool, reason: str | None, forced_down: bool) -> Payload:
    """`service.*`: the compute service of a host."""
    data = {
        "host": host,
        "binary": "nova-compute",
        "topic": "compute",
        "uuid": uuid,
        "disabled": not enabled,
        "disabled_reason": reason,
        "forced_down": forced_down,
        "version": 0,
        "availability_zone": None,
        "last_seen_up": None,
        "report_count": 0,
    }
    return payload("ServiceStatusPayload", "1.1", data)


def moment(at_s: float | None) -> str | None:
    """A time as payloads have it."""
    return None if at_s is None else datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp(at_s: float) -> str:
    """A time as envelopes have it."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _audit_period(at_s: float) -> Payload:
    """The calendar month so far."""
    ending = datetime.fromtimestamp(at_s, UTC)
    beginning = ending.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return {
        "audit_period_beginning": moment(beginning.timestamp()),
        "audit_period_ending": moment(at_s),
    }


def _addresses(server: Server) -> list[Payload]:
    return [
        payload(
            "IpPayload",
            "1.0",
            {
                "label": nic.network_name,
                "mac": nic.mac,
                "meta": {},
                "port_uuid": nic.port_id,
                "version": one.version,
                "address": one.address,
                "device_name": f"tap{nic.port_id[:11]}",
            },
        )
        for nic in server.nics
        for one in nic.addresses
    ]


def _block_devices(server: Server) -> list[Payload]:
    return [
        payload(
            "BlockDevicePayload",
            "1.0",
            {
                "device_name": one.guest.device,
                "boot_index": 0 if one.guest.boot else None,
                "delete_on_termination": one.delete_on_termination,
                "volume_id": one.guest.volume_id,
                "tag": one.tag,
            },
        )
        for one in server.volumes
    ]


def _image_of(operation: Operation) -> str | None:
    """The image that an operation makes."""
    made = operation.params.get("new_image", {})
    return made.get("id") if isinstance(made, dict) else None
