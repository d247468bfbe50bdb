"""Allocations by consumer and by provider (Placement API, "Allocations").

The public rules for generations stand on those of `claims.py`: a consumer that holds nothing counts as new here, although
its generation is remembered and goes on when it holds something again. So a client that slept while a consumer was emptied
and filled anew has an older generation and is refused. Versions before 1.28 know no generation of consumers.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from kilonova.database.database import Transaction
from kilonova.kernel.errors import Conflict, Invalid, NotFound
from kilonova.kernel.ids import is_uuid
from kilonova.kernel.versions import Level
from kilonova.placement import claims, providers, queries
from kilonova.placement.api.context import (
    Api,
    NotValid,
    canonical,
    document_of,
    level_of,
    provider_uuid,
    read,
    require_uuid,
)
from kilonova.placement.api.usages import UNKNOWN_TYPE
from kilonova.placement.claims import Refused
from kilonova.placement.errors import ConcurrentUpdate
from kilonova.placement.queries import Holder, Holding
from kilonova.placement.shapes import MAX_UNIT, Allocations, Claim, Consumer, Full, Provider, Stale
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route

NOBODY = "00000000-0000-0000-0000-000000000000"
"""Project and user of allocations made before 1.8."""

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
_UpperName = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern="^[A-Z0-9_]+$")]
_Amount = Annotated[int, msgspec.Meta(ge=1, le=MAX_UNIT)]
_Group = Annotated[str, msgspec.Meta(pattern="^[a-zA-Z0-9_-]{0,64}$")]
_Uuid = Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F-]{36}$")]


class NoAllocations(NotFound):
    """No allocations for consumer '{consumer}'"""


class BadConsumer(Invalid):
    """Malformed consumer_uuid: {given}"""


class NoSuchProviderToAllocate(Invalid):
    """Allocation for resource provider '{uuid}' that does not exist."""


class CannotAllocate(Conflict):
    """Unable to allocate inventory: {reason}"""


class ConsumerConflict(ConcurrentUpdate):
    """consumer generation conflict - expected {expected} but got {given}"""


class ProviderAllocation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is held of one provider."""

    resources: Annotated[dict[_UpperName, _Amount], msgspec.Meta(min_length=1)]
    generation: int | UnsetType = UNSET
    """As replies show it; of no effect."""


class AllocationsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one consumer shall hold, in the newest shape; what a version requires is checked by `body_read`."""

    allocations: dict[_Uuid, ProviderAllocation]
    project_id: _Name | UnsetType = UNSET
    user_id: _Name | UnsetType = UNSET
    consumer_generation: int | UnsetType | None = UNSET
    consumer_type: _UpperName | UnsetType = UNSET
    mappings: (
        Annotated[
            dict[_Group, Annotated[list[str], msgspec.Meta(min_length=1)]],
            msgspec.Meta(min_length=1),
        ]
        | UnsetType
    ) = UNSET
    """As candidates show it; of no effect."""


def routes(api: Api) -> list[Route]:
    """The routes of allocations."""
    resource = _Allocations(api)
    one = "/allocations/{consumer_uuid}"
    of_provider = "/resource_providers/{uuid}/allocations"
    return [
        Route(method="GET", path=of_provider, handler=resource.of_provider),
        Route(method="POST", path="/allocations", handler=resource.replace_all, since="1.13", success=204),
        Route(method="GET", path=one, handler=resource.show),
        Route(method="PUT", path=one, handler=resource.replace, success=204),
        Route(method="DELETE", path=one, handler=resource.delete, success=204),
    ]


class _Allocations:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def show(self, call: Call) -> Reply:
        self._api.allow(call, "allocations:list")
        given = call.params["consumer_uuid"]
        uuid = canonical(given) if is_uuid(given) else given
        consumer, held, held_of = await self._api.database.read(_show_txn, uuid)
        if consumer is None or not held:
            return self._api.fresh(call, {"allocations": {}})
        doc = {
            "allocations": {
                uuid: {"resources": held[uuid], "generation": provider.generation} for uuid, provider in held_of.items()
            },
            "project_id": consumer.project_id,
            "user_id": consumer.user_id,
            "consumer_generation": consumer.generation,
            "consumer_type": consumer.consumer_type or UNKNOWN_TYPE,
        }
        return self._api.fresh(call, level_of(call).down("allocations", doc), consumer.updated_at)

    async def of_provider(self, call: Call) -> Reply:
        self._api.allow(call, "resource_providers:allocations:list")
        provider, holdings = await self._api.database.scan(_of_provider_txn, provider_uuid(call))
        level = level_of(call)
        held = {
            one.consumer: level.down("holding", {"resources": one.resources, "consumer_generation": one.generation})
            for one in holdings
        }
        body = {"allocations": held, "resource_provider_generation": provider.generation}
        return self._api.fresh(call, body, provider.updated_at)

    async def replace(self, call: Call) -> Reply:
        self._api.allow(call, "allocations:update")
        given = call.params["consumer_uuid"]
        if not is_uuid(given):
            raise BadConsumer(given=given)
        document = await document_of(call)
        body = body_read(call, document)
        level = level_of(call)
        if not body.allocations and not level.has("consumer-generation"):
            raise NotValid(
                reason=f"{_empty(level)}  Failed validating 'minItems' in schema['properties']['allocations']"
            )
        await self._write(level, [(canonical(given), body)], f"Unable to allocate inventory for consumer {given}")
        return Reply()

    async def replace_all(self, call: Call) -> Reply:
        self._api.allow(call, "allocations:manage")
        document = await document_of(call)
        if not isinstance(document, dict) or not document:
            raise NotValid(reason=f"{document!r} does not have enough properties")
        await self._write(level_of(call), bodies_read(call, document), "Unable to allocate inventory")
        return Reply()

    async def delete(self, call: Call) -> Reply:
        self._api.allow(call, "allocations:delete")
        given = call.params["consumer_uuid"]
        if not is_uuid(given):
            raise NoAllocations(consumer=given)
        await self._api.database.write(_delete_txn, canonical(given))
        return Reply()

    async def _write(self, level: Level, bodies: Sequence[tuple[str, AllocationsBody]], where: str) -> None:
        try:
            await self._api.database.write(_replace_txn, bodies, level, where)
        except Refused as refused:
            raise conflict(refused) from refused


def bodies_read(call: Call, document: Mapping[str, Any]) -> list[tuple[str, AllocationsBody]]:
    """The allocations of several consumers, each with its UUID. Raises `NotValid`."""
    return [(require_uuid(uuid), body_read(call, one)) for uuid, one in document.items()]


def body_read(call: Call, document: Any) -> AllocationsBody:
    """The allocations of one consumer, with all that this version requires. Raises `NotValid`."""
    body = read(call, document, AllocationsBody, "allocations_body")
    level = level_of(call)
    for change, fields in (
        ("allocation-owner", ("project_id", "user_id")),
        ("consumer-generation", ("consumer_generation",)),
        ("consumer-type", ("consumer_type",)),
    ):
        for field in fields:
            if level.has(change) and getattr(body, field) is UNSET:
                raise NotValid(reason=f"'{field}' is a required property  Failed validating 'required' in schema")
    return body


def _empty(level: Level) -> str:
    return "{} does not have enough properties" if level.has("allocations-by-provider") else "[] is too short"


def _show_txn(tx: Transaction, uuid: str) -> tuple[Consumer | None, Allocations, dict[str, Provider]]:
    held = queries.allocations_txn(tx, uuid)
    return queries.consumer_txn(tx, uuid), held, queries.providers_txn(tx, held)


def _of_provider_txn(tx: Transaction, uuid: str) -> tuple[Provider, list[Holding]]:
    return queries.provider_txn(tx, uuid), queries.holdings_txn(tx, uuid)


def _delete_txn(tx: Transaction, uuid: str) -> None:
    if not queries.allocations_txn(tx, uuid):
        raise NoAllocations(consumer=uuid)
    claims.release_txn(tx, uuid, None, advance=False)  # this route has never raised the generation of providers


def _replace_txn(tx: Transaction, bodies: Sequence[tuple[str, AllocationsBody]], level: Level, where: str) -> None:
    replace_txn(tx, bodies, level, where)


def replace_txn(tx: Transaction, bodies: Sequence[tuple[str, AllocationsBody]], level: Level, where: str) -> None:
    """Let consumers hold what the bodies say, all of it or nothing.

    Raises:
        Refused: it can't be held.
        ConcurrentUpdate: a consumer has another generation than the client saw.
        NoSuchProviderToAllocate, UnknownClass: a name that does not exist; `where` begins the latter's sentence.
    """
    wanted, holders = [], []
    for uuid, body in bodies:
        holder = queries.holder_txn(tx, uuid)
        claim = _claim(uuid, body, holder, level)
        if claim is not None:
            wanted.append(claim)
            holders.append(holder)
    try:
        claims.claims_txn(tx, wanted, holders)
    except Refused:
        _require_known(tx, wanted, where)  # what is not known has no inventory, so only a refusal needs to ask
        raise


def _claim(uuid: str, body: AllocationsBody, holder: Holder, level: Level) -> Claim | None:
    """The body as a claim with the generation that the consumer really has; None for emptying what is empty."""
    consumer, holds = holder.consumer, bool(holder.held)
    if level.has("consumer-generation"):
        shown = consumer.generation if consumer is not None and holds else None
        if body.consumer_generation != shown:
            expected = "null" if shown is None else shown
            raise ConsumerConflict(expected=expected, given=body.consumer_generation)
    if not holds and not body.allocations:
        return None
    owner = (consumer.project_id or NOBODY, consumer.user_id or NOBODY) if consumer else (NOBODY, NOBODY)
    kept_type = consumer.consumer_type if consumer is not None else None
    return Claim(
        consumer=uuid,
        generation=holder.generation,
        allocations={canonical(p): dict(one.resources) for p, one in body.allocations.items()},
        project_id=owner[0] if body.project_id is UNSET else str(body.project_id),
        user_id=owner[1] if body.user_id is UNSET else str(body.user_id),
        consumer_type=kept_type if body.consumer_type is UNSET else str(body.consumer_type),
    )


def _require_known(tx: Transaction, wanted: Sequence[Claim], where: str) -> None:
    """Raise `Invalid` for a provider or a class that does not exist."""
    allocations = [claim.allocations for claim in wanted]
    uuids = sorted({uuid for one in allocations for uuid in one})
    known = queries.providers_txn(tx, uuids)
    for uuid in uuids:
        if uuid not in known:
            raise NoSuchProviderToAllocate(uuid=uuid)
    classes = {name for one in allocations for resources in one.values() for name in resources}
    providers.require_classes_txn(tx, classes, where)


def conflict(refused: Refused) -> Exception:
    """What the API says of a claim that can't be granted."""
    answer = refused.answer
    if isinstance(answer, Stale):
        return ConcurrentUpdate(reason=f"consumer {refused.claim.consumer} was changed meanwhile.")
    if not isinstance(answer, Full):
        reason = f"a rule of the set {answer.set_id} forbids resource provider '{answer.provider}'"
        return CannotAllocate(reason=reason)
    name, provider = answer.resource_class, answer.provider
    if answer.cause == "inventory":
        return CannotAllocate(reason=f"Inventory for '{name}' on resource provider '{provider}' invalid.")
    how = "exceed the capacity" if answer.cause == "room" else "violate inventory constraints"
    of = f"Unable to create allocation for '{name}' on resource provider '{provider}'."
    return CannotAllocate(reason=f"{of} The requested amount would {how}.")
