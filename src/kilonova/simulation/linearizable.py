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
    """None when some order of the calls fits `model`; else the call at which the longest attempt got stuck."""
    answered = sorted((call for call in calls if call.ended is not None), key=lambda call: call.began)
    open_ones = [call for call in calls if call.ended is None]
    everything = (1 << len(answered)) - 1
    seen: set[tuple[int, States]] = set()
    todo: list[tuple[int, States]] = [(0, frozenset({model.initial}))]
    furthest = 0
    while todo:
        done, states = todo.pop()
        if done == everything:
            return None
        if done.bit_count() > furthest.bit_count():
            furthest = done
        for position, after in _next(model, answered, open_ones, done, states):
            state = (done | 1 << position, after)
            if state not in seen:
                seen.add(state)
                todo.append(state)
    return next(call for position, call in enumerate(answered) if not furthest >> position & 1)


def _next(
    model: Model, answered: Sequence[Call], open_ones: Sequence[Call], done: int, states: States
) -> list[tuple[int, States]]:
    """Every call that may come next, by its position, and the states it leaves."""
    left = [(position, call) for position, call in enumerate(answered) if not done >> position & 1]
    first_end = min(call.ended for _, call in left if call.ended is not None)
    allowed = [model.answers[call.answer] for call in open_ones if call.began < first_end]
    states = model.settled(states, allowed)
    found = []
    for position, call in left:
        if call.began < first_end:
            after = model.after(states, call.answer)
            if after:
                found.append((position, after))
    return found
