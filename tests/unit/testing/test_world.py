"""The simulated cloud in the hands of a test."""

import random
import threading
import uuid

import pytest

from kilonova.kernel.errors import Conflict
from kilonova.simulation.faults import Rates
from kilonova.simulation.mutants.table import MUTANTS
from kilonova.simulation.world import World
from kilonova.testing.thread_cloud import ThreadCloud
from kilonova.testing.world import SimulatedCloud, Violated
from kilonova.testing.worlds import Worlds


def test_server__lives__through_its_states(kilonova_world: SimulatedCloud) -> None:
    server_id = kilonova_world.boot()
    assert kilonova_world.status(server_id) == "BUILD"
    kilonova_world.wait_until_active(server_id)
    with pytest.raises(Conflict):
        kilonova_world.act(server_id, "start")
    kilonova_world.act(server_id, "stop")
    kilonova_world.wait_until(server_id, "SHUTOFF")
    kilonova_world.delete(server_id)
    kilonova_world.wait_until_gone(server_id)
    assert kilonova_world.server(server_id) is None


def test_faults__every_kind_ordered__the_cloud_comes_to_rest(kilonova_world: SimulatedCloud) -> None:
    server_id = kilonova_world.boot()
    kilonova_world.fail_next("hypervisor_fails_halfway")
    kilonova_world.kill_at_step("cell1-conductor-1", 5)
    kilonova_world.wait_until_active(server_id)
    kilonova_world.freeze("cell1-agent-1", for_s=20)
    kilonova_world.cut_off("cell1-gateway", for_s=3)
    kilonova_world.database_down("cell1", for_s=2)
    kilonova_world.dark("cell1-agent-2", for_s=30)
    kilonova_world.kill("api")
    kilonova_world.advance(5)
    kilonova_world.storm(for_s=10)
    assert kilonova_world.faults >= 7
    kilonova_world.finish()


def test_fail_next__once__is_tried_again(kilonova_world: SimulatedCloud) -> None:
    kilonova_world.fail_next("hypervisor_fails")
    kilonova_world.wait_until_active(kilonova_world.boot())
    assert kilonova_world.faults == 1
    with pytest.raises(AttributeError):
        kilonova_world.fail_next("no_such_fault")


def test_wait__server_goes_to_error__says_why_at_once(kilonova_world: SimulatedCloud) -> None:
    kilonova_world.fail_next("service_refuses")
    server_id, at = kilonova_world.boot(), kilonova_world.time_s
    with pytest.raises(Violated, match=r"it is ERROR .*No address is left"):
        kilonova_world.wait_until_active(server_id)
    assert kilonova_world.time_s - at < 10


def test_crash_guest__server_runs__its_state_follows(kilonova_world: SimulatedCloud) -> None:
    server_id = kilonova_world.boot()
    kilonova_world.wait_until_active(server_id)
    kilonova_world.crash_guest(server_id)
    kilonova_world.wait_until(server_id, "SHUTOFF")


def test_time__passes_only_when_told(kilonova_world: SimulatedCloud) -> None:
    at = kilonova_world.time_s
    server_id = kilonova_world.boot()
    kilonova_world.step(50)
    kilonova_world.advance_until(lambda: kilonova_world.status(server_id) == "ACTIVE", what="the server")
    kilonova_world.advance(100)
    assert 100 < kilonova_world.time_s - at < 130


def test_wait__in_vain__says_how_the_server_is_and_the_seed(kilonova_world: SimulatedCloud) -> None:
    server_id = kilonova_world.boot()
    kilonova_world.wait_until_active(server_id)
    with pytest.raises(Violated, match=r"it is ACTIVE (?s:.)*seed 1,"):
        kilonova_world.wait_until(server_id, "SHUTOFF", within_s=1)
    with pytest.raises(Violated, match="in vain for the moon"):
        kilonova_world.advance_until(lambda: False, within_s=1, what="the moon")


def played(seed: int) -> str:
    world = SimulatedCloud(seed, rates=Rates())
    try:
        world.storm(for_s=10)
        world.finish()
        return world.trace_hash()
    finally:
        world.close()


def test_seed__played_twice__same_trace() -> None:
    assert played(5) == played(5) != played(6)


def test_invariant__cloud_is_broken__finish_says_what_and_the_seed() -> None:
    with MUTANTS["nothing-released"].at_large():
        world = SimulatedCloud(3)
        server_id = world.boot()
        world.wait_until_active(server_id)
        world.delete(server_id)
        with pytest.raises(Violated, match=r"(is no living server|nobody owned)(?s:.)*seed 3,"):
            world.finish()
        world.close()
    assert "VIOLATION" in "".join(world.timeline)


def test_worlds__test_has_failed__are_not_judged() -> None:
    worlds = Worlds(3)
    world = worlds(cells=2, agents=1)
    assert "cell2-agent-1" in world.roles
    worlds.failed = True
    worlds.end()
    assert not any("heal" in line for line in world.timeline)


def test_world__beside_a_cloud_in_a_thread__neither_disturbs_the_other(
    kilonova_world: SimulatedCloud, kilonova_cloud: ThreadCloud
) -> None:
    answers: list[object] = []

    def ask() -> None:
        answers.append(kilonova_cloud.furnish()["imageRef"])

    asking = threading.Thread(target=ask)
    asking.start()
    for _ in range(20):
        kilonova_world.advance(5)
    asking.join()
    assert answers
    assert uuid.uuid4() != uuid.uuid4()
    assert 0 <= random.random() < 1


class _Reaches(World):
    """Its storms ask the machine for chance."""

    def kill(self, pick: float, down_s: float) -> None:
        random.random()


def test_world__code_reaches_for_the_machine__is_refused() -> None:
    world = SimulatedCloud(3, world=_Reaches)
    with pytest.raises(BaseException, match=r"test_world\.py"):
        world.storm(for_s=60, every_s=0.5)
    world.close()
