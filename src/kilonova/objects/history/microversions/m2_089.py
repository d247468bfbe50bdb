"""2.89: Attached volumes show the id of their attachment."""

from kilonova.kernel.versions import Change, added, withdrawn

CHANGES: tuple[Change, ...] = (
    added(
        "volume_attachment",
        "attachment_id",
        "bdm_uuid",
        name="volume-attachment-ids",
        why="Attached volumes show the id of their attachment at the volume service, and that of their mapping.",
    ),
    withdrawn(
        "volume_attachment",
        "id",
        name="volume-attachment-id-gone",
        why="The id of an attachment, which was that of the volume, is no longer shown.",
    ),
)
