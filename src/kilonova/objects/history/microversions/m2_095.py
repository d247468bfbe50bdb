"""2.95: An evacuated server is stopped on its new host."""

from kilonova.kernel.versions import Change

CHANGES: tuple[Change, ...] = (
    Change(
        name="evacuate-stopped",
        shape="evacuate",
        why="Evacuated servers are stopped on their new hosts, so that their owners start them when they are ready.",
        effect=True,
    ),
)
