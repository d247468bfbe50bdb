"""2.39: The proxy to image metadata is gone, and with it its limit."""

from kilonova.kernel.versions import Change, withdrawn

CHANGES: tuple[Change, ...] = (
    withdrawn(
        "limits",
        "maxImageMeta",
        name="limits-image-metadata-gone",
        why="Limits say nothing of image metadata any more.",
    ),
)
