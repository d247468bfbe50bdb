"""The socket of the gateway: our own user's alone, in directories of any depth, gone when it is closed."""

import asyncio
import stat
from pathlib import Path
from typing import Any

import pytest

from kilonova.agent.gateway_http import GatewayService
from kilonova.agent.gateway_remote import RemoteGateway, unix_transport
from kilonova.agent.questions import QuestionDesk
from kilonova.app.gateway_socket import GatewaySocket
from kilonova.kernel.errors import NotAuthenticated, Unavailable
from kilonova.runtime.real import RealRuntime


def test_socket__in_a_deep_directory__answers_our_own_user_until_closed(tmp_path: Path) -> None:
    path = tmp_path / ("d" * 100) / "gateway.sock"
    path.parent.mkdir()

    async def scenario() -> None:
        runtime = RealRuntime()
        nobody: Any = None
        gateway = GatewaySocket(GatewayService({}, QuestionDesk(runtime, str), nobody), path, runtime)
        gateway.open()
        client = RemoteGateway("agent", "a secret", unix_transport(path))
        with pytest.raises(NotAuthenticated):
            await client.beat("agent")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        await gateway.close()
        assert not path.exists()
        with pytest.raises(Unavailable):
            await client.beat("agent")
        await client.close()

    asyncio.run(scenario())
