"""Which providers can give what is asked for: one statement, exact.

Design notes. Every class asked for is one join over the inventories; capacity, portions, traits and aggregates are conditions
of the same statement, so that a query costs the rows that fit. Queries of one form (so many classes, so many trait sets, ...)
share one statement, which is built once. `eliminations_txn` answers the opposite question, for a query that found nothing:
what removed whom. It reads more and is only asked after a "no".
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    and_,
    bindparam,
    exists,
    select,
)

from kilonova.database.database import Transaction
from kilonova.placement import tables
from kilonova.placement.queries import provider_of
from kilonova.placement.shapes import CandidateQuery, Candidates, Elimination, Provider

_PROVIDERS = tables.providers

FORMS_MAX = 256
"""Most statements kept."""


class _Form(NamedTuple):
    """What decides the text of a statement; the values are its parameters."""

    classes: int
    required: int
    forbidden: bool
    member_of: int
    not_member_of: bool
    uuid: bool
    name: bool
    in_tree: bool
    limit: bool


class _Condition(NamedTuple):
    """One condition of a query."""

    constraint: str
    """In words."""
    sql: ColumnElement[bool]
    parameters: Mapping[str, object]


def candidates_txn(tx: Transaction, query: CandidateQuery) -> Candidates:
    """The providers that `query` wants with what they have of the classes asked for, in order of UUID."""
    classes = sorted(query.resources)
    rows = tx.execute(_candidates_statement(_form(query)), _parameters(query)).fetchall()
    columns: list[tuple[Any, ...]] = list(zip(*rows, strict=True)) or [()] * (2 + 2 * len(classes))
    return Candidates(
        uuids=columns[0],
        names=columns[1],
        capacity=dict(zip(classes, columns[2::2], strict=True)),
        used=dict(zip(classes, columns[3::2], strict=True)),
    )


def providers_txn(tx: Transaction, query: CandidateQuery) -> list[Provider]:
    """The providers that `query` wants, in order of UUID."""
    statement = select(_PROVIDERS)
    parameters: dict[str, object] = {}
    for condition in _conditions(query):
        statement = statement.where(condition.sql)
        parameters |= condition.parameters
    ordered = statement.order_by(_PROVIDERS.c.uuid).limit(query.limit)
    return [provider_of(row) for row in tx.execute(ordered, parameters)]


def eliminations_txn(tx: Transaction, query: CandidateQuery) -> list[Elimination]:
    """Per condition of `query`, in order, the providers that it removed from those that were left."""
    left = set(tx.execute(select(_PROVIDERS.c.uuid)).scalars())
    found: list[Elimination] = []
    for condition in _conditions(query):
        passing = set(tx.execute(select(_PROVIDERS.c.uuid).where(condition.sql), condition.parameters).scalars())
        found.append(Elimination(condition.constraint, frozenset(left - passing)))
        left &= passing
    return found


def _form(query: CandidateQuery) -> _Form:
    return _Form(
        classes=len(query.resources),
        required=len(query.required),
        forbidden=bool(query.forbidden),
        member_of=len(query.member_of),
        not_member_of=bool(query.not_member_of),
        uuid=query.uuid is not None,
        name=query.name is not None,
        in_tree=query.in_tree is not None,
        limit=query.limit is not None,
    )


def _parameters(query: CandidateQuery) -> dict[str, object]:
    parameters: dict[str, object] = {} if query.limit is None else {"limit": query.limit}
    for at, name in enumerate(sorted(query.resources)):
        parameters |= {f"class{at}": name, f"amount{at}": query.resources[name]}
    for condition in _others(query):
        parameters |= condition.parameters
    return parameters


@lru_cache(FORMS_MAX)
def _candidates_statement(form: _Form) -> Select[Any]:
    statement: Select[Any] = select(_PROVIDERS.c.uuid, _PROVIDERS.c.name).select_from(_PROVIDERS)
    for at in range(form.classes):
        stock = tables.inventories.alias(f"stock{at}")
        this = and_(stock.c.provider_uuid == _PROVIDERS.c.uuid, stock.c.resource_class == bindparam(f"class{at}"))
        statement = statement.join(stock, this).where(_has_room(stock, at))
        statement = statement.add_columns(stock.c.capacity, stock.c.used)
    for condition in _others(_example(form)):
        statement = statement.where(condition.sql)
    ordered = statement.order_by(_PROVIDERS.c.uuid)
    return ordered.limit(bindparam("limit", type_=Integer)) if form.limit else ordered


def _example(form: _Form) -> CandidateQuery:
    """A query of this form; its values don't matter."""
    some = frozenset({"some"})
    return CandidateQuery(
        required=(some,) * form.required,
        forbidden=some if form.forbidden else frozenset(),
        member_of=(some,) * form.member_of,
        not_member_of=some if form.not_member_of else frozenset(),
        uuid="some" if form.uuid else None,
        name="some" if form.name else None,
        in_tree="some" if form.in_tree else None,
    )


