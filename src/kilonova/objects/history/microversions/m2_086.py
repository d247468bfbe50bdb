"""2.86: Extra specs in known namespaces are validated."""

from kilonova.kernel.versions import Change

CHANGES: tuple[Change, ...] = (
    Change(
        name="extra-specs-validated",
        shape="flavor_extra_specs",
        why="Extra specs in the namespaces that Compute knows must be known and have a sensible value.",
        effect=True,
    ),
)
