"""DriverLog's registry of OpenStack's vendor drivers, as entries of ours. Pure.

Its entries have patterns and no examples, so examples are made from the patterns: a comment such as the pattern was written for.
Those whose patterns can't tell a success from a failure are refused like any other entry.
"""

import re
from typing import Any

import msgspec

from kilonova.health.ci.registry import BadRegistry, Cover, Example, Patterns, System


def systems_of(document: bytes) -> tuple[System, ...]:
    """An entry for each driver that names a CI. Raises `BadRegistry`."""
    try:
        drivers = msgspec.json.decode(document)["drivers"]
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise BadRegistry(reason="this is not DriverLog's default_data.json") from error
    return tuple(_system(driver) for driver in drivers if driver.get("ci"))


def _system(driver: dict[str, Any]) -> System:
    ci, project = driver["ci"], driver["project_id"]
    success, failure = ci.get("success_pattern") or "SUCCESS", ci.get("failure_pattern") or "FAILURE"
    slug = _slug(f"{driver['vendor']}-{driver['name']}")
    people = [one.get("launchpad_id") or one.get("name", "") for one in driver.get("maintainers") or ()]
    return System(
        name=_slug(f"{project.rpartition('/')[2]}-{slug}"),
        owner=driver["vendor"],
        contact=", ".join(filter(None, people)) or driver.get("wiki") or "unknown",
        accounts=(f"*:{ci['id']}",),
        covers=(Cover(project, drivers=(slug,)),),
        patterns=Patterns(success, failure),
        examples=(Example(_written(success), "success"), Example(_written(failure), "failure")),
    )


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")


def _written(pattern: str) -> str:
    """A comment that a pattern of DriverLog was written for: it knows no more of expressions than these."""
    return re.sub(r"\\(.)", r"\1", pattern.replace(r"\S+", "http://logs.example/1").replace(".*", "x"))
