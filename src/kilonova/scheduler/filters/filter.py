"""What a filter is."""

from collections.abc import Callable
from typing import NamedTuple

from kilonova.scheduler.hosts import HostState, Look
from kilonova.scheduler.request import ServerRequest

Rule = Callable[[HostState], bool]
RuleOf = Callable[[ServerRequest], Rule | None]


class Filter(NamedTuple):
    """A named filter."""

    name: str
    rule: RuleOf
    """The rule of a request; None when there is nothing to check."""
    looks_at: Look = Look.NOTHING
    """What of `HostState.load` the rule looks at."""
    on_rebuild: bool = False
    """Whether a server that stays where it is and gets another image is judged by it, as in Nova."""
