"""What only a real Neutron shows: it has parts of its own that may not reach a host."""

import pytest

from contract.services import run
from contract.test_networks import new_id, real_neutron
from kilonova.kernel.errors import Conflict

pytestmark = pytest.mark.interop


def test_port_bind__network_does_not_reach_the_host__conflict(tmp_path) -> None:  # type: ignore[no-untyped-def]
    async def scenario() -> None:
        async with real_neutron(tmp_path) as subject:
            server_id = new_id()
            port = await subject.server_port(await subject.network(), server_id)
            with pytest.raises(Conflict, match="can't connect port"):
                await subject.networks.port_bind(port.id, server_id=server_id, host="refuses-1", zone="nova")
            bound = await subject.networks.port_bind(port.id, server_id=server_id, host="node-1", zone="nova")
            assert bound.host == "node-1"

    run(scenario())
