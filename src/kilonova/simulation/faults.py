"""What goes wrong in a simulated cloud: how often, and how often it did."""

import random
from collections import Counter

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


QUIET = Rates(
    db_refused=0.0,
    db_deadlock=0.0,
    db_answer_lost=0.0,
    db_slow=0.0,
    bus_drop=0.0,
    bus_delay=0.0,
    bus_repeat=0.0,
    call_refused=0.0,
    call_answer_lost=0.0,
    call_slow=0.0,
    hypervisor_fails=0.0,
    hypervisor_fails_halfway=0.0,
    hypervisor_slow=0.0,
    hypervisor_late=0.0,
    guest_keeps_device=0.0,
    migration_dies_with_agent=0.0,
    service_refuses=0.0,
)
"""Nothing goes wrong by chance; what a scenario orders still does."""


class Faults:
    """Decides whether a fault strikes, and counts. Each user draws from a stream of its own, by its own name."""

    def __init__(self, rates: Rates) -> None:
        """Start with faults on."""
        self.rates = rates
        self.on = True
        self.counts: Counter[str] = Counter()
        self._ordered: Counter[str] = Counter()

    def order(self, name: str, times: int = 1) -> None:
        """Let the fault `name` strike the next `times` times it could, whatever its rate. Raises AttributeError for none."""
        getattr(self.rates, name)
        self._ordered[name] += times

    def strikes(self, stream: random.Random, name: str) -> bool:
        """Whether the fault `name` strikes now."""
        hit = stream.random() < getattr(self.rates, name) and self.on
        if self._ordered[name] > 0:
            self._ordered[name] -= 1
            hit = True
        if hit:
            self.counts[name] += 1
        return hit

    def count(self, name: str) -> None:
        """Count a fault that a schedule ordered, such as a kill."""
        self.counts[name] += 1

    @property
    def total(self) -> int:
        """All faults so far."""
        return self.counts.total()
