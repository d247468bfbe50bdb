"""2.47: Servers show the details of their flavor instead of a link to it."""

from kilonova.kernel.versions import Change

CHANGES: tuple[Change, ...] = (
    Change(
        name="server-flavor-embedded",
        shape="server",
        why="Servers show what their flavor was when they were made, instead of its id and link.",
        effect=True,
    ),
)
