"""What a client must know when it goes to another microversion: the line's changes, and which routes come and go."""

from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec

from kilonova.api.openapi import Documents, summary
from kilonova.api.query import ComputeRoute
from kilonova.kernel.errors import Invalid
from kilonova.kernel.versions import Change, Line


class Kind(StrEnum):
    """What a change is a change of."""

    SHAPE = "shape"
    """Bodies or queries look different."""
    ROUTE = "route"
    """A method of a path, or an action, comes or goes."""
    BEHAVIOUR = "behaviour"
    """The same request has another effect, or another status."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One change, as clients are told of it."""

    version: str
    kind: Kind
    about: str
    """The shape, or the route."""
    name: str | None = None
    """The change's permanent name; routes have none."""
    text: str


class Backwards(Invalid):
    """From {start} to {end} nothing changes: say the older microversion first."""

    code = "changes-backwards"


def between(documents: Documents, start: str, end: str) -> list[Told]:
    """What changes after `start` until `end`, oldest first. Raises `NoSuchMicroversion`, `Backwards`."""
    first, last = documents.level(start).position, documents.level(end).position
    if last < first:
        raise Backwards(start=start, end=end)
    return [told for label in documents.line.labels[first + 1 : last + 1] for told in at(documents, label)]


def changes(documents: Documents, start: str, end: str) -> list[Told]:
    """What changes in the microversions from `start` to `end`, both included."""
    first, last = documents.level(start).position, documents.level(end).position
    return [told for label in documents.line.labels[first : last + 1] for told in at(documents, label)]


def at(documents: Documents, label: str) -> list[Told]:
    """What changes in one microversion: shapes, then routes, then behaviour."""
    line = documents.line
    told = [_of_change(label, change) for change in line.steps[line.positions[label]][1]]
    return sorted([*told, *_routes(documents.routes, line, label)], key=lambda one: list(Kind).index(one.kind))


def _of_change(label: str, change: Change) -> Told:
    kind = Kind.SHAPE if change.of_shape else Kind.BEHAVIOUR
    return Told(version=label, kind=kind, about=change.shape, name=change.name, text=change.why)


def _routes(routes: Sequence[ComputeRoute], line: Line, label: str) -> Iterator[Told]:
    """The routes that come with `label`, and those that went with the label before it."""
    position = line.positions[label]
    before = line.labels[position - 1] if position else None
    came = [route for route in routes if route.since == label]
    went = [route for route in routes if route.until is not None and route.until == before]
    for route in came:
        if not any(_same(route, other) for other in went):
            text = f"{_named(route)} is new. {summary(route)}"
            yield Told(version=label, kind=Kind.ROUTE, about=_named(route), text=text)
    for route in went:
        if not any(_same(route, other) for other in came):
            yield Told(version=label, kind=Kind.ROUTE, about=_named(route), text=f"{_named(route)} is gone.")


def _named(route: ComputeRoute) -> str:
    return f"{route.method} {route.path}" + (f" ({route.action})" if route.action else "")


def _same(one: ComputeRoute, other: ComputeRoute) -> bool:
    return (one.method, one.path, one.action) == (other.method, other.path, other.action)
