"""2.41: Aggregates show a UUID."""

from kilonova.kernel.versions import Change, added

CHANGES: tuple[Change, ...] = (added("aggregate", "uuid", name="aggregate-uuid", why="Aggregates show a UUID."),)
