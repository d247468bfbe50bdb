"""Tags of networks, subnets, ports and security groups (Networking API reference, "Standard attributes tag extension")."""

from typing import Any

from kilonova.database.database import Transaction
from kilonova.objects.caller import Caller
from kilonova.standalone.network.collection import Collection
from kilonova.standalone.network.errors import BadInput, BadRequest, TagNotFound
from kilonova.standalone.network.store import tags as store
from kilonova.standalone.network.values import BadValue, several, tag
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body, Route

TAGS_MAX = 50
"""Most tags of one resource."""


class Tags:
    """The tag requests of one kind of resource."""

    def __init__(self, collection: Collection) -> None:
        """`collection` says who may see and change a resource."""
        self._collection = collection

    def routes(self) -> list[Route]:
        """The routes below each resource."""
        every = f"{self._collection.path}/{{id}}/tags"
        one = f"{every}/{{tag}}"
        return [
            Route(method="GET", path=every, handler=self.list_all),
            Route(method="PUT", path=every, handler=self.replace, body=Body.JSON),
            Route(method="DELETE", path=every, handler=self.delete_all, success=204),
            Route(method="GET", path=one, handler=self.show, success=204),
            Route(method="PUT", path=one, handler=self.add, success=201),
            Route(method="DELETE", path=one, handler=self.delete, success=204),
        ]

    async def list_all(self, call: Call) -> Reply:
        """GET all tags."""
        return Reply({"tags": await self._collection.database.read(self._seen_txn, call.user, call.params["id"])})

    async def show(self, call: Call) -> Reply:
        """GET one tag: 204 when it is there, 404 when it is not."""
        if call.params["tag"] not in await self._collection.database.read(self._seen_txn, call.user, call.params["id"]):
            raise TagNotFound(tag=call.params["tag"][:80])
        return Reply()

    async def replace(self, call: Call) -> Reply:
        """PUT all tags."""
        if not isinstance(call.body, dict) or set(call.body) != {"tags"}:
            raise BadRequest(reason="Resource body required: an object whose only key is 'tags'")
        wanted = sorted(_checked(several(tag, TAGS_MAX), call.body["tags"]))
        await self._collection.database.write(self._replace_txn, call.user, call.params["id"], wanted)
        return Reply({"tags": wanted})

    async def add(self, call: Call) -> Reply:
        """PUT one tag."""
        wanted = _checked(tag, call.params["tag"])
        await self._collection.database.write(self._add_txn, call.user, call.params["id"], wanted)
        return Reply()

    async def delete(self, call: Call) -> Reply:
        """DELETE one tag."""
        await self._collection.database.write(self._delete_txn, call.user, call.params["id"], call.params["tag"])
        return Reply()

    async def delete_all(self, call: Call) -> Reply:
        """DELETE all tags."""
        await self._collection.database.write(self._replace_txn, call.user, call.params["id"], [])
        return Reply()

    def _seen_txn(self, tx: Transaction, caller: Caller, resource_id: str) -> list[str]:
        self._collection.visible_row_txn(tx, caller, resource_id)
        return store.of_txn(tx, [resource_id]).get(resource_id, [])

    def _own_txn(self, tx: Transaction, caller: Caller, resource_id: str) -> None:
        self._collection.own_row_txn(tx, caller, resource_id, (f"update_{self._collection.kind}",))

    def _replace_txn(self, tx: Transaction, caller: Caller, resource_id: str, wanted: list[str]) -> None:
        self._own_txn(tx, caller, resource_id)
        store.replace_txn(tx, resource_id, wanted)

    def _add_txn(self, tx: Transaction, caller: Caller, resource_id: str, wanted: str) -> None:
        self._own_txn(tx, caller, resource_id)
        if len(store.of_txn(tx, [resource_id]).get(resource_id, [])) >= TAGS_MAX:
            raise BadRequest(reason=f"A resource has at most {TAGS_MAX} tags")
        store.add_txn(tx, resource_id, wanted)

    def _delete_txn(self, tx: Transaction, caller: Caller, resource_id: str, unwanted: str) -> None:
        self._own_txn(tx, caller, resource_id)
        if not store.delete_txn(tx, resource_id, unwanted):
            raise TagNotFound(tag=unwanted[:80])


def _checked(check: Any, value: Any) -> Any:
    try:
        return check(value)
    except BadValue as error:
        raise BadInput(attribute="tags", reason=str(error)) from None
