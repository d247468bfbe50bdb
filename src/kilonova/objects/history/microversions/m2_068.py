"""2.68: Nothing is forced onto a host: evacuations and live migrations lose force."""

from kilonova.kernel.versions import Change, refused

CHANGES: tuple[Change, ...] = (
    refused("evacuate", "force", name="evacuate-force-gone", why="A named host always has to pass the filters."),
    refused(
        "migrate_live", "force", name="migrate-live-force-gone", why="A named host always has to pass the filters."
    ),
)
