"""Tables of legal moves. A state that users see is never assigned: it is what a table says comes next."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S")
E = TypeVar("E")


@dataclass(frozen=True)
class Legal(Generic[S, E]):
    """One legal move: in `source`, on `event`, to `target`."""

    source: S
    event: E
    target: S


@dataclass(frozen=True)
class Refused(Generic[S, E]):
    """What a table answers to an event that is not legal in a state."""

    source: S
    event: E
    legal_in: tuple[S, ...]
    """The states in which the event would have been legal."""


class Machine(Generic[S, E]):
    """A table of legal moves, checked when it is made."""

    def __init__(self, name: str, moves: Iterable[Legal[S, E]]) -> None:
        """Keep the table. Raises ValueError if an event has two targets in one state."""
        self.name = name
        self.moves = tuple(moves)
        self._targets: dict[tuple[S, E], S] = {}
        for move in self.moves:
            if (move.source, move.event) in self._targets:
                raise ValueError(f"{name}: {move.event} has two targets in {move.source}")
            self._targets[move.source, move.event] = move.target

    def advance(self, source: S, event: E) -> S | Refused[S, E]:
        """The state after `event` in `source`, or why there is none."""
        try:
            return self._targets[source, event]
        except KeyError:
            return Refused(source, event, self.legal_in(event))

    def legal_in(self, event: E) -> tuple[S, ...]:
        """The states in which `event` is legal, in the table's order."""
        return tuple(move.source for move in self.moves if move.event == event)
