"""2.74: An administrator may ask for the host of a new server."""

from kilonova.kernel.versions import Change, accepted

CHANGES: tuple[Change, ...] = (
    accepted(
        "server_create",
        "host",
        "hypervisor_hostname",
        name="server-create-host",
        why="Administrators may ask for a host, which still has to pass the filters.",
    ),
)
