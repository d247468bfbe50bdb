"""2.11: Compute services can be forced down, and show it."""

from kilonova.kernel.versions import Change, accepted, added

CHANGES: tuple[Change, ...] = (
    added(
        "service",
        "forced_down",
        name="service-forced-down",
        why="Services show whether they were forced down.",
        effect=True,
    ),
    accepted("service_update", "forced_down", name="service-update-forced-down", why="A service may be forced down."),
)
