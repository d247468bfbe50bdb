"""Documents of trackers, and what was done here, as events of the store; and the deeds that those events tell of. Pure."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from kilonova.health.bugs.commits import LAUNCHPAD, CommitText, bugs_named
from kilonova.health.bugs.model import Deed, Link, What
from kilonova.health.bugs.trackers import github, launchpad
from kilonova.health.store import Derive, Event, Fact
from kilonova.kernel.errors import Invalid

FACT = "bug"
"""The kind of the facts that are deeds; their subject is the bug."""
OWN = "own"
"""The tracker that this program is itself."""
SOURCES = ("launchpad", "github", "commits")

Read = Callable[[bytes], Event | None]
"""Makes an event of a document; None for one that says nothing of bugs. Raises `NoDocument`."""


class NoDocument(Invalid):
    """The document can't be read: {reason}"""

    code = "no-document"


class _Own(msgspec.Struct):
    bug: str
    deed: Deed


class _Named(msgspec.Struct):
    """A bug that a commit is known to name, where that isn't to be read from its text."""

    id: int
    link: Link


class _CommitDocument(msgspec.Struct):
    commit: str
    at: float
    text: str
    release: str = ""
    tracker: str = LAUNCHPAD
    bugs: list[_Named] | None = None


def reader(source: str, project: str | None = None) -> Read:
    """What reads the documents of a source.

    Args:
        source: one of `SOURCES`.
        project: of Launchpad, the project whose part of a bug counts; of commits, whose numbers they name where that is not
            Launchpad, as `github/OWNER/NAME`.
    """
    if source == "launchpad":
        return lambda document: _launchpad(document, project)
    if source == "github":
        return _github
    return lambda document: _commit(document, project)


def own_event(key: str, deed: Deed, identity: str) -> Event:
    """Something that was done here, as an event."""
    return Event(OWN, identity, f"deed.{deed.what}", deed.at, msgspec.json.encode(_Own(key, deed)))


def commit_document(found: CommitText) -> bytes:
    """A commit as a document of the source `commits`."""
    return msgspec.json.encode(found)


def _launchpad(document: bytes, project: str | None) -> Event | None:
    entry = _decoded(document)
    kind = launchpad.kind(entry)
    if launchpad.number(entry) is None or not kind or not launchpad.is_of(entry, project):
        return None
    return Event(
        launchpad.SOURCE, _short(launchpad.identity(entry)), f"launchpad.{kind}", launchpad.when(entry), document
    )


def _github(document: bytes) -> Event | None:
    entry = next(github.entries(_decoded(document)), None)
    if entry is None:
        return None
    return Event(github.SOURCE, _short(github.identity(entry)), "issues.entry", github.when(entry), document)


def _commit(document: bytes, tracker: str | None) -> Event | None:
    try:
        found = msgspec.json.decode(document, type=_CommitDocument)
    except msgspec.DecodeError as error:
        raise NoDocument(reason=str(error)) from error
    if tracker is not None:
        found.tracker = tracker
    if not (found.bugs or bugs_named(found.text, found.tracker)):
        return None
    identity = f"{found.commit} {found.release}".strip()
    return Event(f"git:{found.tracker}", identity, "git.commit", found.at, msgspec.json.encode(found))


def _decoded(document: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(document, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise NoDocument(reason=str(error)) from error


def _short(identity: str) -> str:
    """An identity that fits its column."""
    return identity if len(identity) < 200 else hashlib.blake2b(identity.encode(), digest_size=24).hexdigest()


def _facts(key: str, deeds: Iterable[Deed]) -> Iterator[Fact]:
    return (Fact(FACT, key, deed.at, msgspec.json.encode(deed)) for deed in deeds)


def _of_launchpad(event: Event) -> Iterable[Fact]:
    entry = msgspec.json.decode(event.payload)
    return _facts(f"{launchpad.SOURCE}/{launchpad.number(entry)}", launchpad.deeds(entry))


def _of_github(event: Event) -> Iterable[Fact]:
    entry = msgspec.json.decode(event.payload)
    return _facts(github.key(entry) or "", github.deeds(entry))


def _of_commit(event: Event) -> Iterator[Fact]:
    found = msgspec.json.decode(event.payload, type=_CommitDocument)
    named = bugs_named(found.text, found.tracker)
    if found.bugs is not None:
        named = {f"{found.tracker}/{one.id}": one.link for one in found.bugs}
    title = found.text.partition("\n")[0]
    for key, link in named.items():
        yield from _facts(
            key, [Deed(found.at, What.COMMIT, f"{found.commit} {title}", link=link, release=found.release)]
        )


def _of_own(event: Event) -> Iterable[Fact]:
    found = msgspec.json.decode(event.payload, type=_Own)
    return _facts(found.bug, [found.deed])


DERIVES: dict[str, Derive] = {"launchpad": _of_launchpad, "issues": _of_github, "git": _of_commit, "deed": _of_own}
"""What reads the events of each source, for the store."""
