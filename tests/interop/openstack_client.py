"""The real `openstack` client, run against the built-in identity and image services over HTTP.

KILONOVA_TEST_CLIENTS names the folder it is in; without that one on PATH is taken, and without either tests skip.
"""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contract.services import PASSWORDS, run, served


@dataclass(frozen=True)
class Client:
    """`openstack` as one user."""

    executable: str
    environment: dict[str, str]

    def as_user(self, user: str, password: str, project: str) -> "Client":
        named = {"OS_USERNAME": user, "OS_PASSWORD": password, "OS_PROJECT_NAME": project}
        return Client(self.executable, {**self.environment, **named})

    async def __call__(self, command: str, *more: str, fails: str | None = None) -> Any:
        """Run a command; its JSON output, or its text. With `fails`, it must fail and say that."""
        arguments = [*command.split(), *more]
        process = await asyncio.create_subprocess_exec(
            self.executable,
            *arguments,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        said = f"{arguments}: {out.decode()}{err.decode()}"
        if fails is not None:
            assert process.returncode != 0, said
            assert fails in said, said
            return None
        assert process.returncode == 0, said
        return json.loads(out) if "json" in arguments else out.decode()

    async def table(self, command: str, *more: str) -> Any:
        """Run a command that shows or lists something."""
        return await self(command, *more, "-f", "json")


@asynccontextmanager
async def client(directory: Path) -> AsyncIterator[Client]:
    executable = shutil.which("openstack", path=os.environ.get("KILONOVA_TEST_CLIENTS"))
    if executable is None:
        pytest.skip("no openstack client: KILONOVA_TEST_CLIENTS names no folder with one, and none is on PATH")
    async with served(directory) as (_, url):
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "OS_AUTH_URL": f"{url}/identity",
            "OS_USER_DOMAIN_NAME": "Default",
            "OS_PROJECT_DOMAIN_NAME": "Default",
            "OS_IDENTITY_API_VERSION": "3",
        }
        yield Client(executable, environment).as_user("admin", PASSWORDS["admin"], "admin")


def with_client(directory: Path, scenario: Callable[[Client], Awaitable[None]]) -> None:
    """Run a scenario against fresh services in `directory`."""

    async def opened() -> None:
        async with client(directory) as openstack:
            await scenario(openstack)

    run(opened(), within_s=300)
