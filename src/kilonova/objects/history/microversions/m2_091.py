"""2.91: Administrators may unshelve a server onto a host of their choice, and anybody may take its zone off it."""

from kilonova.kernel.versions import Change, accepted

CHANGES: tuple[Change, ...] = (
    accepted(
        "unshelve",
        "host",
        name="unshelve-to-host",
        why="Unshelving takes a host, and null as a zone unpins the server; the zone may be left out.",
        effect=True,
    ),
)
