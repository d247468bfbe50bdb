"""The desk on a store: states are decided once for each day, the journal tells what was tampered with, waivers have an end."""

import sqlite3
from pathlib import Path

import pytest

from kilonova.health.ci.archive import Archive
from kilonova.health.ci.backtest import backtest
from kilonova.health.ci.desk import BadWaiver, Desk
from kilonova.health.ci.facts import Waived
from kilonova.health.ci.importing import reader
from kilonova.health.ci.journal import Overtaken, broken_txn, entries_txn, transitions_append_txn
from kilonova.health.ci.metrics import DAY_S
from kilonova.health.ci.policy import policy_read
from kilonova.health.ci.voting import Standing, State, Thresholds, Transition
from kilonova.health.importing import Importer
from unit.health.ci.archives import with_archive
from unit.health.ci.documents import HOST, HOUR, REAL, REGISTRY, T0, ci_comment, stream
from unit.health.ci.test_gate import POLICY

LIMITS = Thresholds()
REAL_CHANGES = REAL / "gerrit-nova-changes.jsonl.gz"
ALL_PATHS = REGISTRY.replace('paths: ["driver/acme/**"], ', "")
"""The stream tells no files, so here the system covers them all."""


def events(days: int, per_day: int = 4) -> bytes:
    """Changes that are answered in an hour and merged in two."""
    lines = []
    for number in range(1, days * per_day + 1):
        at = T0 + number * DAY_S / per_day
        lines += [
            stream("patchset-created", number, 1, at, at),
            ci_comment(number, "SUCCESS", at + HOUR, created=at),
            stream("change-merged", number, 1, at + 2 * HOUR, at),
        ]
    return b"".join(lines)


async def furnish(archive: Archive, path: Path, days: int) -> Desk:
    file = path / "events.jsonl"
    file.write_bytes(events(days))
    await archive.registry_set(ALL_PATHS, T0)
    await Importer(archive.store, reader("gerrit-events", None)).file(file)
    return Desk(archive)


def test_decide__day_by_day_or_at_once__the_same_transitions(tmp_path: Path) -> None:
    async def work(archive: Archive, path: Path, moments: list[float]):
        desk = await furnish(archive, path, 40)
        for at in moments:
            await desk.decide(at, LIMITS)
        return [one.transition for one in await archive.database.read(entries_txn, "acme")]

    found = []
    for name, moments in (("once", [40]), ("daily", range(34, 41)), ("odd", [3.5, 17.2, 17.3, 40])):
        (tmp_path / name).mkdir()
        at = [T0 + day * DAY_S for day in moments]
        found.append(
            with_archive(tmp_path / name, lambda archive, name=name, at=at: work(archive, tmp_path / name, at))
        )
    assert [(one.new, round((one.at - T0) / DAY_S)) for one in found[0]][:2] == [
        (State.TRIAL, -1),
        (State.NONVOTING, 5),
    ]
    assert found[0][-1].new is State.VOTING
    assert found[0] == found[1] == found[2]


def test_journal__tampered_with__tells_where(tmp_path: Path) -> None:
    async def prepare(archive: Archive):
        desk = await furnish(archive, tmp_path, 8)
        await desk.decide(T0 + 8 * DAY_S, LIMITS)
        await desk.lower("acme", State.SUSPENDED, T0 + 9 * DAY_S, "lead", "it lies")
        return await archive.database.read(broken_txn), (await archive.database.read(entries_txn))[-1].transition

    broken, last = with_archive(tmp_path, prepare)
    assert broken is None
    assert (last.new, last.actor, last.rule) == (State.SUSPENDED, "lead", "person")
    with sqlite3.connect(tmp_path / "health.sqlite") as database:
        database.execute(
            "UPDATE transitions SET body = CAST(replace(CAST(body AS TEXT), 'acme', 'acmo') AS BLOB) WHERE seq = 2"
        )
    found = with_archive(tmp_path, lambda archive: archive.database.read(broken_txn))
    assert found is not None
    assert found.seq == 2


def test_journal__line_taken_out__tells_where(tmp_path: Path) -> None:
    async def prepare(archive: Archive):
        await (await furnish(archive, tmp_path, 8)).decide(T0 + 8 * DAY_S, LIMITS)

    with_archive(tmp_path, prepare)
    with sqlite3.connect(tmp_path / "health.sqlite") as database:
        database.execute("DELETE FROM transitions WHERE seq = 1")
    assert with_archive(tmp_path, lambda archive: archive.database.read(broken_txn)).seq == 2


