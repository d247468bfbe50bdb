"""2.2: Key pairs have a type, and creating and deleting them answer 201 and 204."""

from kilonova.kernel.versions import Change, accepted, added

CHANGES: tuple[Change, ...] = (
    added("keypair", "type", name="keypair-type", why="Key pairs show their type: ssh or x509."),
    accepted("keypair_create", "type", name="keypair-create-type", why="A key pair may be created with a type."),
    Change(
        name="keypair-status-codes",
        shape="keypair",
        why="Creating a key pair answers 201, deleting one 204.",
        effect=True,
    ),
)
