"""Lists of providers (Placement API, "Resource providers"): one statement, whose conditions are what the query asks for."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Column, ColumnElement, FromClause, Integer, and_, bindparam, exists, select

from kilonova.database.database import Transaction
from kilonova.placement import tables
from kilonova.placement.queries import provider_of
from kilonova.placement.shapes import CandidateQuery, Provider

_PROVIDERS = tables.providers


class _Condition(NamedTuple):
    """One condition of a query."""

    sql: ColumnElement[bool]
    parameters: Mapping[str, object]


def providers_txn(tx: Transaction, query: CandidateQuery) -> list[Provider]:
    """The providers that `query` wants, in order of UUID."""
    statement = select(_PROVIDERS)
    parameters: dict[str, object] = {}
    for condition in _conditions(query):
        statement = statement.where(condition.sql)
        parameters |= condition.parameters
    ordered = statement.order_by(_PROVIDERS.c.uuid).limit(query.limit)
    return [provider_of(row) for row in tx.execute(ordered, parameters)]


def _conditions(query: CandidateQuery) -> Iterator[_Condition]:
    for at, name in enumerate(sorted(query.resources)):
        stock = tables.inventories.alias()
        this = and_(stock.c.provider_uuid == _PROVIDERS.c.uuid, stock.c.resource_class == bindparam(f"class{at}"))
        gives = exists(select(stock.c.used).where(this, _has_room(stock, at)))
        yield _Condition(gives, {f"class{at}": name, f"amount{at}": query.resources[name]})
    c = _PROVIDERS.c
    if query.uuid is not None:
        yield _Condition(c.uuid == bindparam("by_uuid"), {"by_uuid": query.uuid})
    if query.name is not None:
        yield _Condition(c.name == bindparam("by_name"), {"by_name": query.name})
    if query.in_tree is not None:
        root = select(c.root_uuid).where(c.uuid == bindparam("tree")).correlate(None).scalar_subquery()
        yield _Condition(c.root_uuid == root, {"tree": query.in_tree})
    trait, aggregate = tables.provider_traits.c.trait, tables.provider_aggregates.c.aggregate_uuid
    for at, any_of in enumerate(query.required):
        yield _one_of(trait, f"required{at}", any_of)
    if query.forbidden:
        has = _one_of(trait, "forbidden", query.forbidden)
        yield has._replace(sql=~has.sql)
    for at, any_of in enumerate(query.member_of):
        yield _one_of(aggregate, f"member_of{at}", any_of)
    if query.not_member_of:
        has = _one_of(aggregate, "outside", query.not_member_of)
        yield has._replace(sql=~has.sql)


def _has_room(stock: FromClause, at: int) -> ColumnElement[bool]:
    amount: BindParameter[int] = bindparam(f"amount{at}", type_=Integer)
    return and_(
        stock.c.used + amount <= stock.c.capacity,
        stock.c.min_unit <= amount,
        stock.c.max_unit >= amount,
        amount % stock.c.step_size == 0,
    )


def _one_of(column: Column[Any], key: str, any_of: frozenset[str]) -> _Condition:
    """The provider has a row in the column's table with one of the values."""
    having = select(column.table.c.provider_uuid).where(column.in_(bindparam(key, expanding=True)))
    return _Condition(_PROVIDERS.c.uuid.in_(having), {key: sorted(any_of)})
