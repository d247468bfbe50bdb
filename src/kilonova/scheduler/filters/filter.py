"""What a filter is."""

from collections.abc import Callable
from typing import NamedTuple

from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.request import ServerRequest

Rule = Callable[[HostState], bool]


class Filter(NamedTuple):
    """A named filter."""

    name: str
    rule: Callable[[ServerRequest], Rule | None]
    """The rule of a request; None when there is nothing to check."""
