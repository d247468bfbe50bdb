"""2.7: Giving a project access to a public flavor is refused."""

from kilonova.kernel.versions import Change

CHANGES: tuple[Change, ...] = (
    Change(
        name="public-flavor-access-refused",
        shape="flavor_access",
        why="Adding project access to a public flavor is a conflict.",
        effect=True,
    ),
)
