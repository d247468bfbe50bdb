"""2.3: Server details show more of what an instance is: reservation, kernel, hostname, user data."""

from kilonova.kernel.versions import Change, added

CHANGES: tuple[Change, ...] = (
    added(
        "server",
        "OS-EXT-SRV-ATTR:reservation_id",
        "OS-EXT-SRV-ATTR:launch_index",
        "OS-EXT-SRV-ATTR:hostname",
        "OS-EXT-SRV-ATTR:kernel_id",
        "OS-EXT-SRV-ATTR:ramdisk_id",
        "OS-EXT-SRV-ATTR:root_device_name",
        "OS-EXT-SRV-ATTR:user_data",
        name="server-extended-attributes",
        why="Server details show administrators reservation, launch index, hostname, kernel, ramdisk, root device and user data.",
    ),
)
