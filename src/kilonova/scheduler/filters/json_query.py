"""JsonFilter: the hint `query`, an expression over what hosts say of themselves."""

import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from kilonova.scheduler.filters.facts import FACTS, LOAD_FACTS, fact
from kilonova.scheduler.filters.filter import Rule
from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.request import ServerRequest

_NAMES = {**FACTS, **LOAD_FACTS}
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType(
    {"=": operator.eq, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge}
)


def json_query(request: ServerRequest) -> Rule | None:
    """Only hosts for which the expression is true; no host for one that can't be read.

    An expression is a list of an operator and what it is about: `not`, `and`, `or` of expressions; `=`, `<`, `>`, `<=`, `>=` of
    a first value with each of the others; `in` of a first value among the others. `$NAME` stands for a fact of the host,
    `$cpu_info.topology.cores` for a part of one.
    """
    texts = request.hints.get("query")
    if not texts:
        return None
    try:
        query = msgspec.json.decode(texts[0])
    except msgspec.DecodeError:
        return lambda _host: False
    return lambda host: _holds(query, host)


def _holds(query: object, host: HostState) -> bool:
    if not isinstance(query, list) or not query:
        return False
    sign, *rest = query
    if sign == "and":
        return all(_holds(one, host) for one in rest)
    if sign == "or":
        return any(_holds(one, host) for one in rest)
    if sign == "not":
        return not any(_holds(one, host) for one in rest)
    values = [_value(one, host) for one in rest]
    if len(values) < 2 or values[0] is None:
        return False
    if sign == "in":
        return values[0] in values[1:]
    compare = _COMPARE.get(sign) if isinstance(sign, str) else None
    try:
        return compare is not None and all(compare(values[0], other) for other in values[1:])
    except TypeError:
        return False


def _value(term: object, host: HostState) -> object:
    return fact(host, term[1:].split("."), _NAMES) if isinstance(term, str) and term.startswith("$") else term
