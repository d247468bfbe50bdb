"""ComputeCapabilitiesFilter: what the flavor's extra specs ask of the host itself."""

from kilonova.scheduler.filters.facts import OWN_FACTS, fact
from kilonova.scheduler.filters.filter import By, Rule
from kilonova.scheduler.filters.matching import matches
from kilonova.scheduler.request import ServerRequest


def compute_capabilities(request: ServerRequest) -> Rule | None:
    """Only hosts that say of themselves what `capabilities:NAME` and keys without a colon want.

    What is free is no fact of a host here: placement judges it, by `resources:CLASS`.
    """
    wanted = _wanted(request)
    if not wanted:
        return None
    return lambda host: all(
        found is not None and matches(found, value)
        for found, value in ((fact(host, path), value) for path, value in wanted)
    )


def capabilities_by(request: ServerRequest) -> By:
    """Each host, where something is asked that only one host says of itself; else one of each kind."""
    return By.HOST if any(path[0] in OWN_FACTS for path, _ in _wanted(request)) else By.KIND


def _wanted(request: ServerRequest) -> list[tuple[list[str], str]]:
    """The facts that are asked for, with what is asked of each."""
    wanted: list[tuple[list[str], str]] = []
    for key, value in request.extra_specs.items():
        path = key.split(":")
        if len(path) == 1:
            wanted.append((path, value))
        elif path[0] == "capabilities":
            wanted.append((path[1:], value))
    return wanted
