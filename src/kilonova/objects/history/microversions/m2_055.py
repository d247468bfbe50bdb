"""2.55: Flavors have a description, and it can be changed."""

from kilonova.kernel.versions import Change, accepted, added

CHANGES: tuple[Change, ...] = (
    added("flavor", "description", name="flavor-description", why="Flavors show a description."),
    added(
        "flavor_summary", "description", name="flavor-summary-description", why="Lists of flavors show the description."
    ),
    accepted(
        "flavor_create",
        "description",
        name="flavor-create-description",
        why="A flavor may be created with a description.",
    ),
)
