"""2.70: Attached network cards and volumes show their tags."""

from kilonova.kernel.versions import Change, added

CHANGES: tuple[Change, ...] = (
    added("interface_attachment", "tag", name="interface-attachment-tag", why="Attached network cards show their tag."),
    added("volume_attachment", "tag", name="volume-attachment-tag", why="Attached volumes show their tag."),
    added("volume_attached", "tag", name="volume-attached-tag", why="Attaching a volume answers with its tag."),
)
