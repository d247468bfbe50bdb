"""What is told of a server, as data: beside `server_view.py`, which tells it."""

from kilonova.api.shapes import (
    LINKS,
    MICRO_TIME,
    TEXT,
    TIME,
    TRUTH,
    UUID,
    WHOLE,
    Gives,
    also,
    by_key,
    either,
    listed,
    obj,
    or_null,
    shaped,
    words,
)

STATUS = words(
    *("ACTIVE", "BUILD", "DELETED", "ERROR", "HARD_REBOOT", "MIGRATING", "PASSWORD", "PAUSED", "REBOOT", "REBUILD"),
    *("RESCUE", "RESIZE", "REVERT_RESIZE", "SHELVED", "SHELVED_OFFLOADED", "SHUTOFF", "SOFT_DELETED", "SUSPENDED"),
    *("UNKNOWN", "VERIFY_RESIZE"),
)
_IMAGE = {"id": UUID, "links": LINKS}
_FLAVOR = obj(
    {
        **dict.fromkeys(("vcpus", "ram", "disk", "ephemeral", "swap"), WHOLE),
        "original_name": TEXT,
        "extra_specs?": by_key(TEXT),
    }
)
_ADDRESS = {"version": words(4, 6), "addr": TEXT}
ADDRESSES = by_key(listed(obj({**_ADDRESS, "OS-EXT-IPS:type": TEXT, "OS-EXT-IPS-MAC:mac_addr": TEXT})))
PLAIN_ADDRESSES = by_key(listed(obj(_ADDRESS)))
"""As `GET /servers/{id}/ips` tells them."""
_EXTENDED = {
    "OS-EXT-SRV-ATTR:host?": or_null(TEXT),
    "OS-EXT-SRV-ATTR:hypervisor_hostname?": or_null(TEXT),
    "OS-EXT-SRV-ATTR:instance_name?": TEXT,
    "OS-EXT-SRV-ATTR:reservation_id?": or_null(TEXT),
    "OS-EXT-SRV-ATTR:launch_index?": WHOLE,
    "OS-EXT-SRV-ATTR:hostname?": or_null(TEXT),
    "OS-EXT-SRV-ATTR:kernel_id?": TEXT,
    "OS-EXT-SRV-ATTR:ramdisk_id?": TEXT,
    "OS-EXT-SRV-ATTR:root_device_name?": or_null(TEXT),
    "OS-EXT-SRV-ATTR:user_data?": or_null(TEXT),
    "host_status?": words("UP", "DOWN", "MAINTENANCE", "UNKNOWN", ""),
}
"""What only some callers see."""
_DETAIL = {
    "id": UUID,
    "name": TEXT,
    "status": STATUS,
    "tenant_id": TEXT,
    "user_id": TEXT,
    "metadata": by_key(TEXT),
    "hostId": TEXT,
    "image": either(obj({**_IMAGE, "properties": by_key(TEXT)}), words("")),
    "flavor": _FLAVOR,
    "created": TIME,
    "updated": TIME,
    "addresses": ADDRESSES,
    "accessIPv4": TEXT,
    "accessIPv6": TEXT,
    "links": LINKS,
    "OS-DCF:diskConfig": words("AUTO", "MANUAL"),
    "OS-EXT-AZ:availability_zone": TEXT,
    "config_drive": words("True", ""),
    "key_name": or_null(TEXT),
    "OS-SRV-USG:launched_at": or_null(MICRO_TIME),
    "OS-SRV-USG:terminated_at": or_null(MICRO_TIME),
    "OS-EXT-STS:task_state": or_null(TEXT),
    "OS-EXT-STS:vm_state": TEXT,
    "OS-EXT-STS:power_state": WHOLE,
    "os-extended-volumes:volumes_attached": listed(obj({"id": UUID, "delete_on_termination": TRUTH})),
    "locked": TRUTH,
    "locked_reason": or_null(TEXT),
    "description": or_null(TEXT),
    "tags": listed(TEXT),
    "trusted_image_certificates": or_null(listed(TEXT)),
    "pinned_availability_zone": or_null(TEXT),
    "scheduler_hints": by_key(listed(TEXT)),
    "security_groups?": listed(obj({"name": TEXT})),
    "progress?": WHOLE,
    "fault?": obj({"code": WHOLE, "created": TIME, "message": TEXT, "details?": TEXT}),
    **_EXTENDED,
}
_SHOWN = {**_DETAIL, "server_groups": listed(UUID)}
_SUMMARY = {"id": UUID, "name": TEXT, "links": LINKS}
_DOWN = {"id": UUID, "status": words("UNKNOWN"), "links": LINKS}
_DETAIL_DOWN = {**_DOWN, "tenant_id": TEXT, "created": TIME}
_SHOWN_DOWN = {
    **_DETAIL_DOWN,
    "user_id": TEXT,
    "OS-EXT-AZ:availability_zone": TEXT,
    "OS-EXT-STS:power_state": WHOLE,
    "flavor?": _FLAVOR,
    "image?": either(obj(_IMAGE), words("")),
    "server_groups?": listed(UUID),
}

SUMMARY = shaped(either(obj(_SUMMARY), obj(_DOWN)), "server")
"""In `GET /servers`; the second as one of a cell that does not answer is told."""
DETAIL = shaped(either(obj(_DETAIL), obj(_DETAIL_DOWN)), "server")
SERVER = shaped(either(obj(_SHOWN), obj(_SHOWN_DOWN)), "server")
UPDATED = shaped(obj(_SHOWN), "server", "server_updated")
_PASSWORD = {"adminPass": TEXT}
_KEY = {**_PASSWORD, "key_name": or_null(TEXT)}
REBUILT = (
    Gives(body=obj({"server": also(UPDATED, _PASSWORD)}), until="2.53"),
    Gives(body=obj({"server": also(UPDATED, _KEY)}), since="2.54", until="2.56"),
    Gives(body=obj({"server": also(UPDATED, {**_KEY, "user_data": or_null(TEXT)})}), since="2.57"),
)
CREATED = either(
    obj(
        {
            "server": obj(
                {
                    "id": UUID,
                    "links": LINKS,
                    "OS-DCF:diskConfig": words("AUTO", "MANUAL"),
                    "security_groups": listed(obj({"name": TEXT})),
                    "adminPass": TEXT,
                }
            )
        }
    ),
    obj({"reservation_id": TEXT}),
)

INTERFACE = shaped(
    obj(
        {
            "net_id": TEXT,
            "port_id": TEXT,
            "mac_addr": TEXT,
            "port_state": TEXT,
            "fixed_ips": listed(obj({"subnet_id": TEXT, "ip_address": TEXT})),
            "tag": or_null(TEXT),
        }
    ),
    "interface_attachment",
)

_ATTACHED = {
    "id": UUID,
    "serverId": UUID,
    "volumeId": UUID,
    "device": or_null(TEXT),
    "tag": or_null(TEXT),
    "delete_on_termination": TRUTH,
}
ATTACHED = shaped(obj(_ATTACHED), "volume_attached")
ATTACHMENT = shaped(
    obj({**_ATTACHED, "attachment_id": or_null(UUID), "bdm_uuid": or_null(UUID)}),
    "volume_attachment",
)
