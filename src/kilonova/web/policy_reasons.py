"""Why a rule says no: the smallest parts of it that fail, a line each, below the rules that they are in."""

from collections.abc import Iterator, Mapping
from itertools import chain

from kilonova.objects.caller import Caller
from kilonova.web.policy import ADMIN_RULE, Policy, Target, filled
from kilonova.web.policy_language import Both, Constant, Either, HasRole, Match, Named, Node, Not, parsed


class Reasons:
    """Reads the rules of `policy` for one caller and one target."""

    def __init__(self, policy: Policy, caller: Caller, target: Target | None = None) -> None:
        self._policy = policy
        self._caller = caller
        self._credentials: Mapping[str, object] = caller.credentials
        self._target = self._credentials if target is None else target

    def lines(self, rule: str) -> list[str]:
        """Why `rule` says no, most general first, two spaces deeper at each step; nothing when it says yes."""
        if self._policy.allows(rule, self._caller, self._target):
            return []
        return list(self._why(parsed(rule, self._policy.text(rule)), 0))

    def _allows(self, node: Node) -> bool:
        match node:
            case Constant(allows):
                return allows
            case Named(name):
                return self._known(name) and self._policy.allows(name, self._caller, self._target)
            case HasRole(name):
                role = filled(name, self._target)
                return role is not None and role.lower() in self._roles
            case Match():
                return self._matches(node)
            case Not(part):
                return not self._allows(part)
            case Both(parts):
                return all(map(self._allows, parts))
            case Either(parts):
                return any(map(self._allows, parts))

    def _why(self, node: Node, depth: int) -> Iterator[str]:
        """The lines about a part that fails."""
        match node:
            case Both(parts):
                yield from self._why(next(part for part in parts if not self._allows(part)), depth)
            case Either(parts):
                yield self._line(depth, "none of these holds:")
                yield from chain.from_iterable(self._why(part, depth + 1) for part in parts)
            case Named(name) if self._known(name):
                yield self._line(depth, f"rule:{name} is {self._policy.text(name) or '@'}")
                yield from self._why(parsed(name, self._policy.text(name)), depth + 1)
            case _:
                yield self._line(depth, self._reason(node))

    def _reason(self, node: Node) -> str:
        match node:
            case Constant():
                return "! is said of nobody"
            case Named(name):
                return f"rule:{name} is not there"
            case HasRole(name):
                return f"role:{name} is not among the caller's roles: {', '.join(sorted(self._roles)) or 'none'}"
            case Not(part):
                return f"not ... fails, because {_text(part)} holds"
            case Match(kind, text):
                wanted = filled(text, self._target)
                if wanted is None:
                    return f"{kind}:{text} asks for what the target does not have"
                return f"{kind}:{text} wants {wanted}, and the caller has {self._value(node)}"
            case Both() | Either():
                raise AssertionError("made of parts")

    @property
    def _roles(self) -> tuple[str, ...]:
        roles = self._credentials["roles"]
        assert isinstance(roles, tuple)
        return roles

    def _known(self, name: str) -> bool:
        try:
            self._policy.text(name)
        except KeyError:
            return False
        return True

    def _value(self, node: Match) -> str | None:
        """What is compared with the wanted value; None when the caller has no such credential."""
        if node.literal is not None:
            return node.literal
        if node.kind == "is_admin" and self._known(ADMIN_RULE):
            return str(self._policy.allows(ADMIN_RULE, self._caller))
        return str(self._credentials[node.kind]) if node.kind in self._credentials else None

    def _matches(self, node: Match) -> bool:
        wanted = filled(node.match, self._target)
        return wanted is not None and wanted == self._value(node)

    @staticmethod
    def _line(depth: int, text: str) -> str:
        return "  " * depth + text


def _text(node: Node) -> str:
    """A part as it is written."""
    match node:
        case Constant(allows):
            return "@" if allows else "!"
        case Named(name):
            return f"rule:{name}"
        case HasRole(name):
            return f"role:{name}"
        case Match(kind, text):
            return f"{kind}:{text}"
        case Not(part):
            return f"not {_text(part)}"
        case Both(parts):
            return f"({' and '.join(map(_text, parts))})"
        case Either(parts):
            return f"({' or '.join(map(_text, parts))})"
