"""2.85: Whether an attached volume goes with its server can be changed."""

from kilonova.kernel.versions import Change, accepted

CHANGES: tuple[Change, ...] = (
    accepted(
        "volume_attachment_update",
        "device",
        "tag",
        "delete_on_termination",
        "serverId",
        "id",
        name="volume-attachment-update",
        why="Updating the attachment of a volume may change delete_on_termination, for everybody who may attach volumes.",
        effect=True,
    ),
)
