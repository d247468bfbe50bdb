"""Projects (Identity API v3, "Projects")."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from kilonova.database.database import Transaction
from kilonova.kernel.errors import Invalid
from kilonova.standalone.identity import tables
from kilonova.standalone.identity.context import Context, changes, extra_of, given
from kilonova.standalone.identity.fields import Id, ProjectName, Tag, Text
from kilonova.standalone.identity.store import (
    Row,
    delete_project_txn,
    get_txn,
    insert_txn,
    rows_txn,
    update_txn,
)
from kilonova.standalone.identity.tables import DEFAULT_DOMAIN_ID
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body, Route

_TAGS_MAX = 80
_RESERVED = ("id", "links", "domain_id", "parent_id", "is_domain", "options")


class ProjectChange(Struct):
    """What may be given of a project; what may not differ is checked."""

    name: ProjectName | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    tags: Annotated[list[Tag], Meta(max_length=_TAGS_MAX)] | UnsetType = UNSET


class Fixed(Struct):
    """What every project has alike."""

    domain_id: Id | None = DEFAULT_DOMAIN_ID
    parent_id: Id | None = DEFAULT_DOMAIN_ID
    is_domain: bool = False

    def check(self) -> None:
        """Raise `Invalid` for anything but a project directly below the default domain."""
        if self.is_domain or {self.domain_id, self.parent_id} - {DEFAULT_DOMAIN_ID, None}:
            raise Invalid(
                reason="Every project belongs directly to the domain 'default'; there are no nested projects."
            )


class Projects:
    """The paths under `/v3/projects`, but for roles."""

    def __init__(self, context: Context) -> None:
        """Answer from `context`."""
        self._context = context

    def routes(self) -> Sequence[Route]:
        """Create, list, show, update, delete."""
        one = "/v3/projects/{project_id}"
        return (
            Route(method="POST", path="/v3/projects", handler=self.create, success=201, body=Body.JSON),
            Route(method="GET", path="/v3/projects", handler=self.list),
            Route(method="GET", path=one, handler=self.show),
            Route(method="PATCH", path=one, handler=self.update, body=Body.JSON),
            Route(method="DELETE", path=one, handler=self.delete, success=204),
        )

    async def create(self, call: Call) -> Reply:
        """POST /v3/projects."""
        self._context.enforce(call, "create_project")
        change = given(call, "project", ProjectChange)
        given(call, "project", Fixed).check()
        if change.name is UNSET:
            raise Invalid(reason="A project needs a name.")
        row = {
            "id": self._context.new_id(),
            "description": "",
            "enabled": True,
            "tags": [],
            **_columns(change),
            "extra": extra_of(call.body["project"], ProjectChange, _RESERVED),
        }
        await self._context.store.change(insert_txn, tables.projects, "project", row)
        return self._reply(row)

    async def list(self, call: Call) -> Reply:
        """GET /v3/projects."""
        self._context.enforce(call, "list_projects")
        rows = await self._context.store.scan(rows_txn, tables.projects)
        documents = [project_document(row, self._context) for row in rows]
        filters = ("name", "enabled", "domain_id", "parent_id", "is_domain")
        return self._context.listing(call, "projects", documents, *filters)

    async def show(self, call: Call) -> Reply:
        """GET /v3/projects/{project_id}."""
        project_id = call.params["project_id"]
        self._context.enforce(call, "get_project", **{"target.project.id": project_id})
        return self._reply(await self._context.store.read(get_txn, tables.projects, "project", project_id))

    async def update(self, call: Call) -> Reply:
        """PATCH /v3/projects/{project_id}."""
        self._context.enforce(call, "update_project")
        change = given(call, "project", ProjectChange)
        given(call, "project", Fixed).check()
        project_id, extra = call.params["project_id"], extra_of(call.body["project"], ProjectChange, _RESERVED)
        values = _columns(change)
        row = await self._context.store.change(update_txn, tables.projects, "project", project_id, values, extra)
        return self._reply(row)

    async def delete(self, call: Call) -> Reply:
        """DELETE /v3/projects/{project_id}."""
        self._context.enforce(call, "delete_project")
        await self._context.store.change(delete_project_txn, call.params["project_id"])
        return Reply()

    def _reply(self, row: Row) -> Reply:
        return Reply({"project": project_document(row, self._context)})


def project_document(row: Row, context: Context) -> Mapping[str, Any]:
    """A project as the API shows it."""
    return {
        **row["extra"],
        "id": row["id"],
        "name": row["name"],
        "description": row["description"],
        "enabled": row["enabled"],
        "tags": row["tags"],
        "domain_id": DEFAULT_DOMAIN_ID,
        "parent_id": DEFAULT_DOMAIN_ID,
        "is_domain": False,
        "options": {},
        "links": {"self": context.link(f"projects/{row['id']}")},
    }


def reachable_projects_txn(tx: Transaction, user_id: str) -> Sequence[Row]:
    """The projects that a user has a role on, by name."""
    assigned = {row["target_id"] for row in rows_txn(tx, tables.assignments, user_id=user_id, scope="project")}
    return [row for row in rows_txn(tx, tables.projects) if row["id"] in assigned]


def _columns(change: ProjectChange) -> dict[str, Any]:
    values = changes(change)
    if values.get("description", "") is None:
        values["description"] = ""
    return values
