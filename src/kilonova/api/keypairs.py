"""Key pairs (Compute API reference, "Keypairs")."""

from typing import Literal

from msgspec import Struct

from kilonova.api import body, keys, times
from kilonova.api.compute import Compute
from kilonova.api.fields import Name
from kilonova.api.keypair_store import keypair_add_txn, keypair_find_txn, keypair_remove_txn, keypairs_txn
from kilonova.api.paging import Page, next_links, page
from kilonova.api.projects import own_project
from kilonova.api.query import ComputeRoute, Query
from kilonova.api.shapes import (
    LINKS,
    MICRO_TIME,
    NULL,
    TEXT,
    TRUTH,
    WHOLE,
    Gives,
    Takes,
    gives,
    listed,
    obj,
    shaped,
    words,
)
from kilonova.kernel.errors import Invalid
from kilonova.kernel.ids import UserId
from kilonova.kernel.versions import Doc
from kilonova.objects.keypair import Keypair
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_- ")
_SAFE_SINCE_2_92 = _SAFE | {"@", "."}

LIST = Query(names=("user_id", "limit", "marker"), shape="keypair_list_query", strict="strict-list-queries")
ONE = Query(names=("user_id",), shape="keypair_query", strict="strict-list-queries")


_CORE = {"name": TEXT, "type": words("ssh", "x509"), "public_key": TEXT, "fingerprint": TEXT}
BRIEF = obj({"keypair": shaped(obj(_CORE), "keypair")})
CREATED = shaped(obj({**_CORE, "user_id": TEXT, "private_key?": TEXT}), "keypair")
KEYPAIR = shaped(
    obj(
        {
            **_CORE,
            "user_id": TEXT,
            "id": WHOLE,
            "created_at": MICRO_TIME,
            "updated_at": NULL,
            "deleted": TRUTH,
            "deleted_at": NULL,
        }
    ),
    "keypair",
)


class UnsafeName(Invalid):
    """Keypair data is invalid: Keypair name contains unsafe characters"""

    code = "keypair-unsafe-name"


class KeypairCreate(Struct, forbid_unknown_fields=True):
    """The body of a create."""

    name: Name
    type: Literal["ssh", "x509"] = "ssh"
    public_key: str | None = None
    user_id: Name | None = None


class Keypairs:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """List a user's key pairs."""
        asked = LIST.read(call)
        user_id = self._user(call, "index", asked.one("user_id"))
        found = await self._compute.database.read(keypairs_txn, user_id)
        if not call.version.has("keypair-paging"):
            return Reply({"keypairs": [_brief(call, keypair) for keypair in found]})
        wanted: Page = page(asked, self._compute)
        shown = wanted.of(found, lambda keypair: keypair.name)
        told: Doc = {"keypairs": [_brief(call, keypair) for keypair in shown]}
        more = next_links(call, self._compute, wanted, [keypair.name for keypair in shown])
        return Reply(told | {"keypairs_links": more} if more else told)

    async def show(self, call: Call) -> Reply:
        """Show one key pair."""
        user_id = self._user(call, "show", ONE.read(call).one("user_id"))
        keypair = await self._compute.database.read(keypair_find_txn, user_id, call.params["id"])
        row = {
            "id": keypair.id,
            "created_at": times.micro(keypair.created_at),
            "updated_at": None,
            "deleted": False,
            "deleted_at": None,
        }
        return Reply({"keypair": _told(call, {**_core(keypair), "user_id": keypair.user_id, **row})})

    async def create(self, call: Call) -> Reply:
        """Import a public key, or make a pair where the microversion still does that."""
        asked = body.read(call, "keypair", KeypairCreate, "keypair_create")
        user_id = self._user(call, "create", asked.user_id)
        import_only = call.version.has("keypair-import-only")
        if not set(asked.name) <= (_SAFE_SINCE_2_92 if import_only else _SAFE):
            raise UnsafeName
        if asked.public_key is None and import_only:
            raise body.BadField(field="keypair", value=asked.name, reason="'public_key' is a required property")
        keypair, private = await self._compute.runtime.run_blocking(_made, asked, user_id, self._compute.runtime.now())
        project_id = own_project(call.user)
        quota, generated = self._compute.quota.defaults, private is not None
        keypair = await self._compute.database.write(keypair_add_txn, keypair, project_id, quota, generated=generated)
        doc: Doc = {**_core(keypair), "user_id": keypair.user_id}
        if private is not None:
            doc["private_key"] = private
        return Reply({"keypair": _told(call, doc)}, status=201 if call.version.has("keypair-status-codes") else 200)

    async def delete(self, call: Call) -> Reply:
        """Delete one key pair."""
        user_id = self._user(call, "delete", ONE.read(call).one("user_id"))
        await self._compute.database.write(keypair_remove_txn, user_id, call.params["id"])
        return Reply(status=204 if call.version.has("keypair-status-codes") else 202)

    def _user(self, call: Call, action: str, asked: str | None) -> UserId:
        """Whose key pairs are meant: the caller's, or another's where policy allows it."""
        user_id = UserId(asked or call.user.user_id)
        self._compute.policy.enforce(f"os_compute_api:os-keypairs:{action}", call.user, {"user_id": user_id})
        return user_id


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of key pairs."""
    keypairs = Keypairs(compute)
    takes = Takes(
        kind=KeypairCreate,
        under="keypair",
        shape="keypair_create",
        required=("public_key",),
        narrowed=(("public_key", TEXT),),
    )
    created = obj({"keypair": CREATED})
    return [
        ComputeRoute(
            method="GET",
            path="/os-keypairs",
            handler=keypairs.index,
            query=LIST,
            gives=gives({"keypairs": listed(BRIEF), "keypairs_links?": LINKS}),
        ),
        ComputeRoute(
            method="POST",
            path="/os-keypairs",
            handler=keypairs.create,
            body=Body.JSON,
            takes=takes,
            gives=(Gives(body=created, until="2.1"), Gives(body=created, status=201, since="2.2")),
        ),
        ComputeRoute(
            method="GET", path="/os-keypairs/{id}", handler=keypairs.show, query=ONE, gives=gives({"keypair": KEYPAIR})
        ),
        ComputeRoute(
            method="DELETE",
            path="/os-keypairs/{id}",
            handler=keypairs.delete,
            query=ONE,
            gives=(Gives(status=202, until="2.1"), Gives(status=204, since="2.2")),
        ),
    ]


def _made(asked: KeypairCreate, user_id: UserId, now: float) -> tuple[Keypair, str | None]:
    """The key pair asked for, and its private half if it is new. Blocks."""
    private, public = None, asked.public_key
    if public is None:
        private, public = keys.ssh_generate() if asked.type == "ssh" else keys.certificate_generate(user_id, now)
    fingerprint = keys.ssh_fingerprint(public) if asked.type == "ssh" else keys.certificate_fingerprint(public)
    keypair = Keypair(
        id=0,
        user_id=user_id,
        name=str(asked.name),
        type=asked.type,
        public_key=public,
        fingerprint=fingerprint,
        created_at=now,
    )
    return keypair, private


def _core(keypair: Keypair) -> Doc:
    return {
        "name": keypair.name,
        "type": keypair.type,
        "public_key": keypair.public_key,
        "fingerprint": keypair.fingerprint,
    }


def _brief(call: Call, keypair: Keypair) -> Doc:
    return {"keypair": _told(call, _core(keypair))}


def _told(call: Call, doc: Doc) -> Doc:
    return call.version.down("keypair", doc)
