"""The query string of `GET /allocation_candidates`: groups by suffix, and what is asked of them together.

Which parameters there are, and what a suffix may be, depends on the version (Placement API, "List allocation candidates").
"""

import re
from collections.abc import Mapping

from kilonova.database.database import Transaction
from kilonova.kernel.errors import Invalid
from kilonova.kernel.ids import is_uuid
from kilonova.kernel.versions import Level, UnknownField
from kilonova.placement.api.context import canonical, level_of
from kilonova.placement.api.filters import NO_SUCH_CLASS, Values, aggregates_of, resources_of, traits_of
from kilonova.placement.errors import BadQuery, BadQueryValue, DuplicateQuery, MissingQuery
from kilonova.placement.providers import require_classes_txn, require_traits_txn
from kilonova.placement.search.query import Query
from kilonova.placement.shapes import Group
from kilonova.web.call import Call

_PARTS = ("in_tree", "member_of", "required", "resources")
"""Parameters of a group, which may carry its suffix."""
_WHOLE = {"limit": None, "group_policy": "granular-groups", "root_required": None, "same_subtree": "same-subtree"}
"""Parameters of the whole query, with the change since which they are known; None where the version line says it."""
_NUMBER = "[1-9][0-9]*"
_NAME = "[a-zA-Z0-9_-]{1,64}"
_LIMIT = re.compile("[1-9][0-9]*")


def query_of(call: Call) -> Query:
    """What the request asks for. Raises `BadQuery` and its kind for what can't be asked, or not at this version."""
    level = level_of(call)
    values = _values(call, level)
    root_required, root_forbidden = _root(values, level)
    same_subtree = _same_subtree(values)
    policy = values.get("group_policy", ("",))[0]
    if "group_policy" in values and policy not in {"none", "isolate"}:
        raise BadQuery(reason=f"{policy!r} is not one of ['none', 'isolate']  Failed validating 'enum' in schema")
    groups = _groups(values, level)
    _require_sense(groups, same_subtree, level)
    if not policy and sum(suffix != "" for suffix in groups) > 1:
        reason = 'The "group_policy" parameter is required when specifying more than one "resources{N}" parameter.'
        raise Invalid(reason=reason)
    return Query(
        groups=groups,
        isolate=policy == "isolate",
        same_subtree=same_subtree,
        root_required=root_required,
        root_forbidden=root_forbidden,
        limit=_limit(values),
        nested=level.has("nested-candidates"),
    )


def require_names_txn(tx: Transaction, query: Query) -> None:
    """Raise `UnknownClass` or `UnknownTrait` for names that don't exist."""
    require_classes_txn(tx, query.classes, NO_SUCH_CLASS)
    require_traits_txn(tx, query.traits, "Invalid trait(s)")


def _values(call: Call, level: Level) -> Values:
    """The parameters that this version knows, each with all its values. Raises `BadQuery` for any other."""
    values: dict[str, list[str]] = {}
    for name, value in call.query:
        values.setdefault(name, []).append(value)
    for name in values:
        if not _is_known(name, level):
            raise BadQuery(reason=_unknown(name, level))
    if not level.has("granular-groups") and "resources" not in values:
        raise BadQuery(reason="'resources' is a required property  Failed validating 'required' in schema")
    return values


def _is_known(name: str, level: Level) -> bool:
    if name in _WHOLE:
        change = _WHOLE[name]
        return level.has(change) if change is not None else _is_accepted(name, level)
    found = re.fullmatch(f"({'|'.join(_PARTS)})({_suffix(level)})?", name)
    return found is not None and _is_accepted(found[1], level)


def _is_accepted(name: str, level: Level) -> bool:
    try:
        level.up("candidates_query", {name: None})
    except UnknownField:
        return False
    return True


def _suffix(level: Level) -> str:
    """The pattern of suffixes; one that matches nothing before there were any."""
    if level.has("group-names"):
        return _NAME
    return _NUMBER if level.has("granular-groups") else "(?!)"


def _unknown(name: str, level: Level) -> str:
    if not level.has("granular-groups"):
        return UnknownField(field=name).message
    parts = [part for part in _PARTS if _is_accepted(part, level)]
    patterns = ", ".join(f"'^{part}({_suffix(level)})?$'" for part in parts)
    return f"{name!r} does not match any of the regexes: {patterns}"


def _limit(values: Values) -> int | None:
    if "limit" not in values:
        return None
    text = values["limit"][0]
    if not _LIMIT.fullmatch(text):
        reason = f"{text!r} does not match '^[1-9][0-9]*$'  Failed validating 'pattern' in schema"
        raise BadQuery(reason=reason)
    return int(text[:18])


