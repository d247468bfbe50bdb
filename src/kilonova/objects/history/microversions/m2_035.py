"""2.35: Key pairs are listed in pages, ordered by name."""

from kilonova.kernel.versions import Change, ignored_before

CHANGES: tuple[Change, ...] = (
    ignored_before(
        "keypair_list_query",
        "limit",
        "marker",
        name="keypair-paging",
        why="Key pairs are listed in pages, with limit and marker, ordered by name.",
        effect=True,
    ),
)
