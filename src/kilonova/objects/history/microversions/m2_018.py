"""2.18: The project id in URLs is optional."""

from kilonova.kernel.versions import Change

CHANGES: tuple[Change, ...] = (
    Change(
        name="project-id-optional",
        shape="url",
        why="URLs need no project id any more; one that is there must be that of the token.",
    ),
)
