"""2.20: Volumes can be taken from servers that are shelved."""

from kilonova.kernel.versions import Change

CHANGES: tuple[Change, ...] = (
    Change(
        name="volumes-of-shelved",
        shape="volume_attachment",
        why="Volumes can be attached to servers that are shelved, and detached from them.",
        effect=True,
    ),
)
