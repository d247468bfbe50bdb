"""What policy may ask about the network that a subnet or port is on."""

from typing import Any

from kilonova.database.database import Transaction
from kilonova.objects.caller import Caller
from kilonova.standalone.network.errors import NetworkNotFound
from kilonova.standalone.network.store import networks
from kilonova.web.policy import Policy


def network_of_txn(tx: Transaction, policy: Policy, caller: Caller, network_id: str) -> dict[str, Any]:
    """The network's owner, by the names that rules use. Raises `NetworkNotFound`, also for one that `caller` may not see."""
    network = networks.get_txn(tx, network_id)
    if not policy.allows("get_network", caller, network):
        raise NetworkNotFound(id=network_id)
    return {
        "network:project_id": network["project_id"],
        "network:tenant_id": network["project_id"],
        "network:shared": network["shared"],
        "network:port_security_enabled": network["port_security_enabled"],
    }
