"""2.102: Unknown query parameters are refused everywhere, flavors are filtered by name and lose two idle fields."""

from kilonova.kernel.versions import Change, ignored_before, refused, withdrawn

CHANGES: tuple[Change, ...] = (
    Change(name="strict-queries", shape="query", why="Every route refuses unknown query parameters.", effect=True),
    ignored_before("flavor_list_query", "name", name="flavor-list-name", why="Flavors can be filtered by name."),
    withdrawn(
        "flavor",
        "rxtx_factor",
        "OS-FLV-DISABLED:disabled",
        name="flavor-idle-fields-gone",
        why="Flavors no longer show rxtx_factor and OS-FLV-DISABLED:disabled, which have no effect.",
    ),
    refused(
        "flavor_create", "rxtx_factor", name="flavor-create-rxtx-gone", why="A flavor has no rxtx_factor any more."
    ),
)
