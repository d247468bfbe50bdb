"""An inverted index over reports that answers which of them are like a new one, and by which terms.

A report is a vector of its terms: `(1 + log frequency) * rarity`, and two are alike by the cosine between them. A search runs in
two steps, because most of the work would go into words that say little. First the rarest terms of the question are followed,
until `FOLLOWED_MAX` entries were seen; the reports that have most of them are candidates. Then those few are compared exactly.
"""

import heapq
import math
from array import array
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from kilonova.health.bugs.duplicates.terms import PIECE, spoken, terms

FOLLOWED_MAX = 20_000
"""Most entries of the index that the first step follows: it bounds the time of a search, whatever is asked."""
CANDIDATES_MAX = 150
"""Most reports that are compared exactly."""
REASONS_MAX = 5
"""Most terms that are named as the reason."""

Vector: TypeAlias = "tuple[array[int], bytes]"
"""The numbers of a report's terms, and beside them how often each is there, damped."""


@dataclass(frozen=True, slots=True)
class Match:
    """A known report that is like the one asked about."""

    key: str
    likeness: float
    """The cosine between the two, from 0 to 1."""
    reasons: tuple[str, ...]
    """The terms they share that count most, the best first."""


class Index:
    """Reports by their terms. Memory only: whoever owns it fills it from the store."""

    def __init__(self) -> None:
        """Begin without any report."""
        self._numbers: dict[str, int] = {}
        self._keys: list[str] = []
        self._names: list[str] = []
        self._terms: dict[str, int] = {}
        self._vectors: list[Vector | None] = []
        self._entries: list[array[int]] = []
        self._lengths = array("d")

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, key: str, title: str, text: str) -> None:
        """Know the report `key`; one that is known already is known anew."""
        self.remove(key)
        number = len(self._keys)
        found = terms(title, text)
        for name in found:
            term = self._terms.get(name)
            if term is None:
                term = self._terms[name] = len(self._names)
                self._names.append(name)
                self._entries.append(array("I"))
            self._entries[term].append(number)
        damped = bytes(_damped(weight) for weight in found.values())
        self._numbers[key] = number
        self._keys.append(key)
        self._vectors.append((array("I", map(self._terms.__getitem__, found)), damped))
        self._lengths.append(0.0)

    def settle(self) -> None:
        """Measure all reports anew. Worth its second after many were added: rarities have changed, and no search waits for it."""
        self._lengths = array("d", bytes(8 * len(self._keys)))
        for number in self._numbers.values():
            self._length(number)

    def remove(self, key: str) -> None:
        """Forget the report `key`, if it is known."""
        number = self._numbers.pop(key, None)
        if number is not None:
            self._vectors[number] = None

    def find(
        self, title: str, text: str, limit: int = 10, *, may_see: Callable[[str], bool] = lambda _key: True
    ) -> list[Match]:
        """The reports most like this one, the likest first; only such as `may_see` lets through."""
        asked = self._asked(title, text)
        length = math.sqrt(sum(value * value for value, _ in asked.values())) or 1.0
        scored = []
        for number in self._candidates(asked):
            vector = self._vectors[number]
            if vector is not None and may_see(self._keys[number]):
                scored.append((sum(_shared(asked, vector).values()) / (length * self._length(number)), number))
        best, named = heapq.nlargest(limit, scored), spoken(title, text)
        return [
            Match(self._keys[number], round(score, 4), self._reasons(asked, number, named)) for score, number in best
        ]

    def _asked(self, title: str, text: str) -> dict[int, tuple[float, float]]:
        """The known terms of a question: its weight and the term's rarity."""
        found = {}
        for name, weight in terms(title, text).items():
            term = self._terms.get(name)
            if term is not None:
                rarity = self._rarity(term)
                found[term] = (_damped(weight) * rarity, rarity)
        return found

    def _candidates(self, asked: dict[int, tuple[float, float]]) -> list[int]:
        """Those that share most of the rarest terms."""
        sums: defaultdict[int, float] = defaultdict(float)
        followed = 0
        for term in sorted(asked, key=lambda term: asked[term], reverse=True):
            numbers = self._entries[term]
            followed += len(numbers)
            if followed > FOLLOWED_MAX and sums:
                break
            value = asked[term][0] * asked[term][1]
            for number in numbers:
                sums[number] += value
        return heapq.nlargest(CANDIDATES_MAX, sums, key=sums.__getitem__)

    def _rarity(self, term: int) -> float:
        return math.log(1 + len(self._keys) / len(self._entries[term]))

    def _length(self, number: int) -> float:
        """The length of a report's vector, kept from when it was first needed: rarities change little."""
        if not self._lengths[number]:
            vector = self._vectors[number]
            assert vector is not None, "only of those that are there"
            squares = sum((self._rarity(term) * weight) ** 2 for term, weight in zip(*vector, strict=True))
            self._lengths[number] = math.sqrt(squares) or 1.0
        return self._lengths[number]

    def _reasons(self, asked: dict[int, tuple[float, float]], number: int, named: dict[str, str]) -> tuple[str, ...]:
        vector = self._vectors[number]
        assert vector is not None, "only of those that are there"
        shared = {self._names[term]: value for term, value in _shared(asked, vector).items()}
        words = {name: value for name, value in shared.items() if not name.startswith(PIECE)} or shared
        best = heapq.nlargest(REASONS_MAX, words, key=words.__getitem__)
        return tuple(named.get(name, name.removeprefix(PIECE)) for name in best)


def _shared(asked: dict[int, tuple[float, float]], vector: Vector) -> dict[int, float]:
    """What each term of both adds to their likeness."""
    return {
        term: asked[term][0] * asked[term][1] * weight for term, weight in zip(*vector, strict=True) if term in asked
    }


def _damped(weight: float) -> int:
    """The tenth mention of a word says less than the first. In units of 1/32, so that it fits a byte."""
    return min(255, round(32 * (1.0 + math.log(weight) if weight >= 1.0 else weight)))
