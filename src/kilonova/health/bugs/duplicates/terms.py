"""The terms of a report: words of title and text, pairs of words of the title, and pieces of the title's words.

Identifiers count whole and in parts (`InstanceNotFound`: instance, not, found), words without their endings. Pieces of four
letters find a title with a slip of the pen or a compound; they weigh half a word.
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterator

TITLE_WEIGHT = 3.0
PAIR_WEIGHT = 1.0
PIECE_WEIGHT = 0.5
PIECE_LETTERS = 4
TEXT_LETTERS = 1_000
"""So much of the text counts: what comes later is mostly logs, and makes unlike reports alike."""

PIECE = "#"
"""Begins the term of a piece, which no word can."""

_TOKEN = re.compile(r"[A-Za-z0-9_]+(?:[.\-][A-Za-z0-9_]+)*")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_LETTERS = re.compile(r"[a-z0-9]+")
_ENDINGS = ("ing", "ed", "es", "s")


def terms(title: str, text: str) -> dict[str, float]:
    """Each term of a report with its weight."""
    found: defaultdict[str, float] = defaultdict(float)
    in_title = list(words(title))
    for word in in_title:
        found[word] += TITLE_WEIGHT
    for word in words(text[:TEXT_LETTERS]):
        found[word] += 1.0
    for first, second in itertools.pairwise(in_title):
        found[f"{first} {second}"] += PAIR_WEIGHT
    letters = " ".join(_LETTERS.findall(title.lower()))
    for at in range(len(letters) - PIECE_LETTERS + 1):
        found[PIECE + letters[at : at + PIECE_LETTERS]] += PIECE_WEIGHT
    return found


def spoken(title: str, text: str) -> dict[str, str]:
    """Each term that people can read, as it is written in the report: of a stem the first word that has it."""
    found: dict[str, str] = {}
    for token in _TOKEN.findall(f"{title} {text[:TEXT_LETTERS]}"):
        found.setdefault(token.lower(), token)
        for part in _PART.findall(token):
            found.setdefault(_stem(part.lower()), part.lower())
    in_title = list(words(title))
    pairs = itertools.pairwise(in_title)
    return found | {f"{first} {second}": f"{found[first]} {found[second]}" for first, second in pairs}


def words(text: str) -> Iterator[str]:
    """The words of a text without their endings; identifiers in parts, and whole."""
    for token in _TOKEN.findall(text):
        parts = _PART.findall(token)
        yield from (_stem(part.lower()) for part in parts if len(part) > 1)
        if len(parts) > 1:
            yield token.lower()


def _stem(word: str) -> str:
    """The word without a common ending, so that `fails`, `failed` and `failing` are one."""
    if len(word) <= 4:
        return word
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)]
            break
    return word[:-1] if len(word) > 3 and word.endswith("e") else word
