"""Policy: oslo.policy's language, compiled once to functions.

Design notes. `oslo_policy.Enforcer.enforce` costs 165 microseconds a check and its import costs a third of a cold start, so
rules are parsed and compiled here; `tests/unit/web/test_policy.py` holds the two together by a property test. Source of the
language: oslo.policy reference, "Policy rule expressions".
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from kilonova.kernel.errors import Forbidden, Invalid
from kilonova.objects.caller import Caller

Target = Mapping[str, object]
Check = Callable[[Mapping[str, object], Target], bool]


class BadRule(Invalid):
    """Policy rule {rule}: {reason}"""

    code = "bad-policy-rule"


@dataclass(frozen=True)
class Rule:
    """One named rule and its default."""

    name: str
    """OpenStack's name, e.g. `os_compute_api:servers:show`."""
    check: str
    """An expression of oslo.policy's language."""
    description: str = ""


class Policy:
    """All rules of a service, ready to ask."""

    def __init__(self, defaults: Iterable[Rule], overrides: Mapping[str, str] | None = None) -> None:
        """Compile what `overrides` says; a default when it is first asked. Raises `BadRule` for what can't be read."""
        self.rules = {rule.name: rule for rule in defaults}
        texts = {name: rule.check for name, rule in self.rules.items()} | dict(overrides or {})
        self._checks = _Checks(texts)
        for name in overrides or {}:
            self._checks[name]

    def allows(self, rule: str, caller: Caller, target: Target | None = None) -> bool:
        """Whether `caller` may do what `rule` guards, to `target` (its own project when None)."""
        credentials = caller.credentials
        return self._checks[rule](credentials, credentials if target is None else target)

    def enforce(self, rule: str, caller: Caller, target: Target | None = None) -> None:
        """Raise `Forbidden` unless `allows`."""
        if not self.allows(rule, caller, target):
            raise Forbidden(rule=rule)


class _Checks(dict[str, Check]):
    """Compiled rules by name, each made when it is first needed: a cloud has hundreds and a start asks for none."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        super().__init__()
        self._texts = texts

    def __missing__(self, name: str) -> Check:
        self[name] = check = _Parser(name, self._texts[name], self).parse()
        return check

    def known(self, name: str) -> Check | None:
        return self[name] if name in self._texts else None


class _Parser:
    """Recursive descent over `or`, `and`, `not`, parentheses and single checks."""

    def __init__(self, name: str, text: str, rules: _Checks) -> None:
        self._name = name
        self._rules = rules
        self._tokens = _tokens(text)
        self._at = 0

    def parse(self) -> Check:
        if not self._tokens:
            return _always
        check = self._any()
        if self._at != len(self._tokens):
            raise BadRule(rule=self._name, reason=f"cannot read '{self._tokens[self._at]}'")
        return check

    def _any(self) -> Check:
        check = self._all()
        while self._take("or"):
            check = _either(check, self._all())
        return check

    def _all(self) -> Check:
        check = self._not()
        while self._take("and"):
            check = _both(check, self._not())
        return check

    def _not(self) -> Check:
        if self._take("not"):
            check = self._not()
            return lambda creds, target: not check(creds, target)
        if self._take("("):
            check = self._any()
            if not self._take(")"):
                raise BadRule(rule=self._name, reason="a parenthesis is not closed")
            return check
        return self._single()

    def _take(self, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at].lower() == word:
            self._at += 1
            return True
        return False

    def _single(self) -> Check:
        if self._at == len(self._tokens):
            raise BadRule(rule=self._name, reason="it ends too early")
        token = self._tokens[self._at]
        self._at += 1
        if token == "@":
            return _always
        if token == "!":
            return _never
        kind, colon, match = token.partition(":")
        if not colon:
            raise BadRule(rule=self._name, reason=f"cannot read '{token}'")
        if kind == "rule":
            return _rule(self._rules, match)
        if kind == "role":
            return _role(match)
        if kind in {"http", "https"}:
            raise BadRule(rule=self._name, reason="remote checks (http:, https:) are not supported")
        return _generic(kind, match)


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


def _either(one: Check, other: Check) -> Check:
    return lambda creds, target: one(creds, target) or other(creds, target)


def _both(one: Check, other: Check) -> Check:
    return lambda creds, target: one(creds, target) and other(creds, target)


def _always(_credentials: Mapping[str, object], _target: Target) -> bool:
    return True


def _never(_credentials: Mapping[str, object], _target: Target) -> bool:
    return False


def _rule(rules: _Checks, name: str) -> Check:
    def check(credentials: Mapping[str, object], target: Target) -> bool:
        named = rules.known(name)
        return named is not None and named(credentials, target)

    return check


def _role(name: str) -> Check:
    def check(credentials: Mapping[str, object], target: Target) -> bool:
        role = _filled(name, target)
        roles = credentials.get("roles")
        return role is not None and isinstance(roles, tuple) and role.lower() in roles

    return check


def _generic(kind: str, match: str) -> Check:
    """`key:%(name)s` compares a credential, or a 'literal', with a value of the target."""
    literal = kind[1:-1] if kind[:1] in {"'", '"'} else None
    if kind in {"True", "False", "None"} or kind.isdigit():
        literal = kind

    def check(credentials: Mapping[str, object], target: Target) -> bool:
        wanted = _filled(match, target)
        if wanted is None:
            return False
        if literal is not None:
            return wanted == literal
        if kind not in credentials:
            return False
        return wanted == str(credentials[kind])

    return check


def _filled(match: str, target: Target) -> str | None:
    """`match` with `%(name)s` filled from the target; None when the target has no such value."""
    try:
        return match % target
    except KeyError:
        return None