def _conditions(query: CandidateQuery) -> Iterator[_Condition]:
    """Every condition: first the resources, then the others."""
    for at, name in enumerate(sorted(query.resources)):
        stock = tables.inventories.alias()
        this = and_(stock.c.provider_uuid == _PROVIDERS.c.uuid, stock.c.resource_class == bindparam(f"class{at}"))
        amount = query.resources[name]
        gives = exists(select(stock.c.used).where(this, _has_room(stock, at)))
        yield _Condition(f"{name}: {amount}", gives, {f"class{at}": name, f"amount{at}": amount})
    yield from _others(query)


def _others(query: CandidateQuery) -> Iterator[_Condition]:
    """Every condition but the resources."""
    c = _PROVIDERS.c
    if query.uuid is not None:
        yield _Condition(f"provider {query.uuid}", c.uuid == bindparam("by_uuid"), {"by_uuid": query.uuid})
    if query.name is not None:
        yield _Condition(f"name {query.name}", c.name == bindparam("by_name"), {"by_name": query.name})
    if query.in_tree is not None:
        root = select(c.root_uuid).where(c.uuid == bindparam("tree")).correlate(None).scalar_subquery()
        yield _Condition(f"tree of {query.in_tree}", c.root_uuid == root, {"tree": query.in_tree})
    trait, aggregate = tables.provider_traits.c.trait, tables.provider_aggregates.c.aggregate_uuid
    for at, any_of in enumerate(query.required):
        yield _one_of(f"trait {_worded(any_of, ' or ')}", trait, f"required{at}", any_of)
    if query.forbidden:
        has = _one_of(f"not trait {_worded(query.forbidden, ' nor ')}", trait, "forbidden", query.forbidden)
        yield has._replace(sql=~has.sql)
    for at, any_of in enumerate(query.member_of):
        yield _one_of(f"aggregate {_worded(any_of, ' or ')}", aggregate, f"member_of{at}", any_of)
    if query.not_member_of:
        has = _one_of(
            f"not aggregate {_worded(query.not_member_of, ' nor ')}", aggregate, "outside", query.not_member_of
        )
        yield has._replace(sql=~has.sql)


def _worded(names: frozenset[str], between: str) -> str:
    return between.join(sorted(names))


def _has_room(stock: FromClause, at: int) -> ColumnElement[bool]:
    amount: BindParameter[int] = bindparam(f"amount{at}", type_=Integer)
    return and_(
        stock.c.used + amount <= stock.c.capacity,
        stock.c.min_unit <= amount,
        stock.c.max_unit >= amount,
        amount % stock.c.step_size == 0,
    )


def _one_of(constraint: str, column: Column[Any], key: str, any_of: frozenset[str]) -> _Condition:
    """The provider has a row in the column's table with one of the values."""
    having = select(column.table.c.provider_uuid).where(column.in_(bindparam(key, expanding=True)))
    return _Condition(constraint, _PROVIDERS.c.uuid.in_(having), {key: sorted(any_of)})