def test_journal__two_decide_at_once__the_second_is_refused(tmp_path: Path) -> None:
    async def work(archive: Archive):
        desk = await furnish(archive, tmp_path, 3)
        await desk.decide(T0 + 3 * DAY_S, LIMITS)
        stale = Standing("acme", State.PROPOSED, 0.0)
        move = Transition("acme", State.PROPOSED, State.RETIRED, T0, "person", "lead", "why")
        with pytest.raises(Overtaken):
            await archive.database.write(transitions_append_txn, [stale], [move])

    with_archive(tmp_path, work)


@pytest.mark.parametrize(
    ("until", "reason", "by"),
    [(T0, "why", "lead"), (T0 + 31 * DAY_S, "why", "lead"), (T0 + HOUR, " ", "lead"), (T0 + HOUR, "why", "")],
)
def test_waive__without_end_reason_or_name__is_refused(tmp_path: Path, until: float, reason: str, by: str) -> None:
    async def work(archive: Archive):
        await archive.registry_set(REGISTRY, T0 - 1)
        with pytest.raises(BadWaiver):
            await Desk(archive).waive(Waived("1", "acme", reason, by, until), T0)

    with_archive(tmp_path, work)


def test_waive__and_end__hold_from_then_to_then(tmp_path: Path) -> None:
    async def work(archive: Archive):
        await archive.registry_set(REGISTRY, T0 - 1)
        await Desk(archive).waive(Waived("1", "acme", "lab moved", "lead", T0 + DAY_S), T0)
        await Desk(archive).waiver_end("1", "lead", T0 + HOUR)
        (before,), (after,) = await archive.waivers(T0 + 60), await archive.waivers(T0 + 2 * HOUR)
        return before.holds(T0 + 60), after.holds(T0 + 2 * HOUR)

    assert with_archive(tmp_path, work) == (True, False)


def test_status__at_a_moment__goes_by_the_registry_of_that_moment(tmp_path: Path) -> None:
    async def work(archive: Archive):
        desk = await furnish(archive, tmp_path, 2)
        await archive.registry_set("version: 1\nsystems: []", T0 + 2 * DAY_S)
        return [[row.scored.system.name for row in await desk.status(T0 + day * DAY_S, LIMITS)] for day in (1, 3)]

    assert with_archive(tmp_path, work) == [["acme", "gate"], []]


@pytest.mark.skipif(not REAL_CHANGES.exists(), reason="Nova's changes are not here (HEALTH_DATA)")
def test_backtest__2830_real_changes__681_need_the_ci_of_a_driver(tmp_path: Path) -> None:
    names = ("libvirt", "xenapi", "vmwareapi", "hyperv", "ironic", "powervm")
    features = "".join(
        f'  virt.{name}: {{paths: ["nova/virt/{name}/**", "nova/tests/unit/virt/{name}/**"], ci: [{name}]}}\n'
        for name in names
    )
    policy = policy_read(f"version: 1\nfeatures:\n{features}require:\n  - when: {{feature: 'virt.*'}}\n")

    async def work(archive: Archive):
        await Importer(archive.store, reader("gerrit", "review.openstack.org")).file(REAL_CHANGES)
        registry = await archive.registry(0.0)
        return backtest(policy, await archive.changes(0.0, 2e9), registry, (), 0.0, 2e9)

    found = with_archive(tmp_path, work)
    assert (found.changes, found.needing, found.several) == (2830, 681, 47)
    assert found.features == {
        "virt.hyperv": 51,
        "virt.ironic": 54,
        "virt.libvirt": 491,
        "virt.powervm": 8,
        "virt.vmwareapi": 88,
        "virt.xenapi": 94,
    }


def test_backtest__policy_over_merges__what_it_would_have_stopped(tmp_path: Path) -> None:
    async def work(archive: Archive):
        await furnish(archive, tmp_path, 40)
        changes = await archive.changes(0.0, T0 + 60 * DAY_S)
        registry = await archive.registry(T0 + 60 * DAY_S)
        return backtest(policy_read(POLICY), changes, registry, (), T0, T0 + 41 * DAY_S)

    found = with_archive(tmp_path, work)
    assert found.merges == 160
    assert found.outcomes == {"unknown": 160}, "the stream told no files, so nothing is known"
    assert HOST in found.stopped[0].subject
