"""2.48: Diagnostics of servers have the same fields for every hypervisor."""

from kilonova.kernel.versions import Change, Doc

_NIC = {"rx": "rx_octets", "rx_errors": "rx_errors", "rx_drop": "rx_drop", "rx_packets": "rx_packets"}
_DISK = {
    "read": "read_bytes",
    "read_req": "read_requests",
    "write": "write_bytes",
    "write_req": "write_requests",
    "errors": "errors_count",
}


def _flat(doc: Doc) -> None:
    """Everything at the top, named after its device, as far as it is known."""
    told: Doc = {"memory": doc["memory_details"]["maximum"] * 1024}
    for cpu in doc["cpu_details"]:
        told[f"cpu{cpu['id']}_time"] = cpu["time"]
    for at, disk in enumerate(doc["disk_details"]):
        told |= {f"vd{chr(ord('a') + at)}_{name}": disk[field] for name, field in _DISK.items()}
    both = {**_NIC, **{name.replace("rx", "tx"): field.replace("rx", "tx") for name, field in _NIC.items()}}
    for at, nic in enumerate(doc["nic_details"]):
        told |= {f"nic{at}_{name}": nic[field] for name, field in both.items()}
    doc.clear()
    doc.update({name: value for name, value in told.items() if value is not None})


CHANGES: tuple[Change, ...] = (
    Change(
        name="diagnostics-standard",
        shape="server_diagnostics",
        why="Diagnostics have the same fields for every hypervisor, null where it can't tell.",
        down=_flat,
        loses=frozenset(
            {
                *("state", "driver", "hypervisor", "hypervisor_os", "uptime", "config_drive"),
                *("num_cpus", "num_nics", "num_disks", "memory_details", "cpu_details", "nic_details", "disk_details"),
            }
        ),
    ),
)
