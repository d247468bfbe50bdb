"""The stage of cases: what a story says and doesn't say becomes a violation, and what it breaks is broken and mended."""

from collections.abc import Callable, Coroutine
from typing import Any

from kilonova.objects.guest import PowerState
from kilonova.objects.server import VmState
from kilonova.simulation.cases.case import Case
from kilonova.simulation.cases.stage import Stage
from kilonova.simulation.run import Result, run

Play = Callable[[Stage], Coroutine[Any, Any, None]]


def played(story: Play, *, seed: int = 1, without: tuple[str, ...] = ()) -> Result:
    case = Case(id="Z1", title="a story", bugs=(), given="this", when="that", then="so", play=story)
    return run(seed, case, without=without)


def told(result: Result) -> list[str]:
    return [violation.partition(" s: ")[2] for violation in result.violations]


def test_story__expects_what_holds__nothing_is_violated_and_it_is_met_once() -> None:
    async def story(stage: Stage) -> None:
        server = await stage.made()
        stage.met()
        stage.met()
        stage.expect_state(server, VmState.ACTIVE)

    result = played(story)
    assert (result.violations, result.sometimes["Z1"]) == ((), 1)


def test_story__expects_what_does_not_hold__is_violated_in_its_words() -> None:
    async def story(stage: Stage) -> None:
        stage.expect(False, "the moon is gone")

    assert told(played(story)) == ["Z1: the moon is gone"]


def test_story__expects_nothing__is_violated() -> None:
    async def story(stage: Stage) -> None:
        await stage.sometime(1.0)

    assert told(played(story)) == ["Z1 expected nothing"]


def test_story__waits_in_vain__says_for_what() -> None:
    async def story(stage: Stage) -> None:
        stage.expect(True, "")
        await stage.until(lambda: False, "pigs fly", within_s=5.0)

    assert told(played(story)) == ["Z1 ended with TimeoutError('waited 5 s in vain until pigs fly')"]


def test_story__leaves_something_behind__the_invariants_see_it() -> None:
    async def story(stage: Stage) -> None:
        server = await stage.made()
        stage.world.durable.networks.remove(stage.truths.ports(server.server_id)[0].id)
        stage.expect(True, "")

    assert any("shows the ports" in violation for violation in told(played(story)))


def test_refusal__halfway__leaves_half_a_guest_and_another_host_makes_it() -> None:
    async def story(stage: Stage) -> None:
        (host, *_), *_ = stage.world.hosts_of.values()
        stage.breaking.refuse("guest_ensure", host, times=2, halfway=True)
        server = await stage.boot()
        await stage.until(lambda: host in stage.truths.guests(server.server_id), "there is half a guest")
        await stage.until_state(server, VmState.ACTIVE)
        stage.expect(host not in stage.truths.guests(server.server_id), "the guest is on the host that refused")

    assert told(played(story)) == []


def test_fault__that_lasts__is_over_when_things_have_settled() -> None:
    async def story(stage: Stage) -> None:
        server = await stage.made()
        stage.breaking.dark(stage.agent_of(server.server_id), for_s=30.0)
        stage.breaking.bus_down(for_s=20.0)
        began = stage.loop.time()
        await stage.settled()
        stage.expect(stage.loop.time() - began >= 30.0, "the power came back early")
        stage.expect_state(server, VmState.STOPPED)
        stage.expect(
            stage.truths.guests(server.server_id) == {_host(stage): PowerState.SHUTDOWN}, "the guest is not off"
        )

    def _host(stage: Stage) -> Any:
        return stage.world.hosts_of["cell1-agent-1"][0]

    result = played(story)
    assert (told(result), result.fault_counts) == ([], {"host_dark": 1, "bus_down": 1})


def test_fault__left_out__does_not_strike() -> None:
    async def story(stage: Stage) -> None:
        server = await stage.made()
        stage.breaking.dark(stage.agent_of(server.server_id), for_s=30.0)
        await stage.settled()
        stage.expect_state(server, VmState.ACTIVE)

    assert told(played(story)) != []
    assert told(played(story, without=("host_dark#1",))) == []
