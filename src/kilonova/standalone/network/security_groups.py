"""Security groups (Networking API reference, "Security groups")."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from typing_extensions import override

from kilonova.database.database import Transaction
from kilonova.kernel.errors import NotFound
from kilonova.objects.caller import Caller
from kilonova.standalone.network.attributes import REQUIRED, Attributes, read_only, standard
from kilonova.standalone.network.collection import Collection, Document
from kilonova.standalone.network.errors import (
    SecurityGroupCannotRemoveDefault,
    SecurityGroupCannotUpdateDefault,
    SecurityGroupNotFound,
)
from kilonova.standalone.network.listing import Source, columns_of
from kilonova.standalone.network.security_group_rules import rule_view
from kilonova.standalone.network.store import quotas
from kilonova.standalone.network.store import security_group_rules as rule_store
from kilonova.standalone.network.store import security_groups as store
from kilonova.standalone.network.tables import security_groups
from kilonova.standalone.network.values import text
from kilonova.web.call import Call, Reply

_ATTRIBUTES = Attributes(
    "security_group", (*standard(name=text(), name_default=REQUIRED), *read_only("security_group_rules"))
)


class SecurityGroups(Collection):
    """Requests about security groups."""

    kind: ClassVar[str] = "security_group"
    plural: ClassVar[str] = "security_groups"
    attributes: ClassVar[Attributes] = _ATTRIBUTES
    source: ClassVar[Source] = Source(security_groups, columns_of(security_groups))
    missing: ClassVar[type[NotFound]] = SecurityGroupNotFound

    @override
    async def list_all(self, call: Call) -> Reply:
        """See `Collection.list_all`; a project that looks finds its default group."""
        project_id = call.user.project_id
        if project_id is not None and await self.database.read(store.find_default_txn, project_id) is None:
            await self.database.write(store.default_txn, self.runtime.uuid, project_id)
        return await super().list_all(call)

    @override
    def insert_txn(self, tx: Transaction, item: Document) -> Document:
        store.default_txn(tx, self.runtime.uuid, item["project_id"])
        quotas.require_txn(tx, self.limits, item["project_id"], self.kind)
        return store.insert_txn(tx, self.runtime.uuid, item)

    @override
    def update_txn(self, tx: Transaction, row: Document, changes: Document) -> None:
        if row["is_default"] and changes.get("name", row["name"]) != row["name"]:
            raise SecurityGroupCannotUpdateDefault
        if not row["is_default"] and changes.get("name") == store.DEFAULT:
            raise SecurityGroupCannotUpdateDefault
        store.update_txn(tx, row["id"], changes)

    @override
    def delete_txn(self, tx: Transaction, caller: Caller, row: Document) -> None:
        if row["is_default"] and not self.policy.allows("context_is_admin", caller):
            raise SecurityGroupCannotRemoveDefault
        store.delete_txn(tx, row["id"])

    @override
    def related_txn(self, tx: Transaction, ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        return {group_id: {"rules": found} for group_id, found in rule_store.of_groups_txn(tx, ids).items()}

    @override
    def view(self, _row: Document, related: Mapping[str, Any]) -> Document:
        return {"security_group_rules": [rule_view(rule) for rule in related.get("rules", [])]}
