"""Rules that keep bugs in order: each is a query, a reason, and what to do, and shows what it would do before it does it. Pure.

A query is terms that must all hold, such as `status=Confirmed,Triaged importance=Undecided -assignee`. A term is

- `status=A,B`, `importance=A,B`, `tag=a,b`, `tracker=a,b`: one of these; blanks are written as `_`, case doesn't matter;
- `age>30d`, `idle>30d`, `standing>30d`: since it was opened, since anything was done to it, since it has its status; also `<`;
- `assignee`, `patch`, `duplicate`, `open`, `answered`, `security`, `commit`: there is one, or it is so;
- any of them with `-` before it: the opposite.

A rule never touches a bug that is private, about security, or tagged `hands-off`; it acts on a bug once until somebody else has
done something to it, and on no more than `DAILY_MAX` bugs a day.
"""

import re
from collections.abc import Callable, Iterable
from importlib.resources import files

import msgspec
import yaml

from kilonova.health.bugs.model import RULE, Bug, Deed, Importance, Status, What
from kilonova.health.moments import BadDuration, duration
from kilonova.kernel.errors import Invalid

DAILY_MAX = 20
"""Most bugs that one rule acts on in a day."""
HANDS_OFF = "hands-off"
"""The tag of a bug that no rule touches."""

Query = Callable[[Bug, float], bool]
"""Whether a bug is meant, at a moment."""

_TERM = re.compile(r"(?P<no>-?)(?P<name>[a-z]+)(?:(?P<sign>[=<>])(?P<value>\S+))?")
_FLAGS: dict[str, Callable[[Bug], bool]] = {
    "assignee": lambda bug: bool(bug.assignee),
    "patch": lambda bug: bug.patch,
    "duplicate": lambda bug: bool(bug.duplicate_of),
    "open": lambda bug: bug.open,
    "answered": lambda bug: bug.answered,
    "security": lambda bug: bug.security,
    "commit": lambda bug: bool(bug.commits),
}
_SETS: dict[str, Callable[[Bug], Iterable[str]]] = {
    "status": lambda bug: (bug.status,),
    "importance": lambda bug: (bug.importance,),
    "tag": lambda bug: bug.tags,
    "tracker": lambda bug: (bug.key.partition("/")[0],),
}
_SINCE: dict[str, Callable[[Bug], float]] = {
    "age": lambda bug: bug.first_seen,
    "idle": lambda bug: bug.changed_at,
    "standing": lambda bug: bug.status_at,
}


class BadRule(Invalid):
    """The rule {rule} can't be used: {reason}"""

    code = "bad-rule"


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is against a bug, and what becomes of it."""

    name: str
    query: str
    reason: str
    """Shown to triagers: what is wrong."""
    message: str = ""
    """Said to the reporter when the rule acts; nothing is said without."""
    status: Status | None = None
    """The status that the bug gets."""
    tag: str = ""
    """A tag that the bug gets."""


class Proposal(msgspec.Struct, frozen=True):
    """What a rule would do to a bug."""

    rule: str
    bug: str
    title: str
    reason: str
    message: str
    status: str
    tag: str
    held: bool
    """Not today: the rule has done enough, or the bug is none that rules may touch."""


def shipped() -> tuple[Rule, ...]:
    """The rules that come with the program."""
    return rules_read(files("kilonova.health.bugs").joinpath("hygiene.yaml").read_text(encoding="utf-8"))


def rules_read(text: str) -> tuple[Rule, ...]:
    """The rules in a YAML document with a list of them. Raises `BadRule`."""
    try:
        found = msgspec.convert(yaml.safe_load(text), tuple[Rule, ...])
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise BadRule(rule="file", reason=str(error)) from error
    for rule in found:
        query(rule)
    if len({rule.name for rule in found}) < len(found):
        raise BadRule(rule="file", reason="two rules have the same name.")
    return found


def query(rule: Rule) -> Query:
    """The rule's query as a function. Raises `BadRule`."""
    terms = [_term(rule.name, text) for text in rule.query.split()]
    if not terms:
        raise BadRule(rule=rule.name, reason="its query is empty, so it would mean every bug.")
    return lambda bug, at: all(term(bug, at) for term in terms)


