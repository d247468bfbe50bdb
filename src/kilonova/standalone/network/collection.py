"""One kind of resource over HTTP: list, create (also in bulk), show, update, delete. Each kind fills in what is its own."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import or_, select

from kilonova.database.database import Database, Transaction
from kilonova.kernel.errors import NotFound
from kilonova.objects.caller import Caller
from kilonova.runtime.runtime import Runtime
from kilonova.standalone.network import listing
from kilonova.standalone.network.attributes import Attributes, item_of, items_of
from kilonova.standalone.network.errors import BadRequest
from kilonova.standalone.network.listing import Condition, Query, Source
from kilonova.standalone.network.store import tags as tag_store
from kilonova.standalone.network.store.quotas import Limits
from kilonova.web.call import Call, Reply
from kilonova.web.policy import Policy
from kilonova.web.routing import Body, Route

Document = dict[str, Any]


class Collection:
    """The requests of one kind of resource.

    A request that changes something is one transaction: what it refers to is read, policy is asked, and the change is
    written on one snapshot. What a caller may not see does not exist for them (404).
    """

    kind: ClassVar[str]
    """Key of a body with one resource, e.g. `security_group`."""
    plural: ClassVar[str]
    """Key of a body with several, e.g. `security_groups`."""
    attributes: ClassVar[Attributes]
    source: ClassVar[Source]
    missing: ClassVar[type[NotFound]]
    can_update: ClassVar[bool] = True

    def __init__(self, database: Database, runtime: Runtime, policy: Policy, limits: Limits) -> None:
        """`limits` are the quotas of projects that have none of their own."""
        self.database = database
        self.runtime = runtime
        self.policy = policy
        self.limits = limits

    @property
    def path(self) -> str:
        """Where the collection is, below the service's prefix."""
        return f"/v2.0/{self.plural.replace('_', '-')}"

    def routes(self) -> list[Route]:
        """The collection's routes."""
        one = f"{self.path}/{{id}}"
        found = [
            Route(method="GET", path=self.path, handler=self.list_all),
            Route(method="POST", path=self.path, handler=self.create, success=201, body=Body.JSON),
            Route(method="GET", path=one, handler=self.show),
            Route(method="DELETE", path=one, handler=self.delete, success=204),
        ]
        if self.can_update:
            found.append(Route(method="PUT", path=one, handler=self.update, body=Body.JSON))
        return found

    async def list_all(self, call: Call) -> Reply:
        """GET the collection."""
        query = listing.parse(call.query, self.source)
        run = self.database.read if query.limit is not None and query.limit <= 50 else self.database.scan
        page, documents = await run(self._list_txn, call.user, query)
        body: Document = {self.plural: documents}
        links = listing.links(url_of(call), call.query, query, page)
        return Reply(body | {f"{self.plural}_links": links} if links else body)

    async def create(self, call: Call) -> Reply:
        """POST one resource, or several: then all or none are made."""
        given, bulk = items_of(call.body, self.kind, self.plural)
        items = [self._new(call.user, one) for one in given]
        documents = await self.write_new(call.user, given, items)
        return Reply({self.plural: documents} if bulk else {self.kind: documents[0]})

    async def show(self, call: Call) -> Reply:
        """GET one resource."""
        fields = frozenset(value for name, value in call.query if name == "fields")
        return Reply({self.kind: await self.database.read(self._show_txn, call.user, call.params["id"], fields)})

    async def update(self, call: Call) -> Reply:
        """PUT changes to one resource."""
        changes = self.attributes.for_update(item_of(call.body, self.kind))
        return Reply({self.kind: await self.database.write(self._change_txn, call.user, call.params["id"], changes)})

    async def delete(self, call: Call) -> Reply:
        """DELETE one resource."""
        await self.database.write(self._remove_txn, call.user, call.params["id"])
        return Reply()

    # --- what each kind says

    def insert_txn(self, tx: Transaction, item: Document) -> Document:
        """Write a new resource, complete with what was worked out; its row."""
        raise NotImplementedError

    def update_txn(self, tx: Transaction, row: Document, changes: Document) -> None:
        """Write changes that policy allows."""
        raise NotImplementedError

    def delete_txn(self, tx: Transaction, caller: Caller, row: Document) -> None:
        """Delete a resource, where policy allows it."""
        raise NotImplementedError

    def view(self, row: Document, related: Mapping[str, Any]) -> Document:
        """The resource as clients see it, without what every kind has."""
        raise NotImplementedError

    def related_txn(self, _tx: Transaction, _ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """By resource, what its view needs from other tables."""
        return {}

    def around_txn(self, _tx: Transaction, _caller: Caller, _item: Document) -> Document:
        """What policy may ask about the surroundings of a resource, e.g. `network:project_id`; refuses bad references."""
        return {}

    def seen_by_others(self) -> Condition | None:
        """Which resources callers of other projects see."""
        return None

    def guards(self, given: Mapping[str, Any], action: str) -> Sequence[str]:
        """The rules that naming these attributes asks beside `ACTION_KIND`."""
        attributes = self.attributes.by_name
        return [
            f"{action}_{self.kind}:{name}"
            for name, value in given.items()
            if attributes[name].guarded and (action == "update" or value != attributes[name].default)
        ]

    # --- shared by all kinds

    def visible(self, caller: Caller) -> Condition:
        """What `caller` may see: everything for administrators, else the project's own and what is open to others."""
        table = self.source.table
        if self.policy.allows("context_is_admin", caller):
            return table.c.id == table.c.id
        own = table.c.project_id == (caller.project_id or "")
        others = self.seen_by_others()
        return own if others is None else or_(own, others)

    def visible_row_txn(self, tx: Transaction, caller: Caller, resource_id: str) -> Document:
        """One row that `caller` may see. Raises what is `missing`."""
        statement = select(self.source.table).where(self.source.table.c.id == resource_id, self.visible(caller))
        row = tx.execute(statement).first()
        if row is None:
            raise self.missing(id=resource_id[:80])
        return row._asdict()

    def own_row_txn(self, tx: Transaction, caller: Caller, resource_id: str, rules: Sequence[str]) -> Document:
        """One row that `caller` may change: every one of `rules` says so. Raises what is `missing`, `Forbidden`."""
        row = self.visible_row_txn(tx, caller, resource_id)
        target = row | self.around_txn(tx, caller, row)
        for rule in rules:
            self.policy.enforce(rule, caller, target)
        return row

    async def write_new(
        self, caller: Caller, given: Sequence[Mapping[str, Any]], items: Sequence[Document]
    ) -> list[Document]:
        """Make resources, all or none, and answer their documents."""
        return await self.database.write(self._insert_all_txn, caller, given, items)

    def documents_txn(
        self, tx: Transaction, caller: Caller, rows: Sequence[Document], fields: frozenset[str] = frozenset()
    ) -> list[Document]:
        """Resources as `caller` may see them; only `fields` when there are any."""
        ids = [row["id"] for row in rows]
        related, tags = self.related_txn(tx, ids), tag_store.of_txn(tx, ids)
        hidden = [
            name
            for name, attribute in self.attributes.by_name.items()
            if attribute.secret and not self.policy.allows(f"get_{self.kind}:{name}", caller)
        ]
        documents = []
        for row in rows:
            document = standard_view(row, tags.get(row["id"], [])) | self.view(row, related.get(row["id"], {}))
            for name in hidden:
                del document[name]
            documents.append({k: v for k, v in document.items() if k in fields} if fields else document)
        return documents

    def _new(self, caller: Caller, given: Mapping[str, Any]) -> Document:
        item = self.attributes.for_create(given)
        named = {item.pop(name) for name in ("project_id", "tenant_id") if name in item}
        project_id = named.pop() if named else caller.project_id
        if named:
            raise BadRequest(reason="'project_id' and 'tenant_id' are the same thing, and must not differ")
        if project_id is None:
            raise BadRequest(reason="The token belongs to no project: name the resource's project_id")
        if project_id != caller.project_id and not self.policy.allows("context_is_admin", caller):
            reason = (
                "Specifying 'project_id' or 'tenant_id' other than the authenticated project requires admin privileges"
            )
            raise BadRequest(reason=reason)
        return {**item, "id": self.runtime.uuid(), "project_id": project_id}

    def _insert_all_txn(
        self, tx: Transaction, caller: Caller, given: Sequence[Mapping[str, Any]], items: Sequence[Document]
    ) -> list[Document]:
        rows = []
        for named, item in zip(given, items, strict=True):
            target = item | self.around_txn(tx, caller, item)
            for rule in (f"create_{self.kind}", *self.guards(named, "create")):
                self.policy.enforce(rule, caller, target)
            rows.append(self.insert_txn(tx, dict(item)))
        return self.documents_txn(tx, caller, rows)

    def _list_txn(self, tx: Transaction, caller: Caller, query: Query) -> tuple[listing.Page, list[Document]]:
        page = listing.page_txn(tx, self.source, query, self.visible(caller))
        return page, self.documents_txn(tx, caller, page.rows, query.fields)

    def _show_txn(self, tx: Transaction, caller: Caller, resource_id: str, fields: frozenset[str]) -> Document:
        row = self.visible_row_txn(tx, caller, resource_id)
        return self.documents_txn(tx, caller, [row], fields)[0]

    def _change_txn(self, tx: Transaction, caller: Caller, resource_id: str, changes: Document) -> Document:
        rules = (f"update_{self.kind}", *self.guards(changes, "update"))
        self.update_txn(tx, self.own_row_txn(tx, caller, resource_id, rules), changes)
        return self._show_txn(tx, caller, resource_id, frozenset())

    def _remove_txn(self, tx: Transaction, caller: Caller, resource_id: str) -> None:
        row = self.own_row_txn(tx, caller, resource_id, (f"delete_{self.kind}",))
        self.delete_txn(tx, caller, row)
        tag_store.delete_all_txn(tx, row["id"])


def url_of(call: Call) -> str:
    """The URL of the request, without its parameters."""
    return f"{base_url(call)}{call.path}"


def base_url(call: Call) -> str:
    """The URL at which the service is mounted."""
    host = call.headers.get("host", "localhost")
    return f"{call.request.url.scheme}://{host}{call.request.scope.get('root_path', '')}"


def standard_view(row: Document, tags: list[str]) -> Document:
    """What every kind of resource shows."""
    return {
        "id": row["id"],
        **({"name": row["name"]} if "name" in row else {}),
        "description": row["description"],
        "project_id": row["project_id"],
        "tenant_id": row["project_id"],
        "tags": tags,
        "revision_number": row["revision_number"],
        "created_at": _time(row["created_at"]),
        "updated_at": _time(row["updated_at"]),
    }


def _time(seconds: float) -> str:
    """A time as Neutron writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
