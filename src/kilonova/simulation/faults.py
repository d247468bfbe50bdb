"""What goes wrong in a simulated cloud: how often, and how often it did.

Every kind of fault draws from a stream of its own and is numbered: `db_refused#3` is the third refused connection of a run.
Those named in `without` are left out, which is how a seed is shrunk to the faults that matter.
"""

import random
from collections import Counter
from collections.abc import Callable, Collection

import msgspec


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """How likely each fault is, each time it could happen; and how slow things are. Names are those in `Faults.counts`."""

    db_refused: float = 0.02
    """A transaction does not reach the database."""
    db_deadlock: float = 0.02
    """A transaction is rolled back after it ran, and run again."""
    db_answer_lost: float = 0.02
    """A transaction is committed, and its caller told that the database can't be reached."""
    db_slow: float = 0.005
    """An answer takes seconds instead of milliseconds."""
    bus_drop: float = 0.15
    bus_delay: float = 0.10
    bus_repeat: float = 0.05
    call_refused: float = 0.03
    """A call to another process or service does not get through."""
    call_answer_lost: float = 0.03
    """A call is carried out, and its answer lost."""
    call_slow: float = 0.01
    call_repeated: float = 0.02
    """A call to a gateway is carried out, and once more when it is long out of date."""
    hypervisor_fails: float = 0.08
    """A call of the hypervisor fails before it did anything."""
    hypervisor_fails_halfway: float = 0.08
    """A call of the hypervisor fails after it did something."""
    hypervisor_slow: float = 0.2
    hypervisor_late: float = 0.05
    """What the hypervisor shows is seconds old when it is told."""
    guest_keeps_device: float = 0.1
    """A running guest doesn't let go of a device that is to be unplugged."""
    migration_dies_with_agent: float = 0.5
    """A live migration fails when the agent that began it dies; others go on."""
    service_refuses: float = 0.03
    """The network service says no: an address taken, a quota reached."""


QUIET = Rates(**dict.fromkeys(Rates.__struct_fields__, 0.0))
"""Nothing goes wrong by chance; what a scenario orders still does."""


class Faults:
    """Decides whether a fault strikes, and counts."""

    def __init__(self, rates: Rates, seed: int = 0, *, without: Collection[str] = ()) -> None:
        """Start with faults on. `without` names kinds (`kill`) and single faults (`kill#3`) that never strike."""
        self.rates = rates
        self.on = True
        self.counts: Counter[str] = Counter()
        """How many of each kind struck."""
        self.struck: list[str] = []
        """Each by name and number, in order."""
        self.on_strike: Callable[[str], None] | None = None
        """Told the name and number of each fault that strikes."""
        self._without = frozenset(without)
        self._seed = seed
        self._met: Counter[str] = Counter()
        self._next: Counter[str] = Counter()
        self._streams: dict[str, random.Random] = {}

    def strikes(self, name: str) -> bool:
        """Whether the fault `name` strikes now, by chance."""
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = random.Random(f"{self._seed}/fault/{name}")
        by_chance = stream.random() < getattr(self.rates, name) and self.on
        if self._next[name] > 0:
            self._next[name] -= 1
            return self.ordered(name)
        return by_chance and self.ordered(name)

    def strike_next(self, name: str, times: int = 1) -> None:
        """Let the fault `name` strike the next `times` times it could, whatever its rate. Raises AttributeError for none."""
        getattr(self.rates, name)
        self._next[name] += times

    def ordered(self, name: str) -> bool:
        """Count a fault that is due, such as a kill that a schedule ordered; False when it is to be left out."""
        self._met[name] += 1
        one = f"{name}#{self._met[name]}"
        if name in self._without or one in self._without:
            return False
        self.counts[name] += 1
        self.struck.append(one)
        if self.on_strike is not None:
            self.on_strike(one)
        return True

    @property
    def total(self) -> int:
        """All faults so far."""
        return self.counts.total()
