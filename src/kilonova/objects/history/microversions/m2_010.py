"""2.10: Administrators may act on the key pairs of other users."""

from kilonova.kernel.versions import Change, accepted, ignored_before

CHANGES: tuple[Change, ...] = (
    accepted(
        "keypair_create",
        "user_id",
        name="keypair-create-user",
        why="An administrator may create a key pair for another user.",
    ),
    ignored_before(
        "keypair_list_query",
        "user_id",
        name="keypair-list-user",
        why="An administrator may list another user's key pairs.",
    ),
    ignored_before(
        "keypair_query",
        "user_id",
        name="keypair-user",
        why="An administrator may show and delete another user's key pairs.",
    ),
)
