"""Networks (Networking API reference, "Networks")."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from sqlalchemy import or_, true
from typing_extensions import override

from kilonova.database.database import Transaction
from kilonova.kernel.errors import NotFound
from kilonova.objects.caller import Caller
from kilonova.standalone.network.attributes import Attribute, Attributes, read_only, standard
from kilonova.standalone.network.collection import Collection, Document
from kilonova.standalone.network.errors import NetworkNotFound
from kilonova.standalone.network.listing import Condition, Source, columns_of
from kilonova.standalone.network.store import networks as store
from kilonova.standalone.network.store import quotas
from kilonova.standalone.network.tables import networks
from kilonova.standalone.network.values import boolean, integer, one_of

MTU = 1500
MTU_MIN, MTU_MAX = 68, 65535
TYPE = "local"
"""The only type of network that there is: how its packets travel is the hypervisor driver's matter."""

_ATTRIBUTES = Attributes(
    "network",
    (
        *standard(),
        *read_only("subnets", "status", "availability_zones"),
        Attribute(name="admin_state_up", check=boolean, default=True),
        Attribute(name="shared", check=boolean, default=False, guarded=True),
        Attribute(name="router:external", check=boolean, default=False, guarded=True),
        Attribute(name="mtu", check=integer(MTU_MIN, MTU_MAX), default=MTU),
        Attribute(name="port_security_enabled", check=boolean, default=True),
        Attribute(name="provider:network_type", check=one_of(TYPE), put=False, guarded=True, secret=True),
        Attribute(name="provider:physical_network", check=one_of(None), put=False, guarded=True, secret=True),
        Attribute(name="provider:segmentation_id", check=one_of(None), put=False, guarded=True, secret=True),
    ),
)
_SAME_COLUMN = ("admin_state_up", "shared", "mtu", "port_security_enabled")


class Networks(Collection):
    """Requests about networks."""

    kind: ClassVar[str] = "network"
    plural: ClassVar[str] = "networks"
    attributes: ClassVar[Attributes] = _ATTRIBUTES
    source: ClassVar[Source] = Source(networks, columns_of(networks, *_SAME_COLUMN, **{"router:external": "external"}))
    missing: ClassVar[type[NotFound]] = NetworkNotFound

    @override
    def seen_by_others(self) -> Condition:
        """Shared networks and those that lead outside."""
        return or_(networks.c.shared == true(), networks.c.external == true())

    @override
    def insert_txn(self, tx: Transaction, item: Document) -> Document:
        quotas.require_txn(tx, self.limits, item["project_id"], self.kind)
        return store.insert_txn(tx, _columns(item))

    @override
    def update_txn(self, tx: Transaction, row: Document, changes: Document) -> None:
        store.update_txn(tx, row, _columns(changes))

    @override
    def delete_txn(self, tx: Transaction, _caller: Caller, row: Document) -> None:
        store.delete_txn(tx, row["id"])

    @override
    def related_txn(self, tx: Transaction, ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        return {network_id: {"subnets": found} for network_id, found in store.subnet_ids_txn(tx, ids).items()}

    @override
    def view(self, row: Document, related: Mapping[str, Any]) -> Document:
        return {
            **{name: row[name] for name in _SAME_COLUMN},
            "status": "ACTIVE",
            "subnets": related.get("subnets", []),
            "router:external": row["external"],
            "availability_zones": [],
            "provider:network_type": TYPE,
            "provider:physical_network": None,
            "provider:segmentation_id": None,
        }


def _columns(item: Mapping[str, Any]) -> Document:
    """Attributes by their columns; those of the provider say nothing that is stored."""
    renamed = {"external" if name == "router:external" else name: value for name, value in item.items()}
    return {name: value for name, value in renamed.items() if not name.startswith("provider:")}
