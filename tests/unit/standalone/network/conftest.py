"""A network service for each test."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from contract.network_site import Site, network_site
from contract.services import run

Scenario = Callable[[Site], Awaitable[None]]


@pytest.fixture
def on_site(tmp_path: Path) -> Callable[..., None]:
    """Runs a scenario on a fresh service; options as for `network_site`."""

    def judged(scenario: Scenario, **options: Any) -> None:
        async def in_site() -> None:
            async with network_site(tmp_path, **options) as site:
                await scenario(site)

        run(in_site())

    return judged
