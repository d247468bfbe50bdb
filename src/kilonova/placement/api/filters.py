"""What a query string says about providers: resources, traits, aggregates, trees."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from kilonova.database.database import Transaction
from kilonova.kernel.ids import is_uuid
from kilonova.kernel.versions import Level
from kilonova.placement.api.context import canonical, level_of
from kilonova.placement.errors import BadQuery, DuplicateQuery
from kilonova.placement.providers import require_classes_txn, require_traits_txn
from kilonova.placement.shapes import MAX_UNIT, CandidateQuery
from kilonova.web.call import Call

Values = Mapping[str, Sequence[str]]


def values_of(call: Call, shape: str, known: Collection[str]) -> Values:
    """The query parameters, each with all its values.

    Raises `BadQuery` for an unknown one, `UnknownField` for one that this version doesn't know yet, `DuplicateQuery` for
    a repeated one that can't be.
    """
    level = level_of(call)
    values: dict[str, Any] = {}
    for name, value in call.query:
        if name not in known:
            raise BadQuery(parameter=name, reason="it is not known here, or not supported")
        values.setdefault(name, []).append(value)
    level.up(shape, values)
    repeatable = {"member_of": "member-of-repeated", "required": "any-traits"}
    for name, given in values.items():
        if len(given) > 1 and not (name in repeatable and level.has(repeatable[name])):
            raise DuplicateQuery(parameter=name)
    return values


def query_of(values: Values, level: Level) -> CandidateQuery:
    """What the parameters ask for. Raises `BadQuery`."""
    required, forbidden = _traits(values, level)
    member_of, not_member_of = _aggregates(values, level)
    return CandidateQuery(
        resources=_resources(values["resources"][0]) if "resources" in values else {},
        required=required,
        forbidden=forbidden,
        member_of=member_of,
        not_member_of=not_member_of,
        in_tree=_uuid("in_tree", values["in_tree"][0]) if "in_tree" in values else None,
        uuid=_uuid("uuid", values["uuid"][0]) if "uuid" in values else None,
        name=values["name"][0] if "name" in values else None,
        limit=_limit(values["limit"][0]) if "limit" in values else None,
    )


def require_names_txn(tx: Transaction, query: CandidateQuery) -> None:
    """Raise `UnknownClass` or `UnknownTrait` for names that don't exist."""
    require_classes_txn(tx, query.resources, "resources")
    require_traits_txn(tx, query.forbidden.union(*query.required))


def with_root_required(query: CandidateQuery, values: Values, level: Level) -> CandidateQuery:
    """The query with what `root_required` asks of the root: every provider is its own."""
    given = {"required": values.get("root_required", ())}
    if any(value.startswith("in:") for value in given["required"]):
        raise BadQuery(parameter="root_required", reason="in: can't be used here")
    required, forbidden = _traits(given, level)
    return msgspec.structs.replace(query, required=query.required + required, forbidden=query.forbidden | forbidden)


def _resources(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in text.split(","):
        name, _, amount = part.partition(":")
        if not name or not amount.isascii() or not amount.isdecimal() or not 1 <= int(amount[:12]) <= MAX_UNIT:
            raise BadQuery(parameter="resources", reason=f"expected CLASS:AMOUNT with an amount from 1, got '{part}'")
        if name in found:
            raise BadQuery(parameter="resources", reason=f"{name} is named twice")
        found[name] = int(amount)
    return found


def _traits(values: Values, level: Level) -> tuple[tuple[frozenset[str], ...], frozenset[str]]:
    required: list[frozenset[str]] = []
    forbidden: set[str] = set()
    for value in values.get("required", ()):
        if value.startswith("in:") and level.has("any-traits"):
            required.append(frozenset(_listed("required", value[3:])))
            continue
        for trait in _listed("required", value):
            if trait.startswith("!") and level.has("forbidden-traits"):
                forbidden.add(trait[1:])
            else:
                required.append(frozenset({trait}))
    clash = sorted(forbidden & {trait for any_of in required if len(any_of) == 1 for trait in any_of})
    if clash:
        raise BadQuery(parameter="required", reason=f"required and forbidden at once: {', '.join(clash)}")
    return tuple(required), frozenset(forbidden)


def _aggregates(values: Values, level: Level) -> tuple[tuple[frozenset[str], ...], frozenset[str]]:
    """`member_of`: UUID, in:A,B, and with a `!` before either, none of them."""
    member_of: list[frozenset[str]] = []
    outside: set[str] = set()
    for given in values.get("member_of", ()):
        negated = given.startswith("!") and level.has("forbidden-aggregates")
        value = given[1:] if negated else given
        several = _listed("member_of", value[3:]) if value.startswith("in:") else [value]
        uuids = frozenset(_uuid("member_of", one) for one in several)
        if negated:
            outside |= uuids
        else:
            member_of.append(uuids)
    return tuple(member_of), frozenset(outside)


def _listed(parameter: str, text: str) -> list[str]:
    found = text.split(",")
    if not all(found):
        raise BadQuery(parameter=parameter, reason=f"expected names with commas between, got '{text}'")
    return found


def _uuid(parameter: str, text: str) -> str:
    if not is_uuid(text):
        raise BadQuery(parameter=parameter, reason=f"expected a UUID, got '{text}'")
    return canonical(text)


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:12]) <= MAX_UNIT:
        raise BadQuery(parameter="limit", reason=f"expected a whole number from 1, got '{text}'")
    return int(text)
