"""2.70: Attached network cards and volumes show their tags."""

from kilonova.kernel.versions import Change, added

CHANGES: tuple[Change, ...] = (
    added("interface_attachment", "tag", name="interface-attachment-tag", why="Attached network cards show their tag."),
)
