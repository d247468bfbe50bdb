"""Policy: oslo.policy's language, compiled once to functions.

Design notes. `oslo_policy.Enforcer.enforce` costs 165 microseconds a check and its import costs a third of a cold start, so
rules are parsed (`policy_language.py`) and compiled here; `tests/unit/web/test_web_policy.py` holds the two together by a
property test.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from kilonova.kernel.errors import Forbidden
from kilonova.objects.caller import Caller
from kilonova.web.policy_language import Both, Constant, Either, HasRole, Match, Named, Node, Not, parsed

Target = Mapping[str, object]
Check = Callable[[Mapping[str, object], Target], bool]

ADMIN_RULE = "context_is_admin"
"""The rule that says what `is_admin:` means, where a service has one."""


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
        self.replace(overrides or {})

    def replace(self, overrides: Mapping[str, str]) -> None:
        """Take `overrides` in place of those that were. Raises `BadRule` and changes nothing for what can't be read."""
        checks = _Checks({name: rule.check for name, rule in self.rules.items()} | dict(overrides))
        for name in overrides:
            checks[name]
        self._checks = checks

    def text(self, rule: str) -> str:
        """What `rule` says now. Raises KeyError for a rule that is not there."""
        return self._checks.texts[rule]

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
        self.texts = texts

    def __missing__(self, name: str) -> Check:
        self[name] = check = _compiled(parsed(name, self.texts[name]), self)
        return check

    def known(self, name: str) -> Check | None:
        return self[name] if name in self.texts else None


def _compiled(node: Node, rules: _Checks) -> Check:
    match node:
        case Constant(allows):
            return _always if allows else _never
        case Named(name):
            return _rule(rules, name)
        case HasRole(name):
            return _role(name)
        case Match():
            return _generic(node, rules)
        case Not(part):
            return _opposite(_compiled(part, rules))
        case Both(parts):
            return _joined(_both, parts, rules)
        case Either(parts):
            return _joined(_either, parts, rules)


def _joined(join: Callable[[Check, Check], Check], parts: tuple[Node, ...], rules: _Checks) -> Check:
    check = _compiled(parts[0], rules)
    for part in parts[1:]:
        check = join(check, _compiled(part, rules))
    return check


def _either(one: Check, other: Check) -> Check:
    return lambda creds, target: one(creds, target) or other(creds, target)


def _both(one: Check, other: Check) -> Check:
    return lambda creds, target: one(creds, target) and other(creds, target)


def _opposite(check: Check) -> Check:
    return lambda creds, target: not check(creds, target)


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
        role = filled(name, target)
        roles = credentials.get("roles")
        return role is not None and isinstance(roles, tuple) and role.lower() in roles

    return check


def _generic(node: Match, rules: _Checks) -> Check:
    """`key:%(name)s` compares a credential, or a 'literal', with a value of the target."""
    kind, literal = node.kind, node.literal

    def check(credentials: Mapping[str, object], target: Target) -> bool:
        wanted = filled(node.match, target)
        if wanted is None:
            return False
        if literal is not None:
            return wanted == literal
        if kind not in credentials:
            return False
        return wanted == str(credentials[kind])

    if kind != "is_admin" or ADMIN_RULE not in rules.texts:
        return check
    admin = _rule(rules, ADMIN_RULE)
    return lambda credentials, target: filled(node.match, target) == str(admin(credentials, credentials))


def filled(match: str, target: Target) -> str | None:
    """`match` with `%(name)s` filled from the target; None when the target has no such value, or it can't be filled."""
    try:
        return match % target
    except (KeyError, ValueError, TypeError):
        return None
