"""Queries for log lines: the part of Lucene's language that known-failure signatures are written in. Pure.

`message:"a phrase"`, `tags:(a OR b)`, `filename:logs*screen-c-vol.txt`, AND, OR, NOT, parentheses; words beside each other mean
AND, a word without a field is looked for in the message. A phrase is found where its words follow each other, whatever stands
between them and whatever their case; a word with `*` or `?` is compared with the whole value, or with each word of the message.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import msgspec

from kilonova.kernel.errors import Invalid

MESSAGE = "message"
DEPTH_MAX = 50
"""Deepest nesting of parentheses."""

Values = Mapping[str, str | Sequence[str]]
"""A log line: its message and what is known of its file and its build, by field."""


class BadQuery(Invalid):
    """The query can't be read at character {place}: {reason}"""

    code = "bad-query"


class Term(msgspec.Struct, frozen=True, tag=True):
    """A phrase, or a pattern, in one field."""

    field: str
    text: str
    pattern: bool = False


class Not(msgspec.Struct, frozen=True, tag=True):
    """What must not be."""

    part: "Query"


class All(msgspec.Struct, frozen=True, tag=True):
    """What must all be."""

    parts: tuple["Query", ...]


class Any(msgspec.Struct, frozen=True, tag=True):
    """Of which one must be."""

    parts: tuple["Query", ...]


Query = Term | Not | All | Any

_TOKEN = re.compile(
    r"""\s*(?:(?P<sign>[+!-](?=["(\w]))|(?P<open>\()|(?P<close>\))|(?P<quoted>"(?:[^"\\]|\\.)*")
    |(?P<field>[A-Za-z_@][\w.@-]*)\s*:(?=\s*["(\w*?/\\.\[-])|(?P<word>(?:[^\s()"\\]|\\.)+))""",
    re.VERBOSE | re.DOTALL,
)
_WORDS = re.compile(r"[a-z0-9_]+")


class _Token(msgspec.Struct, frozen=True):
    kind: str
    text: str
    place: int


def query_read(text: str) -> Query:
    """Read a query. Raises `BadQuery`."""
    tokens = list(_tokens(text))
    if not tokens:
        raise BadQuery(place=0, reason="it is empty")
    reader = _Reader(tokens, len(text))
    found = reader.either(MESSAGE, 0)
    if reader.at < len(tokens):
        raise BadQuery(place=tokens[reader.at].place, reason=f"{tokens[reader.at].text!r} is not expected here")
    return found


def fits(query: Query, line: Values) -> bool:
    """Whether a line is what a query looks for."""
    if isinstance(query, Term):
        return _term_fits(query, line)
    if isinstance(query, Not):
        return not fits(query.part, line)
    if isinstance(query, All):
        return all(fits(part, line) for part in query.parts)
    return any(fits(part, line) for part in query.parts)


def needed(query: Query) -> tuple[str, ...]:
    """Phrases of the message of which one at least is in every line that fits; none where nothing can be said."""
    if isinstance(query, Term):
        return (query.text,) if query.field == MESSAGE and not query.pattern and words(query.text) else ()
    if isinstance(query, All):
        choices = [found for part in query.parts if (found := needed(part))]
        return max(choices, key=lambda found: min(map(len, found)), default=())
    if isinstance(query, Any):
        each = [needed(part) for part in query.parts]
        return tuple(one for found in each for one in found) if all(each) else ()
    return ()


@lru_cache(maxsize=8192)
def words(text: str) -> tuple[str, ...]:
    """The words of a text as they are compared."""
    return tuple(_WORDS.findall(text.lower()))


class _Reader:
    """Goes over the tokens once."""

    def __init__(self, tokens: Sequence[_Token], end: int) -> None:
        self.tokens = tokens
        self.at = 0
        self._end = end

    def either(self, field: str, depth: int) -> Query:
        """Parts with OR between."""
        parts = [self.every(field, depth)]
        while self._word("OR"):
            self.at += 1
            parts.append(self.every(field, depth))
        return parts[0] if len(parts) == 1 else Any(tuple(parts))

    def every(self, field: str, depth: int) -> Query:
        """Parts with AND, or nothing, between."""
        parts = [self.one(field, depth)]
        while self.at < len(self.tokens) and self.tokens[self.at].kind != "close" and not self._word("OR"):
            if self._word("AND"):
                self.at += 1
            parts.append(self.one(field, depth))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def one(self, field: str, depth: int) -> Query:
        """One part."""
        if self.at >= len(self.tokens):
            raise BadQuery(place=self._end, reason="something is missing at its end")
        token = self.tokens[self.at]
        self.at += 1
        if token.kind == "field" or token.text == "+":
            return self.one(token.text if token.kind == "field" else field, depth)
        if token.kind == "open":
            return self._group(field, depth, token)
        if token.kind == "sign" or (token.kind == "word" and token.text == "NOT"):
            return Not(self.one(field, depth))
        if token.kind == "quoted":
            return Term(field, _unescaped(token.text[1:-1]))
        if token.kind == "word" and token.text not in {"AND", "OR"}:
            return Term(field, _unescaped(token.text), pattern=bool(re.search(r"(?<!\\)[*?]", token.text)))
        raise BadQuery(place=token.place, reason=f"{token.text!r} is not expected here")

    def _group(self, field: str, depth: int, token: _Token) -> Query:
        if depth >= DEPTH_MAX:
            raise BadQuery(place=token.place, reason=f"it is nested more than {DEPTH_MAX} times")
        found = self.either(field, depth + 1)
        if self.at >= len(self.tokens):
            raise BadQuery(place=token.place, reason="this parenthesis has no end")
        self.at += 1
        return found

    def _word(self, text: str) -> bool:
        here = self.tokens[self.at] if self.at < len(self.tokens) else None
        return here is not None and here.kind == "word" and here.text == text


def _tokens(text: str) -> Iterator[_Token]:
    place, end = 0, len(text.rstrip())
    while place < end:
        found = _TOKEN.match(text, place)
        if found is None:
            raise BadQuery(place=place, reason="a quotation mark has no other")
        kind = str(found.lastgroup)
        yield _Token(kind, found[kind], found.start(kind))
        place = found.end()


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _term_fits(term: Term, line: Values) -> bool:
    value = line.get(term.field, "")
    return any(_value_fits(term, one) for one in ((value,) if isinstance(value, str) else value))


def _value_fits(term: Term, value: str) -> bool:
    if term.pattern:
        pattern = _glob(term.text)
        if pattern.fullmatch(value):
            return True
        return term.field == MESSAGE and any(pattern.fullmatch(word) for word in re.findall(r"\S+", value))
    return f" {' '.join(words(term.text))} " in f" {' '.join(words(value))} "


@lru_cache(maxsize=4096)
def _glob(text: str) -> re.Pattern[str]:
    pieces = ({"*": ".*", "?": "."}.get(piece) or re.escape(piece) for piece in re.split(r"([*?])", text))
    return re.compile("".join(pieces), re.IGNORECASE | re.DOTALL)
