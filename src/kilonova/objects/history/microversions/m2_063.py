"""2.63: Servers may be created with trusted image certificates."""

from kilonova.kernel.versions import Change, accepted, added

CHANGES: tuple[Change, ...] = (
    added(
        "server",
        "trusted_image_certificates",
        name="server-trusted-certificates",
        why="Servers show the certificates their image was validated with.",
    ),
    accepted(
        "server_create",
        "trusted_image_certificates",
        name="server-create-trusted-certificates",
        why="A server may be created with a list of certificates that its image must be signed by.",
    ),
    accepted(
        "server_rebuild",
        "trusted_image_certificates",
        name="server-rebuild-trusted-certificates",
        why="A server may be rebuilt with other certificates, or with none.",
    ),
)