def _root(values: Values, level: Level) -> tuple[frozenset[str], frozenset[str]]:
    """What `root_required` wants the root to have and not to have; it takes no `in:`."""
    given = values.get("root_required", ())
    if len(given) > 1:
        raise DuplicateQuery(parameter="root_required")
    if any(value.startswith("in:") for value in given):
        raise BadQuery(reason=f"The format 'in:' is not supported in root_required. Got: {given[0]}")
    required, forbidden = traits_of(given, level)
    wanted = frozenset().union(*required)
    clash = wanted & forbidden
    if clash:
        reason = f"Conflicting required and forbidden traits found in root_required: {', '.join(sorted(clash))}"
        raise BadQueryValue(reason=reason)
    return wanted, forbidden


def _same_subtree(values: Values) -> tuple[frozenset[str], ...]:
    found = []
    for value in values.get("same_subtree", ()):
        suffixes = frozenset(suffix.strip() for suffix in value.split(","))
        if "" in suffixes:
            raise BadQueryValue(reason="Empty string (unsuffixed group) can not be specified in `same_subtree`")
        found.append(suffixes)
    return tuple(found)


def _groups(values: Values, level: Level) -> dict[str, Group]:
    parts = re.compile(f"({'|'.join(_PARTS)})(.*)")
    suffixes: dict[str, None] = {}
    for name in values:
        found = None if name in _WHOLE else parts.fullmatch(name)
        if found is not None:
            suffixes[found[2]] = None
    return {suffix: _group(values, suffix, level) for suffix in suffixes}


def _group(values: Values, suffix: str, level: Level) -> Group:
    resources = values.get(f"resources{suffix}")
    in_tree = values.get(f"in_tree{suffix}")
    required, forbidden = traits_of(values.get(f"required{suffix}", ()), level)
    member_of, not_member_of = aggregates_of(f"member_of{suffix}", values.get(f"member_of{suffix}", ()), level)
    return Group(
        resources=resources_of(resources[-1]) if resources else {},
        required=required,
        forbidden=forbidden,
        member_of=member_of,
        not_member_of=not_member_of,
        in_tree=_tree(in_tree[-1]) if in_tree else None,
    )


def _tree(text: str) -> str:
    if not is_uuid(text.strip()):
        raise BadQuery(reason=f"Expected 'in_tree' parameter to be a format of uuid. Got: {text}")
    return canonical(text.strip())


def _require_sense(groups: Mapping[str, Group], subtrees: tuple[frozenset[str], ...], level: Level) -> None:
    """Raise for groups that ask for nothing where they must, for subtrees of groups that aren't there, for contradictions."""
    if level.has("same-subtree"):
        _require_resources_or_subtree(groups, frozenset().union(*subtrees))
    else:
        _require_resources(groups)
    if not level.has("forbidden-traits"):
        return
    clashes = [
        f"required{suffix}: ({', '.join(sorted(any_of))})"
        for suffix, group in groups.items()
        for any_of in group.required
        if any_of <= group.forbidden
    ]
    if clashes:
        keys = ", ".join(sorted(clashes))
        raise Invalid(reason=f"Conflicting required and forbidden traits found in the following traits keys: {keys}")


def _require_resources_or_subtree(groups: Mapping[str, Group], in_subtrees: frozenset[str]) -> None:
    bare = [suffix for suffix, group in groups.items() if not group.resources]
    if len(bare) == len(groups):
        raise MissingQuery(reason="There must be at least one resources or resources[$S] parameter.")
    loose = [suffix for suffix in bare if suffix not in in_subtrees]
    if loose:
        reason = f"Resourceless suffixed group request should be specified in `same_subtree` query param: bad group(s) - {loose}."
        raise BadQueryValue(reason=reason)
    absent = sorted(in_subtrees - set(groups))
    if absent:
        reason = f"Real suffixes should be specified in `same_subtree`: {absent} not found in {list(groups)}."
        raise BadQueryValue(reason=reason)


def _require_resources(groups: Mapping[str, Group]) -> None:
    """Before 1.36 each group must ask for resources."""
    bare = {suffix: group for suffix, group in groups.items() if not group.resources}
    traits = [f"required{suffix}" for suffix, group in bare.items() if group.required]
    if traits:
        found = f"Found the following orphaned traits keys: {', '.join(traits)}"
        raise Invalid(reason=f"All traits parameters must be associated with resources. {found}")
    aggregates = [f"member_of{suffix}" for suffix, group in bare.items() if group.member_of or group.not_member_of]
    if aggregates:
        found = f"Found the following orphaned member_of keys: {', '.join(aggregates)}"
        raise Invalid(reason=f"All member_of parameters must be associated with resources. {found}")
    if bare:
        raise Invalid(reason="All request groups must specify resources.")
    if not groups:
        raise Invalid(reason="At least one request group (`resources` or `resources{$S}`) is required.")
