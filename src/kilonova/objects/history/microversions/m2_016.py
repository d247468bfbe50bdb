"""2.16: Server details show the status of their host, to whom policy allows it."""

from kilonova.kernel.versions import Change, added

CHANGES: tuple[Change, ...] = (
    added(
        "server",
        "host_status",
        name="server-host-status",
        why="Server details show administrators the status of the host.",
        effect=True,
    ),
)
