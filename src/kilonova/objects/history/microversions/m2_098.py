"""2.98: Servers show the properties of their image."""

from kilonova.kernel.versions import Change, added

CHANGES: tuple[Change, ...] = (
    added(
        "server", "image.properties", name="server-image-properties", why="The image of a server shows its properties."
    ),
)
