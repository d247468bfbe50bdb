"""Reading documents into the event store: in batches, each with the place to go on from, so that no end loses anything."""

import gzip
import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

import msgspec

from kilonova.health.document import BadDocument
from kilonova.health.store import Cursor, Event, EventStore, Fact
from kilonova.kernel.errors import Invalid, KilonovaError

BATCH = 500
"""Documents that are kept together."""
REFUSED_MAX = 20
"""Most refused documents that are told one by one."""
_MAGIC = b")]}'"
"""What Gerrit puts before its JSON."""

Read = Callable[[bytes], Event | None]
"""Makes an event of a document; None for one that says nothing. Raises `BadDocument`."""


class NoFile(Invalid):
    """{path} can't be read: {reason}"""

    code = "no-file"


class Imported(msgspec.Struct):
    """What became of an import."""

    new: int = 0
    known: int = 0
    silent: int = 0
    """Documents that say nothing about changes or CI."""
    refused: int = 0
    reasons: list[str] = []
    """Why the first of the refused ones were refused, with their places."""
    until: dict[str, float] = {}
    """By source, the time before which nothing is missing."""


class Importer:
    """One import into one store."""

    def __init__(self, store: EventStore, read: Read) -> None:
        """Documents are made into events by `read`."""
        self._store = store
        self._read = read
        self.imported = Imported()
        self._events: list[Event] = []
        self._facts: list[list[Fact]] = []

    async def file(self, path: Path) -> Imported:
        """Read a file from where it was read to last time; one that was cut or replaced is read from its beginning.

        A file is a JSON document a line, or one list of them; `.gz` is unpacked. A last line without an end is left for the
        next time. Raises `NoFile`.
        """
        try:
            with _opened(path) as stream:
                name, position = await self._begin(path, stream)
                for place, document in _documents(stream, position):
                    self.take(document, f"{path.name}, before {place}")
                    position = place
                    if len(self._events) >= BATCH:
                        await self.keep(Cursor(name, str(position)))
                await self.keep(Cursor(name, str(position)))
        except (OSError, EOFError) as error:
            raise NoFile(path=path, reason=getattr(error, "strerror", None) or str(error)) from error
        return await self.end()

    def take(self, document: bytes, place: str) -> None:
        """Read one document; it is kept with the next batch. One that can't be read is counted and told, and nothing more."""
        try:
            event = self._read(document)
            facts = [] if event is None else list(self._store.derived(event))
        except (KilonovaError, AttributeError, LookupError, TypeError, ValueError) as error:
            self.imported.refused += 1
            if len(self.imported.reasons) < REFUSED_MAX:
                why = error.message if isinstance(error, KilonovaError) else f"{type(error).__name__}: {error}"
                self.imported.reasons.append(f"{place}: {why}")
            return
        if event is None:
            self.imported.silent += 1
            return
        self._events.append(event)
        self._facts.append(facts)

    async def keep(self, cursor: Cursor | None = None) -> None:
        """Write what was taken, with the place where to go on."""
        events, facts = self._events, self._facts
        self._events, self._facts = [], []
        done = await self._store.append(events, cursor, facts=facts)
        self.imported.new += done.new
        self.imported.known += done.known
        for event in events:
            self.imported.until[event.source] = max(event.at, self.imported.until.get(event.source, 0.0))

    async def end(self, complete_until: float | None = None, source: str | None = None) -> Imported:
        """Say up to when nothing is missing: to the last event, or to `complete_until` where the caller knows better."""
        await self.keep()
        if complete_until is not None:
            for name in {*self.imported.until, *filter(None, (source,))}:
                self.imported.until[name] = complete_until
        await self._store.append([], None, self.imported.until)
        return self.imported

    async def _begin(self, path: Path, stream: IO[bytes]) -> tuple[str, int]:
        """What the file is known by, and where to go on."""
        mark = hashlib.blake2b(str(path).encode() + stream.read(256), digest_size=8).hexdigest()
        name = f"{path.name}:{mark}"
        known = int(await self._store.position(name) or 0)
        end = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        return name, known if known <= end else 0


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _documents(stream: IO[bytes], start: int) -> Iterator[tuple[int, bytes]]:
    """The documents of a file from `start`, each with where the next one begins: a place in bytes, or a number in a list."""
    head = stream.read(64).lstrip()
    stream.seek(0)
    if head.startswith(_MAGIC):
        head = head.removeprefix(_MAGIC).lstrip()
    if head.startswith(b"["):
        whole = stream.read().lstrip().removeprefix(_MAGIC)
        yield from enumerate(documents_in(whole)[start:], start + 1)
        return
    stream.seek(start)
    place = start
    for line in stream:
        if not line.endswith(b"\n"):
            return
        place += len(line)
        if line.strip():
            yield place, line


def documents_in(whole: bytes) -> list[bytes]:
    """The documents of a list. Raises `BadDocument`."""
    try:
        return [bytes(raw) for raw in msgspec.json.decode(whole.removeprefix(_MAGIC), type=list[msgspec.Raw])]
    except msgspec.DecodeError as error:
        raise BadDocument(what="the list", reason=str(error)) from error
