"""What a filter is."""

from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

from kilonova.scheduler.hosts import HostState, Look
from kilonova.scheduler.request import ServerRequest

Rule = Callable[[HostState], bool]
RuleOf = Callable[[ServerRequest], Rule | None]


class By(Enum):
    """What a filter or weigher must be asked about to know what it says of every host."""

    HOST = auto()
    """Each host."""
    NAME = auto()
    """None: of a filter that refuses the hosts named in `ServerRequest.away` and no others."""
    KIND = auto()
    """One host of each kind: it looks at nothing that is a host's own (name, UUID, address, load)."""


ByOf = Callable[[ServerRequest], By]


def by_host(_request: ServerRequest) -> By:
    """Whatever the request."""
    return By.HOST


def by_name(_request: ServerRequest) -> By:
    """Whatever the request."""
    return By.NAME


def by_kind(_request: ServerRequest) -> By:
    """Whatever the request."""
    return By.KIND


class Filter(NamedTuple):
    """A named filter."""

    name: str
    rule: RuleOf
    """The rule of a request; None when there is nothing to check."""
    looks_at: Look = Look.NOTHING
    """What of `HostState.load` the rule looks at."""
    on_rebuild: bool = False
    """Whether a server that stays where it is and gets another image is judged by it, as in Nova."""
    by: ByOf = by_host
    """What is enough to ask it about: fewer questions, where there are many hosts."""
