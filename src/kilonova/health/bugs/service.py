"""The bug desk: reads bugs out of the event store, and writes what is done to them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import select

from kilonova.database.database import Transaction
from kilonova.database.tables import health_database as tables
from kilonova.health.bugs import rules as rules_
from kilonova.health.bugs.clocks import Clock, clocks
from kilonova.health.bugs.duplicates.index import Index, Match
from kilonova.health.bugs.measures import Measures, measures
from kilonova.health.bugs.model import Bug, Deed, Status, What, fold
from kilonova.health.bugs.queue import Entry, duty_queue
from kilonova.health.bugs.sync import Outgoing, outgoing
from kilonova.health.bugs.trackers.reading import FACT, OWN, own_event
from kilonova.health.store import Event, EventStore, Fact, append_txn, facts_about_txn, facts_of_kinds_txn
from kilonova.kernel.errors import Conflict, NotFound
from kilonova.runtime.runtime import Runtime

Deeds = dict[str, list[Deed]]
"""What was done to each bug, by key."""

_DEED = msgspec.json.Decoder(Deed)


class NoBug(NotFound):
    """There is no bug {key}{hint}."""

    code = "no-bug"


class Unchanged(Conflict):
    """{key} is as it was asked to be already."""

    code = "unchanged"


class Desk:
    """The bugs in one event store."""

    def __init__(self, store: EventStore, runtime: Runtime) -> None:
        """Bugs are read from `store`; what is done is done at the runtime's time."""
        self._store = store
        self._runtime = runtime

    async def deeds(self, at: float) -> Deeds:
        """What was done to every bug up to the moment `at`."""
        return await self._store.database.scan(_deeds_txn, at)

    async def bugs(self, at: float) -> dict[str, Bug]:
        """Every bug as it stood at the moment `at`."""
        found = await self.deeds(at)
        return {key: bug for key, deeds in found.items() if (bug := fold(key, deeds, at)) is not None}

    async def bug(self, key: str, at: float) -> tuple[Bug, list[Clock]]:
        """One bug as it stood, and what was owed for it. Raises `NoBug`."""
        deeds = await self._store.database.read(_deeds_of_txn, key, at)
        bug = fold(key, deeds, at)
        if bug is None:
            raise NoBug(key=key, hint="")
        return bug, clocks(key, deeds, at)

    async def key_of(self, text: str) -> str:
        """The key of a bug that is named by it, or by its number where only one tracker has it. Raises `NoBug`."""
        if "/" in text:
            return text
        found = await self._store.database.read(_keys_ending_txn, text)
        if len(found) != 1:
            raise NoBug(key=text, hint=f": it may be {' or '.join(found)}" if found else "")
        return found[0]

    async def queue(self, at: float, triagers: Sequence[str] = (), rules: Iterable[rules_.Rule] = ()) -> list[Entry]:
        """The duty queue at the moment `at`, with what the rules point at."""
        deeds = await self.deeds(at)
        bugs = {key: bug for key, done in deeds.items() if (bug := fold(key, done, at)) is not None}
        untidy = {one.bug: one.reason for one in rules_.proposals(rules, bugs.values(), at)}
        owed = {key: (bug, clocks(key, deeds[key], at) if bug.open else []) for key, bug in bugs.items()}
        return duty_queue(owed, at, untidy, triagers)

    async def measures(self, at: float, weeks: int = 26) -> Measures:
        """How the project did, as seen at the moment `at`."""
        return measures(await self.deeds(at), at, weeks)

    async def duplicates(self, title: str, text: str, at: float, *, but: str = "", limit: int = 10) -> list[Match]:
        """The bugs that a report may be about; never private ones, nor the bug `but` itself."""
        index = index_of((await self.bugs(at)).values())
        return index.find(title, text, limit, may_see=lambda key: key != but)

    async def open(self, title: str, text: str, by: str, *, security: bool = False, private: bool = False) -> str:
        """Open a bug here; its key."""
        at = self._runtime.now()
        deeds = [Deed(at, What.OPENED, by=by), Deed(at, What.TITLE, title, by), Deed(at, What.TEXT, text, by)]
        deeds += [Deed(at, What.SECURITY, "yes", by)] if security else []
        deeds += [Deed(at, What.PRIVATE, "yes", by)] if security or private else []
        number = 1 + await self._store.database.read(_last_own_txn)
        key = f"{OWN}/{number}"
        while not await self._once(own_event(key, deeds[0], f"{key} opened")):  # somebody else took it
            number += 1
            key = f"{OWN}/{number}"
        await self._do(key, deeds[1:])
        return key

    async def act(self, key: str, deeds: Sequence[Deed]) -> Bug:
        """Do something to a bug; the bug afterwards. Raises `NoBug`, and `Unchanged` where it makes no difference."""
        before, _ = await self.bug(key, self._runtime.now())
        wanted = [deed for deed in deeds if not _is_so(before, deed)]
        if not wanted:
            raise Unchanged(key=key)
        await self._do(key, wanted)
        after, _ = await self.bug(key, self._runtime.now())
        return after

    async def tidy(self, rules: Iterable[rules_.Rule], at: float, *, carry_out: bool) -> list[rules_.Proposal]:
        """What the rules propose at the moment `at`; done where they are to be carried out."""
        bugs = await self.bugs(at)
        found = rules_.proposals(rules, bugs.values(), at)
        if carry_out:
            for proposal in found:
                await self._do(proposal.bug, rules_.deeds(proposal, bugs[proposal.bug].tags, at))
        return found

    async def outgoing(self, tracker: str, at: float) -> list[Outgoing]:
        """What was done here to a tracker's bugs and is to be carried there."""
        found = await self.deeds(at)
        return [one for key in sorted(found) if key.startswith(f"{tracker}/") for one in outgoing(key, found[key])]

    async def carried(self, one: Outgoing, by: str) -> None:
        """Note that the tracker knows of it now, so that it isn't sent again."""
        await self._do(one.bug, [Deed(self._runtime.now(), one.what, one.value, by, member=True)])

    async def hit(self, key: str, job: str, hours: float, at: float, identity: str) -> Bug:
        """Note that a job of CI has failed for a bug, and what that cost; the bug afterwards. Raises `NoBug`.

        Args:
            key: of the bug.
            job: its name.
            hours: of CI that were lost.
            at: when.
            identity: of the run; to note it again changes nothing.
        """
        await self.bug(key, self._runtime.now())
        deed = Deed(at, What.HIT, job, hours=hours)
        await self._once(own_event(key, deed, f"{key} {identity}"))
        after, _ = await self.bug(key, self._runtime.now())
        return after

    async def _once(self, event: Event) -> bool:
        """Keep an event and what it says, unless one of its identity is known; whether it was kept."""
        return await self._store.database.write(_once_txn, event, list(self._store.derived(event)))

    async def _do(self, key: str, deeds: Sequence[Deed]) -> None:
        await self._store.append([own_event(key, deed, self._runtime.uuid()) for deed in deeds])


