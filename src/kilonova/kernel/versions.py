"""One kernel for every version line: changes of shapes, and lines that order them.

Design notes. Code knows only the newest shape of each noun. Every difference between two versions is one named `Change` that
can read old as new (`up`) and tell new as old (`down`). A `Line` orders changes for one boundary (the API, the wire between
roles) under labels; a `Level` is one position on a line, chosen by a request's header or by the lowest live peer. Moves edit
a document in place: they get one that nobody else holds. A level composes the moves of a shape once and keeps them, so
that telling a thousand documents costs a thousand times the moves that really apply. Beside documents a change knows the
schema of its shape: what older versions say and take is the newest schema with later changes undone.
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from kilonova.kernel import schemas
from kilonova.kernel.errors import Invalid
from kilonova.kernel.schemas import Schema

Doc = dict[str, Any]
Move = Callable[[Doc], None]


class UnknownField(Invalid):
    """Additional properties are not allowed ('{field}' was unexpected)"""

    code = "unknown-field"


def stay(_doc: Doc) -> None:
    """The move that changes nothing."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One step in the life of one shape."""

    name: str
    """Permanent, e.g. `server-description`; the same on every line, and what code asks a level for."""
    shape: str
    """What it changes, e.g. `server`, `server_create`; a route or behaviour change names what it is about."""
    why: str
    """One sentence for the release note: what a client must know."""
    up: Move = stay
    """Older to newer, in place. Raises `Invalid` for what the older version did not know."""
    down: Move = stay
    """Newer to older, in place."""
    loses: frozenset[str] = frozenset()
    """Keys whose value `down` may lose."""
    retires: frozenset[str] = frozenset()
    """Keys that are gone from here on: requests may not carry them, responses don't show them. The newest shape
    still knows them, for older callers."""
    effect: bool = False
    """True when behaviour differs too, and code asks `level.has(name)`."""
    schema_down: Move = stay
    """The schema of the newer shape to that of the older one, in place. What retires needs none."""
    answer: bool = False
    """True when a body comes or goes as a whole, which is for the routes to say."""

    @property
    def of_shape(self) -> bool:
        """Whether bodies or queries look different since; else only what happens does."""
        return (
            bool(self.retires)
            or self.answer
            or any(move is not stay for move in (self.up, self.down, self.schema_down))
        )


def added(shape: str, *fields: str, name: str, why: str, effect: bool = False) -> Change:
    """A response shape got `fields` (dotted paths): older versions don't show them."""
    paths = tuple(tuple(path.split(".")) for path in fields)

    def down(doc: Doc) -> None:
        for path in paths:
            _pop(doc, path)

    def schema_down(schema: Schema) -> None:
        for path in paths:
            schemas.drop(schema, *path)

    return Change(
        name=name, shape=shape, why=why, down=down, loses=frozenset(fields), effect=effect, schema_down=schema_down
    )


def accepted(shape: str, *fields: str, name: str, why: str, effect: bool = False, schema_down: Move = stay) -> Change:
    """A request shape got `fields`: older versions refuse them. `schema_down` is for what their schema differs in besides."""

    def up(doc: Doc) -> None:
        for key in fields:
            if key in doc:
                raise UnknownField(field=key)

    return Change(name=name, shape=shape, why=why, up=up, effect=effect, schema_down=_without(fields, schema_down))


def refused(shape: str, *fields: str, name: str, why: str, effect: bool = False, schema_down: Move = stay) -> Change:
    """A request shape lost `fields`: newer versions refuse them. `schema_down` is for what their schema differs in besides."""
    return Change(name=name, shape=shape, why=why, retires=frozenset(fields), effect=effect, schema_down=schema_down)


def withdrawn(shape: str, *fields: str, name: str, why: str, effect: bool = False) -> Change:
    """A response shape lost `fields`: newer versions don't show them, though the code still says them for older ones."""
    return Change(name=name, shape=shape, why=why, retires=frozenset(fields), effect=effect)


def ignored_before(shape: str, *fields: str, name: str, why: str, effect: bool = False) -> Change:
    """A query got `fields`: older versions take no notice of them."""

    def up(doc: Doc) -> None:
        for key in fields:
            doc.pop(key, None)

    return Change(name=name, shape=shape, why=why, up=up, effect=effect, schema_down=_without(fields))


def renamed(shape: str, old: str, new: str, *, name: str, why: str) -> Change:
    """A field of a response shape has another name since."""

    def up(doc: Doc) -> None:
        if old in doc:
            doc[new] = doc.pop(old)

    def down(doc: Doc) -> None:
        if new in doc:
            doc[old] = doc.pop(new)

    def schema_down(schema: Schema) -> None:
        schemas.rename(schema, new, old)

    return Change(name=name, shape=shape, why=why, up=up, down=down, schema_down=schema_down)


def _without(fields: Iterable[str], more: Move = stay) -> Move:
    """The move that takes fields out of a schema, and does `more`."""

    def schema_down(schema: Schema) -> None:
        for key in fields:
            schemas.drop(schema, key)
        more(schema)

    return schema_down


