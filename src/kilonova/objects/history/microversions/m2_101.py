"""2.101: Attaching a volume is answered before it is done."""

from kilonova.kernel.versions import Change

CHANGES: tuple[Change, ...] = (
    Change(
        name="volume-attach-accepted",
        shape="volume_attach",
        why="Attaching a volume answers 202 without a body.",
        effect=True,
        answer=True,
    ),
)
