"""Resource classes (Placement API, "Resource classes")."""

from typing import Any

import msgspec

from kilonova.database.database import Transaction
from kilonova.kernel.errors import Conflict, Invalid, NotFound
from kilonova.placement import names, queries, store
from kilonova.placement.api.context import Api, NotValid, body_of, href, location
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route


class NoSuchClass(NotFound):
    """No such resource class {name}."""


class ClassExists(Conflict):
    """Conflicting resource class already exists: {name}"""


class NameTaken(Conflict):
    """Resource class already exists: {name}"""


class ClassInUse(Conflict):
    """Error in delete resource class: Cannot delete resource class {name}. Class is in use in inventory."""


class ClassBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A custom resource class."""

    name: str


def routes(api: Api) -> list[Route]:
    """The routes of resource classes."""
    resource = _Classes(api)
    one = "/resource_classes/{name}"
    return [
        Route(method="GET", path="/resource_classes", handler=resource.list, since="1.2"),
        Route(method="POST", path="/resource_classes", handler=resource.create, since="1.2", success=201),
        Route(method="GET", path=one, handler=resource.show, since="1.2"),
        Route(method="PUT", path=one, handler=resource.rename, since="1.2", until="1.6"),
        Route(method="PUT", path=one, handler=resource.ensure, since="1.7", success=204),
        Route(method="DELETE", path=one, handler=resource.delete, since="1.2", success=204),
    ]


class _Classes:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def list(self, call: Call) -> Reply:
        self._api.allow(call, "resource_classes:list")
        custom = await self._api.database.read(queries.custom_names_txn, "resource_classes")
        every = (*names.standard_classes(), *custom)
        return self._api.fresh(call, {"resource_classes": [_view(call, name) for name in every]})

    async def create(self, call: Call) -> Reply:
        self._api.allow(call, "resource_classes:create")
        name = _custom((await body_of(call, ClassBody)).name)
        if not await self._api.database.write(_ensure_txn, name):
            raise ClassExists(name=name)
        return Reply(headers={"Location": location(call, f"/resource_classes/{name}")})

    async def show(self, call: Call) -> Reply:
        self._api.allow(call, "resource_classes:show")
        name = call.params["name"]
        made_at = (await self._api.database.read(queries.custom_names_txn, "resource_classes")).get(name)
        if made_at is None and name not in names.standard_classes():
            raise NoSuchClass(name=name)
        return self._api.fresh(call, _view(call, name), made_at)

    async def rename(self, call: Call) -> Reply:
        self._api.allow(call, "resource_classes:update")
        new = _custom((await body_of(call, ClassBody)).name)
        await self._api.database.write(_rename_txn, call.params["name"], new)
        return self._api.fresh(call, _view(call, new))

    async def ensure(self, call: Call) -> Reply:
        self._api.allow(call, "resource_classes:update")
        name = _custom(call.params["name"])
        made = await self._api.database.write(_ensure_txn, name)
        return Reply(status=201 if made else 204, headers={"Location": location(call, f"/resource_classes/{name}")})

    async def delete(self, call: Call) -> Reply:
        self._api.allow(call, "resource_classes:delete")
        await self._api.database.write(_delete_txn, call.params["name"])
        return Reply()


def _custom(name: str) -> str:
    """A name that a custom class may have. Raises `NotValid` for any other."""
    if len(name) > names.NAME_MAX:
        raise NotValid(reason=f"{name!r} is too long  Failed validating 'maxLength' in schema['properties']['name']")
    if not names.is_custom(name):
        rule = "Failed validating 'pattern' in schema['properties']['name']"
        raise NotValid(reason=f"{name!r} does not match '^CUSTOM_[A-Z0-9_]+$'  {rule}")
    return name


def _view(call: Call, name: str) -> dict[str, Any]:
    return {"name": name, "links": [{"rel": "self", "href": href(call, f"/resource_classes/{name}")}]}


def _ensure_txn(tx: Transaction, name: str) -> bool:
    if name in queries.custom_names_txn(tx, "resource_classes"):
        return False
    store.custom_insert_txn(tx, "resource_classes", [name])
    return True


def _rename_txn(tx: Transaction, old: str, new: str) -> None:
    _require_changeable(tx, old, "update")
    if new != old and new in queries.custom_names_txn(tx, "resource_classes"):
        raise NameTaken(name=new)
    store.class_rename_txn(tx, old, new)


def _delete_txn(tx: Transaction, name: str) -> None:
    _require_changeable(tx, name, "delete")
    if queries.class_in_use_txn(tx, name):
        raise ClassInUse(name=name)
    store.custom_delete_txn(tx, "resource_classes", name)


def _require_changeable(tx: Transaction, name: str, verb: str) -> None:
    if name in names.standard_classes():
        raise Invalid(reason=f"Cannot {verb} standard resource class {name}.")
    if name not in queries.custom_names_txn(tx, "resource_classes"):
        raise NoSuchClass(name=name)