def _pop(doc: Doc, path: tuple[str, ...]) -> None:
    for key in path[:-1]:
        inner = doc.get(key)
        if not isinstance(inner, dict):
            return
        doc = inner
    doc.pop(path[-1], None)


@dataclass(frozen=True)
class Line:
    """An ordered history of one boundary, oldest label first."""

    name: str
    steps: tuple[tuple[str, tuple[Change, ...]], ...]
    _levels: dict[str, "Level"] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse a history that names a change or a label twice."""
        names = [change.name for _, changes in self.steps for change in changes]
        labels = [label for label, _ in self.steps]
        for kind, seen in (("change", names), ("label", labels)):
            twice = sorted({name for name in seen if seen.count(name) > 1})
            if twice:
                raise ValueError(f"line {self.name}: {kind} named twice: {', '.join(twice)}")

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """All labels, oldest first."""
        return tuple(label for label, _ in self.steps)

    @cached_property
    def positions(self) -> Mapping[str, int]:
        """Where each label stands, 0 for the oldest."""
        return {label: position for position, label in enumerate(self.labels)}

    @cached_property
    def born(self) -> Mapping[str, int]:
        """The position at which each change came in, by its name."""
        return {change.name: at for at, (_, changes) in enumerate(self.steps) for change in changes}

    @property
    def newest(self) -> "Level":
        """The level of the newest label."""
        return self.level(self.labels[-1])

    def level(self, label: str) -> "Level":
        """The level at `label`. Raises KeyError for a label that isn't on the line."""
        if label not in self._levels:
            self._levels[label] = Level(self, self.positions[label])
        return self._levels[label]

    def changes(self) -> Iterable[tuple[str, Change]]:
        """All changes with their labels, oldest first."""
        return ((label, change) for label, changes in self.steps for change in changes)


class Level:
    """One position on a line: what is known there, and the way to and from the newest shapes."""

    def __init__(self, line: Line, position: int) -> None:
        """Made by `Line.level`, which keeps one of each."""
        self.line = line
        self.position = position
        self.label = line.labels[position]
        self._ups: dict[str, tuple[Move, ...]] = {}
        self._downs: dict[str, tuple[Move, ...]] = {}
        self._schema_downs: dict[str, tuple[Move, ...]] = {}

    def has(self, change: str) -> bool:
        """Whether the change named `change` holds at this level. Raises KeyError for a name that no change has."""
        return self.line.born[change] <= self.position

    def at_least(self, label: str) -> bool:
        """Whether this level is `label` or newer."""
        return self.position >= self.line.positions[label]

    def up(self, shape: str, doc: Doc) -> Doc:
        """Read `doc`, written at this level, as the newest shape; edits and returns `doc`.

        Raises `UnknownField` for a field this level doesn't know (not yet, or not any more).
        """
        moves = self._ups.get(shape)
        if moves is None:
            moves = self._ups[shape] = self._compose_up(shape)
        for move in moves:
            move(doc)
        return doc

    def down(self, shape: str, doc: Doc) -> Doc:
        """Tell `doc`, in the newest shape (with what older levels show), at this level; edits and returns `doc`."""
        moves = self._downs.get(shape)
        if moves is None:
            moves = self._downs[shape] = self._compose_down(shape)
        for move in moves:
            move(doc)
        return doc

    def schema(self, shape: str, schema: Schema) -> Schema:
        """What `schema`, of the newest shape with all that older levels show or take besides, is at this level; a copy."""
        moves = self._schema_downs.get(shape)
        if moves is None:
            moves = self._schema_downs[shape] = self._compose_schema(shape)
        told = copy.deepcopy(schema)
        for move in moves:
            move(told)
        return told

    def _compose_down(self, shape: str) -> tuple[Move, ...]:
        gone = sorted(self._retired(shape))
        later = [c.down for c in self._of(shape, self.position + 1, None) if c.down is not stay]
        if not gone:
            return tuple(reversed(later))

        def drop(doc: Doc) -> None:
            for key in gone:
                doc.pop(key, None)

        return (drop, *reversed(later))

    def _compose_schema(self, shape: str) -> tuple[Move, ...]:
        later = [c.schema_down for c in self._of(shape, self.position + 1, None) if c.schema_down is not stay]
        return (_without(self._retired(shape)), *reversed(later))

    def _compose_up(self, shape: str) -> tuple[Move, ...]:
        gone = self._retired(shape)
        moves = [c.up for c in self._of(shape, self.position + 1, None) if c.up is not stay]
        if not gone:
            return tuple(moves)

        def refuse(doc: Doc) -> None:
            for key in doc:
                if key in gone:
                    raise UnknownField(field=key)

        return (refuse, *moves)

    def _retired(self, shape: str) -> frozenset[str]:
        return frozenset(key for c in self._of(shape, 0, self.position + 1) for key in c.retires)

    def _of(self, shape: str, start: int, stop: int | None) -> list[Change]:
        return [c for _, changes in self.line.steps[start:stop] for c in changes if c.shape == shape]
