"""2.61: Flavors show their extra specs, to whom policy allows it."""

from kilonova.kernel.versions import Change, added

CHANGES: tuple[Change, ...] = (
    added("flavor", "extra_specs", name="flavor-extra-specs", why="Flavors show their extra specs."),
)
