"""Whether what clients saw of one thing fits some order: each call takes effect at one moment between question and answer.

The search is exact (Wing and Gong, "Testing and verifying concurrent objects", 1993, with Lowe's memory of dead ends). A model
says which states a thing has, what each answer does to them, and how they change without anybody asking. A call without an
answer may take effect at any moment after it was made, or never: it only allows a change.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

States = frozenset[str]
Changes = Mapping[str, str]
"""From each state that allows it, the state that follows."""


class Call(msgspec.Struct, frozen=True):
    """One call of one client, about one thing."""

    client: str
    answer: str
    """What was asked and answered, as the model names it."""
    began: int
    """Beginnings and ends of all calls are numbered in the order in which they happened."""
    ended: int | None
    """None: it has no answer."""


@dataclass(frozen=True)
class Model:
    """What may happen to a thing."""

    initial: str
    answers: Mapping[str, Changes]
    by_itself: tuple[Changes, ...]

    def settled(self, states: Iterable[str], allowed: Sequence[Changes]) -> States:
        """Every state that can be reached by itself, and by calls that have no answer and are under way."""
        found = set(states)
        waiting = list(found)
        while waiting:
            state = waiting.pop()
            for changes in (*self.by_itself, *allowed):
                follows = changes.get(state)
                if follows is not None and follows not in found:
                    found.add(follows)
                    waiting.append(follows)
        return frozenset(found)

    def after(self, states: States, answer: str) -> States:
        """The states that an answer leaves possible; none when it can't be."""
        changes = self.answers[answer]
        return frozenset(changes[state] for state in states if state in changes)


def misfit(model: Model, calls: Sequence[Call]) -> Call | None:
    """None when some order of the calls fits `model`; else the call at which the longest attempt got stuck.

    What is done is remembered as the first call that is not, and the later ones that are: calls overlap few others.
    """
    answered = sorted((call for call in calls if call.ended is not None), key=lambda call: call.began)
    possible = _possible(calls)
    seen: set[tuple[int, int, States]] = set()
    todo: list[tuple[int, int, States]] = [(0, 0, frozenset({model.initial}))]
    furthest = (0, 0)
    while todo:
        first, done, states = todo.pop()
        if first == len(answered):
            return None
        furthest = max(furthest, (first + done.bit_count(), first))
        window, first_end = _window(answered, first, done)
        allowed = [model.answers[answer] for answer, began in possible.items() if began < first_end]
        states = model.settled(states, allowed)
        for position, after in _next(model, answered, window, states):
            state = (*_counted(first, done | 1 << position - first), after)
            if state not in seen:
                seen.add(state)
                todo.append(state)
    return answered[furthest[1]]


def _possible(calls: Iterable[Call]) -> dict[str, int]:
    """Since when each change may have happened by a call without an answer."""
    began: dict[str, int] = {}
    for call in calls:
        if call.ended is None:
            began[call.answer] = min(call.began, began.get(call.answer, call.began))
    return began


def _window(answered: Sequence[Call], first: int, done: int) -> tuple[list[int], float]:
    """The positions of all calls that may come next, and the first end of any that is left: they began before it."""
    window: list[int] = []
    first_end: float = float("inf")
    for position in range(first, len(answered)):
        call = answered[position]
        if call.began >= first_end:
            break
        if not done >> position - first & 1:
            assert call.ended is not None, "these calls have answers"
            first_end = min(first_end, call.ended)
            window.append(position)
    return window, first_end


def _next(model: Model, answered: Sequence[Call], window: Sequence[int], states: States) -> list[tuple[int, States]]:
    """Every call that may come next, by its position, and the states it leaves."""
    found = []
    for position in window:
        after = model.after(states, answered[position].answer)
        if after == states:
            return [
                (position, after)
            ]  # it changes nothing and rules nothing out: what could come before it can come after
        if after:
            found.append((position, after))
    return found


def _counted(first: int, done: int) -> tuple[int, int]:
    """The same with the first call that is not done."""
    while done & 1:
        first, done = first + 1, done >> 1
    return first, done