def index_of(bugs: Iterable[Bug]) -> Index:
    """An index over the bugs that everybody may see."""
    index = Index()
    for bug in bugs:
        if not bug.private and bug.title:
            index.add(bug.key, bug.title, bug.text)
    index.settle()
    return index


def _is_so(bug: Bug, deed: Deed) -> bool:
    """Whether a deed would change nothing."""
    now: dict[What, object] = {
        What.STATUS: bug.status,
        What.IMPORTANCE: bug.importance,
        What.ASSIGNEE: bug.assignee,
        What.DUPLICATE: bug.duplicate_of,
        What.TAGS: " ".join(sorted(bug.tags)),
    }
    return now.get(deed.what) == (Status(deed.value) if deed.what is What.STATUS else deed.value)


def _once_txn(tx: Transaction, event: Event, facts: Sequence[Fact]) -> bool:
    c = tables.events.c
    if tx.execute(select(c.seq).where(c.source == event.source, c.key == event.key)).first() is not None:
        return False
    append_txn(tx, [event], [facts], None, {})
    return True


def _deeds_txn(tx: Transaction, at: float) -> Deeds:
    found: defaultdict[str, list[Deed]] = defaultdict(list)
    for fact in facts_of_kinds_txn(tx, [FACT], 0.0, at):
        found[fact.subject].append(_DEED.decode(fact.body))
    return dict(found)


def _deeds_of_txn(tx: Transaction, key: str, at: float) -> list[Deed]:
    return [_DEED.decode(fact.body) for fact in facts_about_txn(tx, key, at) if fact.kind == FACT]


def _keys_ending_txn(tx: Transaction, number: str) -> list[str]:
    c = tables.facts.c
    asked = select(c.subject).distinct().where(c.kind == FACT, c.subject.endswith(f"/{number}", autoescape=True))
    return sorted(tx.execute(asked.order_by(c.subject)).scalars())


def _last_own_txn(tx: Transaction) -> int:
    opened = (fact.subject for fact in facts_of_kinds_txn(tx, [FACT], 0.0, float("inf")))
    return max((int(key.partition("/")[2]) for key in opened if key.startswith(f"{OWN}/")), default=0)
