"""The wire's line: what a cell's gateway and an agent say to each other, by the version of its shapes.

Every message says its level. The gateway tells its documents at the level that was agreed when the agent registered: the
newest that both know; the agent answers at that level, and whoever reads a message brings its documents up. So gateways and
agents may be upgraded in any order, as long as the older of two knows a level that the newer still has.

Documents that are stored (a server's body, an operation's params and outputs, a host's description) do not stand at a level of
this line: they are at the newest shape of the program that wrote them, fields are only ever added to them with a default, and
anything more is a step of the table line, which rewrites the rows while both shapes are understood.

A change of a shape in SHAPES is a `Change` at a new label of WIRE, named for the shape, that edits the whole document: a
change inside a `HostStep`'s spec belongs to `host_step`.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from kilonova.kernel.errors import Invalid
from kilonova.kernel.versions import Level, Line
from kilonova.objects.guest import Guest, HostDescription
from kilonova.objects.history.wire_changes import HOST_ACTIONS, HOST_EPOCHS, HOST_UPTIME, NUMA
from kilonova.objects.host_step import HostReport, HostStep, Order

T = TypeVar("T", bound=msgspec.Struct)

WIRE = Line("wire", (("1.0", ()), ("1.1", HOST_ACTIONS), ("1.2", HOST_EPOCHS), ("1.3", NUMA), ("1.4", HOST_UPTIME)))

SHAPES: Mapping[type[msgspec.Struct], str] = MappingProxyType(
    {
        HostDescription: "host_description",
        HostStep: "host_step",
        HostReport: "host_report",
        Guest: "guest",
        Order: "order",
    }
)
"""What crosses the wire, and what changes call it."""


class BadMessage(Invalid):
    """The message can't be understood: {why}"""

    code = "bad-message"


class _Message(msgspec.Struct, frozen=True):
    """What really crosses: documents of one shape, all at one level."""

    level: str
    documents: msgspec.Raw


_decode = msgspec.json.Decoder(_Message).decode


def agreed(line: Line, label: str) -> Level:
    """The level to speak at with a peer whose newest is `label`: that one, or our own newest if the peer's is newer still."""
    return line.level(label) if label in line.positions else line.newest


def told(level: Level, documents: Sequence[T], shape: type[T]) -> bytes:
    """A message with `documents`, told at `level`."""
    told_: Any = documents
    if level is not level.line.newest:
        told_ = [level.down(SHAPES[shape], document) for document in _plain(documents)]
    return msgspec.json.encode(_Message(level.label, msgspec.Raw(msgspec.json.encode(told_))))


def read(line: Line, message: bytes, shape: type[T]) -> list[T]:
    """The documents of a message at the newest shape. Raises `BadMessage`."""
    try:
        said = _decode(message)
        if said.level not in line.positions:
            raise BadMessage(why=f"it is at level {said.level}, the newest here is {line.newest.label}")
        level = line.level(said.level)
        if level is line.newest:
            return msgspec.json.decode(said.documents, type=list[shape])  # type: ignore[valid-type]
        documents = msgspec.json.decode(said.documents, type=list[dict[str, Any]])
        newest = [level.up(SHAPES[shape], document) for document in documents]
        return msgspec.json.decode(msgspec.json.encode(newest), type=list[shape])  # type: ignore[valid-type]
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise BadMessage(why=str(error)) from error


def _plain(documents: Sequence[msgspec.Struct]) -> list[dict[str, Any]]:
    """The documents as they look in JSON, to be edited."""
    plain: list[dict[str, Any]] = msgspec.to_builtins(documents)
    return plain
