"""What a query string says about providers: resources, traits, aggregates, trees. Every value is judged by its form here."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kilonova.database.database import Transaction
from kilonova.kernel.ids import is_uuid
from kilonova.kernel.versions import Level, UnknownField
from kilonova.placement.api.context import canonical, level_of
from kilonova.placement.api.validation import not_a_uuid
from kilonova.placement.errors import BadQuery
from kilonova.placement.providers import require_classes_txn, require_traits_txn
from kilonova.placement.shapes import CandidateQuery
from kilonova.web.call import Call

Values = Mapping[str, Sequence[str]]
Traits = tuple[tuple[frozenset[str], ...], frozenset[str]]
"""Required traits, at least one of each set, and forbidden ones."""
Aggregates = tuple[tuple[frozenset[str], ...], frozenset[str]]
"""Aggregates of which it is in at least one of each set, and those of which it is in none."""

NO_SUCH_CLASS = "Invalid resource class in resources parameter"
NO_SUCH_TRAIT = 'Invalid trait(s) in "required" parameter'

_FORM_RESOURCES = (
    "Badly formed resources parameter. Expected resources query string parameter in form: "
    "?resources=VCPU:2,MEMORY_MB:1024. Got: {}."
)


class BadForm(BadQuery):
    """{reason}"""


def values_of(call: Call, shape: str, known: Collection[str]) -> Values:
    """The query parameters, each with all its values.

    Raises `BadQuery` for one that isn't known, or not at this version.
    """
    values: dict[str, Any] = {}
    for name, value in call.query:
        if name not in known:
            raise BadQuery(reason=UnknownField(field=name).message)
        values.setdefault(name, []).append(value)
    try:
        level_of(call).up(shape, values)
    except UnknownField as error:
        raise BadQuery(reason=error.message) from error
    return values


def query_of(values: Values, level: Level) -> CandidateQuery:
    """Which providers a list of them wants. Of a parameter that is repeated and can't be, the last one counts."""
    required, forbidden = traits_of(values.get("required", ()), level)
    member_of, not_member_of = aggregates_of("member_of", values.get("member_of", ()), level)
    return CandidateQuery(
        resources=resources_of(values["resources"][-1]) if "resources" in values else {},
        required=required,
        forbidden=forbidden,
        member_of=member_of,
        not_member_of=not_member_of,
        in_tree=_uuid(values["in_tree"][-1]) if "in_tree" in values else None,
        uuid=_uuid(values["uuid"][-1]) if "uuid" in values else None,
        name=values["name"][-1] if "name" in values else None,
    )


def require_names_txn(tx: Transaction, query: CandidateQuery) -> None:
    """Raise `UnknownClass` or `UnknownTrait` for names that don't exist."""
    require_classes_txn(tx, query.resources, NO_SUCH_CLASS)
    require_traits_txn(tx, query.forbidden.union(*query.required), NO_SUCH_TRAIT)


def resources_of(text: str) -> dict[str, int]:
    """`CLASS:AMOUNT,...`. Raises `BadForm`."""
    if not text.strip():
        raise BadForm(reason=_FORM_RESOURCES.format("empty string"))
    found: dict[str, int] = {}
    for part in text.split(","):
        name, colon, given = part.partition(":")
        if not colon or ":" in given:
            raise BadForm(reason=_FORM_RESOURCES.format(part))
        try:
            amount = int(given[:20])
        except ValueError as error:
            reason = f"Requested resource {name} expected positive integer amount. Got: {given}."
            raise BadForm(reason=reason) from error
        if amount < 1:
            raise BadForm(reason=f"Requested resource {name} requires amount >= 1. Got: {amount}.")
        found[name] = amount
    return found


def traits_of(given: Sequence[str], level: Level) -> Traits:
    """`required`: TRAIT, !TRAIT (1.22), in:A,B (1.39). Before 1.39 the last of several counts. Raises `BadQuery`."""
    required: list[frozenset[str]] = []
    forbidden: set[str] = set()
    for value in given if level.has("any-traits") else given[-1:]:
        if value.startswith("in:"):
            required.append(_any_traits(value, level))
            continue
        names = [name.strip() for name in value.split(",")]
        sign = "!" if level.has("forbidden-traits") else ""
        expected = f"Expected 'required' parameter value of the form: HW_CPU_X86_VMX,{sign}CUSTOM_MAGIC."
        if not all(name.lstrip("!") for name in names):
            raise BadQuery(reason=f"{expected} Got an empty trait in: {value}")
        not_wanted = {name.lstrip("!") for name in names if name.startswith("!")}
        if not_wanted and not level.has("forbidden-traits"):
            raise BadQuery(reason=f"{expected} Got: {value}")
        forbidden |= not_wanted
        required += [frozenset({name}) for name in names if not name.startswith("!")]
    return tuple(required), frozenset(forbidden)


def _any_traits(value: str, level: Level) -> frozenset[str]:
    if not level.has("any-traits"):
        form = "The format 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC' only supported since microversion 1.39."
        raise BadQuery(reason=f"{form} Got: {value}")
    names = frozenset(name.strip() for name in value[3:].split(","))
    if not all(names):
        form = "Expected 'required' parameter value of the form: in:HW_CPU_X86_VMX,CUSTOM_MAGIC."
        raise BadQuery(reason=f"{form} Got an empty trait in: {value}")
    if any(name.startswith("!") for name in names):
        form = "The format 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC' does not support forbidden traits."
        raise BadQuery(reason=f"{form} Got: {value}")
    return names


def aggregates_of(parameter: str, given: Sequence[str], level: Level) -> Aggregates:
    """`member_of`: UUID, in:A,B, and with a `!` before either (1.32), none of them. Raises `BadForm`, `BadQuery`."""
    if len(given) > 1 and not level.has("member-of-repeated"):
        raise BadForm(reason=f"Multiple {parameter} parameters are not supported")
    member_of: list[frozenset[str]] = []
    outside: set[str] = set()
    for value in given:
        text = value.removeprefix("!")
        if "," in text and not text.startswith("in:"):
            reason = (
                "Multiple values for 'member_of' must be prefixed with the 'in:' or '!in:' keyword "
                f"using the valid microversion. Got: {value}"
            )
            raise BadForm(reason=reason)
        listed = text.removeprefix("in:").split(",")
        for one in listed:
            if not is_uuid(one):
                raise BadQuery(reason=f"Expected 'member_of' parameter to contain valid UUID(s). Got: {one}")
        uuids = frozenset(map(canonical, listed))
        if not value.startswith("!"):
            member_of.append(uuids)
        elif level.has("forbidden-aggregates"):
            outside |= uuids
        else:
            raise BadForm(reason=f"Forbidden {parameter} parameters are not supported in the specified microversion")
    return tuple(member_of), frozenset(outside)


def _uuid(text: str) -> str:
    if not is_uuid(text):
        raise BadQuery(reason=not_a_uuid(text))
    return canonical(text)
