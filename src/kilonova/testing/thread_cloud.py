"""A cloud in a thread of the test's own process: the product as it is, on a loop, a port and a state directory of its own.

A thread and not a process, because imports are most of a cold start: the first cloud of a test run pays for them, and every
other one is there in a tenth of a second.
"""

import asyncio
import shutil
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Self

import uvloop

from kilonova.app.config import Config
from kilonova.app.config_sources import load
from kilonova.app.run import host
from kilonova.app.wiring import Cloud
from kilonova.cells.hosts import hosts_mapped_txn
from kilonova.drivers.fake.driver import FakeDriver
from kilonova.runtime.real import RealRuntime
from kilonova.testing.access import CloudAccess

Tables = Mapping[str, Mapping[str, object]]
"""Tables of the configuration, by name."""

START_MAX_S = 60.0
STOP_MAX_S = 60.0
LOOK_EVERY_S = 0.005
CHEAP_HASHES = {"hash_time_cost": 1, "hash_memory_kib": 8}
"""The generated passwords of a cloud for tests are as long as keys, and hide nothing for longer than a test."""


class ThreadCloud(CloudAccess):
    """A cloud on the fake driver, from `start` to `close`, or within a `with` block."""

    def __init__(self, path: Path, *, hosts: int = 1, cells: int = 1, config: Tables | None = None) -> None:
        """Prepare a cloud; `start` it.

        Args:
            path: where the state directory will be; nothing is there yet. `close` removes it.
            hosts: how many hosts of the fake driver it has, spread over the cells.
            cells: how many cells, beside cell0.
            config: tables of the configuration that differ from the defaults, as in `kilonova.toml`.

        Raises:
            KilonovaError: `config` has an unknown key or a bad value.
        """
        self.state = path
        tables: dict[str, dict[str, object]] = {name: dict(table) for name, table in (config or {}).items()}
        tables["identity"] = {**CHEAP_HASHES, **tables.get("identity", {})}
        up = {"driver": "fake", "hosts": hosts, "cells": cells, "listen": "127.0.0.1:0"}
        tables["up"] = {**up, **tables.get("up", {}), "state": str(path)}
        self._tables = tables
        self._config: Config = load(None, {}, tables)
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Start it, unless it runs."""
        if self._thread is None:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def start(self) -> None:
        """Start it, and return once it answers and knows its hosts. Raises `KilonovaError` for what keeps it from it."""
        self._started: Future[tuple[Cloud, str]] = Future()
        self._over: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name=f"kilonova on {self.state}", daemon=True)
        self._thread.start()
        try:
            self._cloud, self.url = self._started.result(START_MAX_S)
            asyncio.run_coroutine_threadsafe(self._hosts_known(), self._loop).result(START_MAX_S)
        except BaseException:
            self._thread = None
            raise

    def stop(self) -> None:
        """Stop it cleanly, as SIGTERM does: its guests outlive it, and `start` finds them and goes on with what was begun."""
        if self._thread is None:
            return
        self._thread = None
        self._loop.call_soon_threadsafe(self._ended.set)
        self._over.result(STOP_MAX_S)

    def restart(self) -> None:
        """Stop it and start it again at the same address. Tokens stay valid."""
        self._tables["up"]["listen"] = self.url.partition("//")[2]
        self._config = load(None, {}, self._tables)
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it, and remove its state directory."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self.state, ignore_errors=True)

    def fail_next(self, action: str, *, times: int = 1, reason: str = "the fake hypervisor was told to fail") -> None:
        """Let the hypervisor fail the next `times` calls of `action`, a method of the driver such as `guest_ensure`."""
        driver = self._cloud.hypervisor
        assert isinstance(driver, FakeDriver)
        driver.faults.fail_next(action, times=times, reason=reason)

    async def _hosts_known(self) -> None:
        """Until servers may be sent to every host."""
        driver, work = self._cloud.hypervisor, self._cloud.work
        assert driver is not None
        hosts = len(await driver.hosts())
        while len(await work.database.read(hosts_mapped_txn)) < hosts:
            await work.runtime.sleep(LOOK_EVERY_S)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._host())
        except BaseException as error:  # noqa: BLE001 - it is raised again where the test waits
            if self._started.done():
                self._over.set_exception(error)
            else:
                self._started.set_exception(error)
        else:
            self._over.set_result(None)

    async def _host(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        await host(
            self._config,
            RealRuntime(),
            opened=lambda _: None,
            note=lambda _: None,
            ready=lambda cloud, url: self._started.set_result((cloud, url)),
            ended=self._ended,
        )
