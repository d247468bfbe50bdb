"""2.29: An evacuation may name its host with force; without it the host has to pass the filters."""

from kilonova.kernel.versions import Change, accepted

CHANGES: tuple[Change, ...] = (
    accepted("evacuate", "force", name="evacuate-force", why="A named host may be asked for past the filters."),
)
