"""Our own files, a JSON object a line: the easy way for a CI that nothing else tells of, and how people's words are kept.

A result is `{"system": ..., "change": "HOST/NUMBER", "patchset": 3, "job": ..., "result": "SUCCESS", "at": "...Z", "log": ...}`.
"""

from collections.abc import Iterator

import msgspec

from kilonova.health.ci.facts import EVERYTHING, Built, Labelled, Said, Waived, WaiverEnded, fact
from kilonova.health.document import BadDocument, digest
from kilonova.health.moments import moment
from kilonova.health.store import Event, Fact

PREFIX = "results"
PEOPLE = "people"
"""The part of an event's kind, and the source, of what people said through the command line or a page."""


class Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line."""

    system: str
    """The account that the registry's entry names."""
    change: str
    job: str
    result: str
    at: str
    patchset: int = 0
    revision: str = ""
    voting: bool = True
    log: str = ""
    duration_s: float | None = None
    id: str = ""
    """What names this run; a digest of the line when empty."""


_result = msgspec.json.Decoder(Result)


class SaidByPeople(msgspec.Struct, frozen=True):
    """What a person said, as it is kept."""

    subject: str
    said: Labelled | Waived | WaiverEnded


_people = msgspec.json.Decoder(SaidByPeople)


def result(line: bytes, source: str) -> Event:
    """One line as an event. Raises `BadDocument`."""
    found = _decoded(line)
    if not found.patchset and not found.revision:
        raise BadDocument(what="the result", reason="it names neither a patchset nor a revision")
    return Event(f"{PREFIX}:{source}", found.id or digest(line), f"{PREFIX}.result", moment(found.at), line)


def facts_in(event: Event) -> Iterator[Fact]:
    """What a line says."""
    found = _decoded(event.payload)
    built = Built(
        account=found.system,
        job=found.job,
        result=found.result.upper(),
        id=event.key,
        patchset=found.patchset,
        revision=found.revision,
        voting=found.voting,
        url=found.log,
        duration_s=found.duration_s,
    )
    yield fact(found.change, event.at, built)


def said_by_people(said: Labelled | Waived | WaiverEnded, at: float, subject: str = EVERYTHING) -> Event:
    """What a person said, as an event."""
    payload = msgspec.json.encode(SaidByPeople(subject, said))
    tag = said.__struct_config__.tag
    return Event(PEOPLE, digest(payload + str(at).encode()), f"{PEOPLE}.{tag}", at, payload)


def facts_of_people(event: Event) -> Iterator[Fact]:
    """The one fact in what a person said."""
    found = _people.decode(event.payload)
    said: Said = found.said
    yield fact(found.subject, event.at, said)


def _decoded(line: bytes) -> Result:
    try:
        return _result.decode(line)
    except msgspec.MsgspecError as error:
        raise BadDocument(what="the result", reason=str(error)) from error
