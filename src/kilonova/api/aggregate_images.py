"""Images that hosts of an aggregate fetch before they are needed (API reference, "Host aggregates - image pre-caching")."""

import asyncio
from typing import Annotated

from msgspec import Meta, Struct

from kilonova.api import body
from kilonova.api.aggregate_store import aggregate_find_txn
from kilonova.api.aggregates import aggregate_id
from kilonova.api.compute import Compute
from kilonova.api.query import ComputeRoute
from kilonova.api.server_fields import Uuid
from kilonova.api.server_image import content_for_hosts
from kilonova.api.shapes import NO_BODY, Takes
from kilonova.kernel.errors import Invalid
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body


class SameImageTwice(Invalid):
    """Invalid input for field/attribute cache. An image is named twice."""

    code = "same-image-twice"


class CachedImage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One item of `cache`."""

    id: Uuid


class CacheWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body."""

    cache: Annotated[list[CachedImage], Meta(min_length=1)]


class AggregateImages:
    """The handler."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute
        self._fetching: set[asyncio.Task[None]] = set()

    async def cache(self, call: Call) -> Reply:
        """Let the aggregate's hosts that are up and enabled fetch images; the answer doesn't wait for them."""
        compute = self._compute
        wish = body.struct(call, body.whole(call), CacheWish, None, "cache")
        compute.policy.enforce("compute:aggregates:images", call.user)
        ids = [str(image.id) for image in wish.cache]
        if len(set(ids)) < len(ids):
            raise SameImageTwice
        aggregate = await compute.database.read(aggregate_find_txn, aggregate_id(call))
        images = [await content_for_hosts(call.user, compute, image_id) for image_id in ids]
        now, members = compute.runtime.now(), set(aggregate.hosts)
        hosts = [
            host.name for host in await compute.hosts.all() if host.name in members and host.enabled and host.up(now)
        ]
        name = f"images of aggregate {aggregate.id}"
        task = compute.runtime.spawn(compute.servers.images_fetch(hosts, images), name=name)
        self._fetching.add(task)
        task.add_done_callback(self._fetching.discard)
        return Reply()


def routes(compute: Compute) -> list[ComputeRoute]:
    """One route."""
    return [
        ComputeRoute(
            method="POST",
            path="/os-aggregates/{id}/images",
            handler=AggregateImages(compute).cache,
            since="2.81",
            success=202,
            body=Body.JSON,
            takes=Takes(kind=CacheWish),
            gives=NO_BODY,
        )
    ]
