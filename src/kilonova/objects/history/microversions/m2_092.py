"""2.92: Key pairs are imported only, and their names may hold @ and dots."""

from kilonova.kernel.versions import Change

CHANGES: tuple[Change, ...] = (
    Change(
        name="keypair-import-only",
        shape="keypair_create",
        why="Key pairs are no longer generated: public_key is required, and names may hold @ and dots.",
        effect=True,
    ),
)
