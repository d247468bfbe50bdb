"""2.100: Servers show the scheduler hints that they were created with."""

from kilonova.kernel.versions import Change, added

CHANGES: tuple[Change, ...] = (
    added(
        "server",
        "scheduler_hints",
        name="server-scheduler-hints",
        why="Servers show the hints they were scheduled with.",
    ),
)
