"""2.30: A live migration may name its host with force; without it the host has to pass the filters."""

from kilonova.kernel.versions import Change, accepted

CHANGES: tuple[Change, ...] = (
    accepted("migrate_live", "force", name="migrate-live-force", why="A named host may be asked for past the filters."),
)
