"""An archive in a file, for the tests of what reads and writes one."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from kilonova.app.health import health_opened
from kilonova.health.ci.archive import Archive
from kilonova.runtime.real import RealRuntime

T = TypeVar("T")


def with_archive(path: Path, work: Callable[[Archive], Awaitable[T]]) -> T:
    async def run() -> T:
        async with health_opened(path / "health.sqlite", RealRuntime()) as archive:
            return await work(archive)

    return asyncio.run(run())
