"""The language of policy rules: a text becomes a tree of checks (oslo.policy reference, "Policy rule expressions")."""

from collections.abc import Iterator
from dataclasses import dataclass

from kilonova.kernel.errors import Invalid


class BadRule(Invalid):
    """Policy rule {rule}: {reason}"""

    code = "bad-policy-rule"


@dataclass(frozen=True)
class Constant:
    """`@` and the empty rule: everybody; `!`: nobody."""

    allows: bool


@dataclass(frozen=True)
class Named:
    """`rule:NAME`: what that rule says."""

    name: str


@dataclass(frozen=True)
class HasRole:
    """`role:NAME`: the caller has the role, in whatever case it is written."""

    name: str


@dataclass(frozen=True)
class Match:
    """`KIND:MATCH`: a credential of the caller, or a literal, equals a value that may come from the target."""

    kind: str
    match: str

    @property
    def literal(self) -> str | None:
        """What is compared when `kind` is a value and no name of a credential."""
        if self.kind[:1] in {"'", '"'}:
            return self.kind[1:-1]
        return self.kind if self.kind in {"True", "False", "None"} or self.kind.isdigit() else None


@dataclass(frozen=True)
class Not:
    """The opposite of a part."""

    part: "Node"


@dataclass(frozen=True)
class Both:
    """`and`."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Either:
    """`or`."""

    parts: tuple["Node", ...]


Node = Constant | Named | HasRole | Match | Not | Both | Either


def parsed(rule: str, text: str) -> Node:
    """The tree of `text`, what the rule `rule` says. Raises `BadRule`."""
    return _Parser(rule, text).parse()


def references(node: Node) -> Iterator[str]:
    """The rules that a tree asks."""
    match node:
        case Named(name):
            yield name
        case Match("is_admin", _):
            yield "context_is_admin"
        case Not(part):
            yield from references(part)
        case Both(parts) | Either(parts):
            for part in parts:
                yield from references(part)
        case _:
            pass


class _Parser:
    """Recursive descent over `or`, `and`, `not`, parentheses and single checks."""

    def __init__(self, rule: str, text: str) -> None:
        self._rule = rule
        self._tokens = _tokens(text)
        self._at = 0

    def parse(self) -> Node:
        if not self._tokens:
            return Constant(allows=True)
        node = self._any()
        if self._at != len(self._tokens):
            raise self._bad(f"cannot read '{self._tokens[self._at]}'")
        return node

    def _any(self) -> Node:
        parts = [self._all()]
        while self._take("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _all(self) -> Node:
        parts = [self._not()]
        while self._take("and"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def _not(self) -> Node:
        if self._take("not"):
            return Not(self._not())
        if self._take("("):
            node = self._any()
            if not self._take(")"):
                raise self._bad("a parenthesis is not closed")
            return node
        return self._single()

    def _take(self, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at].lower() == word:
            self._at += 1
            return True
        return False

    def _single(self) -> Node:
        if self._at == len(self._tokens):
            raise self._bad("it ends too early")
        token = self._tokens[self._at]
        self._at += 1
        if token in {"@", "!"}:
            return Constant(allows=token == "@")
        kind, colon, match = token.partition(":")
        if not colon:
            raise self._bad(f"cannot read '{token}'")
        if kind == "rule":
            return Named(match)
        if kind == "role":
            return HasRole(match)
        if kind in {"http", "https"}:
            raise self._bad("remote checks (http:, https:) are not supported")
        return Match(kind, match)

    def _bad(self, reason: str) -> BadRule:
        return BadRule(rule=self._rule, reason=reason)


def _tokens(text: str) -> list[str]:
    """Words, with the parentheses around them apart; `%(name)s` keeps its own, because it ends in `s`."""
    tokens: list[str] = []
    for word in text.split():
        inner = word.lstrip("(")
        bare = inner.rstrip(")")
        tokens += ["("] * (len(word) - len(inner))
        if bare:
            tokens.append(bare)
        tokens += [")"] * (len(inner) - len(bare))
    return tokens
