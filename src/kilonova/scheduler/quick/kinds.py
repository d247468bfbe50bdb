"""Hosts by kind: those that differ in nothing but their name, their address, what is used of them and what goes on on them."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter

import msgspec

from kilonova.kernel.ids import HostName
from kilonova.scheduler.hosts import HostState

OWN = frozenset({"name", "uuid", "host_ip", "load"})
"""What of a host belongs to no kind."""
_SHARED = tuple(name for name in HostState.__struct_fields__ if name not in OWN)
_AGGREGATES = _SHARED.index("aggregates")
_shared = attrgetter(*_SHARED)


class HostList:
    """The hosts of a decision in their order, each with the number of its kind. Equal kinds keep their number."""

    def __init__(self) -> None:
        """Begin with no hosts."""
        self.hosts: Sequence[HostState] = ()
        self.kinds = array("I")
        """By position."""
        self.examples: dict[int, HostState] = {}
        """Of each kind that there is one of the hosts."""
        self.position_of: dict[str, int] = {}
        """By UUID."""
        self._position_named: dict[HostName, int] | None = None
        self._numbers: dict[tuple[object, ...], int] = {}

    def positions_of(self, names: Iterable[HostName]) -> list[int]:
        """Where the hosts with these names are; those that aren't there are left out."""
        if self._position_named is None:
            self._position_named = {host.name: at for at, host in enumerate(self.hosts)}
        return [at for name in sorted(names) if (at := self._position_named.get(name)) is not None]

    def update(self, hosts: Sequence[HostState]) -> list[int] | None:
        """Let these be the hosts. The positions of those that are of another kind now; None when they are other hosts."""
        texts: dict[int, bytes] = {}
        kinds, examples = array("I"), dict[int, HostState]()
        numbers = self._numbers
        for host in hosts:
            key = tuple(
                [
                    value
                    if isinstance(value, str | int)
                    else texts.get(id(value)) or texts.setdefault(id(value), _text(at, value))
                    for at, value in enumerate(_shared(host))
                ]
            )
            number = numbers.get(key)
            if number is None:
                number = numbers[key] = len(numbers)
            kinds.append(number)
            examples[number] = host
        before, self.hosts = self.hosts, hosts
        kinds_before, self.kinds, self.examples = self.kinds, kinds, examples
        if len(before) == len(hosts) and all(old.uuid == new.uuid for old, new in zip(before, hosts, strict=True)):
            return [at for at, (old, new) in enumerate(zip(kinds_before, kinds, strict=True)) if old != new]
        self._position_named = None
        self.position_of = {host.uuid: at for at, host in enumerate(hosts)}
        return None


def _text(at: int, value: object) -> bytes:
    """A value that can't be compared at once, as text: equal ones have equal texts. Of aggregates without their hosts."""
    if at == _AGGREGATES and isinstance(value, tuple):
        value = [msgspec.structs.replace(aggregate, hosts=()) for aggregate in value]
    return msgspec.json.encode(value, enc_hook=plain, order="sorted") or b"-"


def plain(value: object) -> object:
    """Mappings that can only be read, as others, for encoding."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value))
