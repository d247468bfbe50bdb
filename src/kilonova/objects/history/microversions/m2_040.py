"""2.40: Usage is told in pages."""

from kilonova.kernel.versions import Change, ignored_before

CHANGES: tuple[Change, ...] = (
    ignored_before(
        "usage_query",
        "limit",
        "marker",
        name="usage-paging",
        why="Usage is told in pages of servers, with limit and marker, and links to the next page.",
        effect=True,
    ),
)
