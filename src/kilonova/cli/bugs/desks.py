"""The bug desk as commands use it."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from kilonova.cli.health.opened import with_archive
from kilonova.health.bugs.service import Desk
from kilonova.runtime.real import RealRuntime

T = TypeVar("T")


def with_desk(file: Path | None, state: str | None, work: Callable[[Desk], Awaitable[T]]) -> T:
    """Do something with the bugs of a state directory, whether a cloud runs on it or not. Raises what `with_archive` does."""
    return with_archive(file, state, lambda archive: work(Desk(archive.store, RealRuntime())))
