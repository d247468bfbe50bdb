"""Zuul: builds as `GET /api/tenant/TENANT/builds` tells them.

Source: Zuul's web API, "builds". A build names the change that it ran on and its page at the review system, whose host makes
the change's subject. A run that Zuul repeated by itself has `final: false`.
"""

from collections.abc import Iterator
from typing import Any

from kilonova.health.ci.facts import Built, fact
from kilonova.health.document import BadDocument, decoded, host_of, number, part, text
from kilonova.health.moments import moment
from kilonova.health.store import Event, Fact

PREFIX = "zuul"
ACCOUNT = "zuul"
"""The account that builds are of; the registry's entry names it."""


def build(document: bytes, host: str) -> Event | None:
    """One build; None while it runs. Raises `BadDocument` for what is none."""
    found = decoded(document, "the build")
    uuid = text(found, "uuid")
    if not uuid:
        raise BadDocument(what="the build", reason="it has no uuid")
    if not found.get("result"):
        return None
    end = text(found, "end_time") or text(found, "start_time")
    if not end:
        raise BadDocument(what="the build", reason="it doesn't say when it ended")
    return Event(f"{PREFIX}:{host}", uuid, f"{PREFIX}.build", float(int(moment(end))), document)


def facts_in(event: Event) -> Iterator[Fact]:
    """What a build says, if it ran on a change."""
    found = decoded(event.payload, "the build")
    ref = part(found, "ref") or found  # versions before 9 have the reference's fields in the build itself
    change, host = number(ref, "change"), host_of(text(ref, "ref_url"))
    if not change or not host:
        return
    built = Built(
        account=ACCOUNT,
        job=text(found, "job_name"),
        result=text(found, "result"),
        id=event.key,
        patchset=number(ref, "patchset"),
        voting=bool(found.get("voting", True)),
        final=bool(found.get("final", True)),
        url=text(found, "log_url"),
        duration_s=_seconds(found),
    )
    yield fact(f"{host}/{change}", event.at, built)


def _seconds(found: dict[str, Any]) -> float | None:
    duration = found.get("duration")
    return float(duration) if isinstance(duration, int | float) else None