def proposals(rules: Iterable[Rule], bugs: Iterable[Bug], at: float) -> list[Proposal]:
    """What the rules would do at the moment `at`: those that act, and after them those that only point at something."""
    every, found = [bug for bug in bugs if bug.reported], []
    for rule in rules:
        meant, left = query(rule), DAILY_MAX - _acted_today(rule, every, at)
        acts = bool(rule.message or rule.status or rule.tag)
        for bug in sorted(every, key=lambda bug: bug.key):
            if not meant(bug, at) or (acts and _acted(rule, bug)):
                continue
            held = acts and (_untouchable(bug) or left <= 0)
            left -= acts and not held
            found.append(
                Proposal(rule.name, bug.key, bug.title, rule.reason, rule.message, rule.status or "", rule.tag, held)
            )
    return found


def deeds(proposal: Proposal, tags: frozenset[str], at: float) -> list[Deed]:
    """What is done to the bug when the proposal is carried out."""
    if proposal.held or not (proposal.message or proposal.status or proposal.tag):
        return []
    found = [(What.RULE, proposal.rule)]
    if proposal.message:
        found.append((What.SAID, proposal.message))
    if proposal.status:
        found.append((What.STATUS, proposal.status))
    if proposal.tag:
        found.append((What.TAGS, " ".join(sorted(tags | {proposal.tag}))))
    return [Deed(at, what, value, RULE, member=True, ours=True) for what, value in found]


def _untouchable(bug: Bug) -> bool:
    return bug.private or bug.security or HANDS_OFF in bug.tags


def _acted(rule: Rule, bug: Bug) -> bool:
    """Whether the rule has acted and nobody has done anything since."""
    acted = [deed.at for deed in bug.deeds if deed.what is What.RULE and deed.value == rule.name]
    return bool(acted) and not any(deed.at > acted[-1] and deed.by != RULE for deed in bug.deeds)


def _acted_today(rule: Rule, bugs: Iterable[Bug], at: float) -> int:
    day = at // 86_400
    return sum(
        deed.what is What.RULE and deed.value == rule.name and deed.at // 86_400 == day
        for bug in bugs
        for deed in bug.deeds
    )


def _term(rule: str, text: str) -> Query:
    found = _TERM.fullmatch(text)
    if found is None:
        raise BadRule(rule=rule, reason=f"{text!r} is no term of a query.")
    inner = _inner(rule, text, found["name"], found["sign"], found["value"])
    return (lambda bug, at: not inner(bug, at)) if found["no"] else inner


def _inner(rule: str, text: str, name: str, sign: str | None, value: str | None) -> Query:
    if sign is None and name in _FLAGS:
        flag = _FLAGS[name]
        return lambda bug, _at: flag(bug)
    if sign == "=" and name in _SETS and value is not None:
        wanted, has = _wanted(rule, name, value), _SETS[name]
        return lambda bug, _at: any(one.lower() in wanted for one in has(bug))
    if sign in {"<", ">"} and name in _SINCE and value is not None:
        try:
            span = duration(value)
        except BadDuration as error:
            raise BadRule(rule=rule, reason=error.message) from error
        since = _SINCE[name]
        return (lambda bug, at: at - since(bug) > span) if sign == ">" else (lambda bug, at: at - since(bug) < span)
    raise BadRule(rule=rule, reason=f"{text!r} is no term of a query.")


def _wanted(rule: str, name: str, value: str) -> frozenset[str]:
    wanted = frozenset(value.lower().replace("_", " ").split(","))
    kinds = {"status": Status, "importance": Importance}
    if name in kinds:
        unknown = sorted(wanted - {str(one).lower() for one in kinds[name]})
        if unknown:
            raise BadRule(rule=rule, reason=f"there is no {name} {unknown[0]!r}.")
    return wanted
