"""2.49: Network cards and volumes may be tagged when they are attached."""

from kilonova.kernel.versions import Change, accepted

CHANGES: tuple[Change, ...] = (
    accepted(
        "interface_attach", "tag", name="interface-attach-tag", why="A network card may be tagged when it is attached."
    ),
    accepted("volume_attach", "tag", name="volume-attach-tag", why="A volume may be tagged when it is attached."),
)
