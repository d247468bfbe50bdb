"""2.45: Making an image of a server answers with the image's id, not with where it is."""

from kilonova.kernel.versions import Change

CHANGES: tuple[Change, ...] = (
    Change(
        name="server-image-id-in-body",
        shape="server_image",
        why="The id of an image made from a server stands in the body; the Location header is gone.",
        effect=True,
        answer=True,
    ),
)
