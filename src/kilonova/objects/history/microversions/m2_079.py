"""2.79: A volume may go with its server."""

from kilonova.kernel.versions import Change, accepted, added

CHANGES: tuple[Change, ...] = (
    accepted(
        "volume_attach",
        "delete_on_termination",
        name="volume-attach-delete-on-termination",
        why="Attaching a volume says whether it is deleted with the server.",
    ),
    added(
        "volume_attachment",
        "delete_on_termination",
        name="volume-attachment-delete-on-termination",
        why="Attached volumes show whether they are deleted with the server.",
    ),
    added(
        "volume_attached",
        "delete_on_termination",
        name="volume-attached-delete-on-termination",
        why="Attaching a volume answers with whether it is deleted with the server.",
    ),
)
