"""The pytest plugin: fixtures and the report of a simulation that failed.

Everybody's pytest imports this where Kilonova is installed, so that it imports the rest when a fixture is first used.
"""

import re
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kilonova.testing.clouds import Clouds
    from kilonova.testing.thread_cloud import ThreadCloud
    from kilonova.testing.world import SimulatedCloud
    from kilonova.testing.worlds import Worlds

SEED = "kilonova_seed"
TIMELINE_LINES = 40
"""How much of a timeline a failure shows."""
_WORLDS = pytest.StashKey["Worlds"]()

pytest.register_assert_rewrite(
    *(
        f"kilonova.testing.{name}"
        for name in ("guests", "driver_contract", "orders_contract", "devices_contract", "moves_contract")
    )
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--kilonova-seeds`."""
    parser.getgroup("kilonova").addoption(
        "--kilonova-seeds",
        default="1",
        metavar="A..B",
        help="seeds that each test with kilonova_world runs under: a number, or a range such as 1..100",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks known."""
    config.addinivalue_line(
        "markers", "kilonova_cloud(hosts=1, cells=1, config={}): what the fixture kilonova_cloud is to be"
    )
    config.addinivalue_line(
        "markers", "kilonova_world(rates=None, **shape): what the fixture kilonova_world is to be, as `Shape` takes it"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests of the simulation once for each seed, unless they name their own."""
    own = any(SEED in str(mark.args[:1]) for mark in metafunc.definition.iter_markers("parametrize"))
    if SEED in metafunc.fixturenames and not own:
        seeds = _seeds(metafunc.config.getoption("--kilonova-seeds"))
        metafunc.parametrize(SEED, seeds, ids=lambda seed: f"seed{seed}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say how to replay a simulation that failed, and what happened in it."""
    report = yield
    worlds = item.stash.get(_WORLDS, None)
    if worlds is not None and report.failed:
        worlds.failed = True
        for world in worlds.made:
            report.sections.append((f"kilonova_world, seed {world.seed}", _story(item, world)))
    return report


@pytest.fixture(scope="session")
def kilonova_cloud_factory(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Clouds]":
    """Make clouds: `kilonova_cloud_factory(hosts=50, cells=2)` gives one that runs until its `close`, or the session's end.

    A fixture of any scope may use it, and so decide how long a cloud is shared: `with kilonova_cloud_factory(...) as cloud`.
    """
    from kilonova.testing.clouds import Clouds  # noqa: PLC0415 - see above

    clouds = Clouds(tmp_path_factory)
    yield clouds
    clouds.close()


@pytest.fixture
def kilonova_cloud(request: pytest.FixtureRequest, kilonova_cloud_factory: "Clouds") -> "Iterator[ThreadCloud]":
    """A cloud for this test alone: one host, unless the mark `kilonova_cloud(hosts=3, cells=2)` says otherwise."""
    with kilonova_cloud_factory(**_marked(request, "kilonova_cloud")) as cloud:
        yield cloud


@pytest.fixture(scope="session")
def kilonova_shared_cloud(kilonova_cloud_factory: "Clouds") -> "Iterator[ThreadCloud]":
    """A cloud of three hosts for all tests of the session, which leave nothing behind that disturbs the next."""
    with kilonova_cloud_factory(hosts=3) as cloud:
        yield cloud


@pytest.fixture
def kilonova_world_factory(request: pytest.FixtureRequest, kilonova_seed: int) -> "Iterator[Worlds]":
    """Make simulated clouds under the test's seed: `kilonova_world_factory(cells=2, rates=Rates(...))`.

    When the test has passed, each is brought to rest and judged (`finish`).
    """
    from kilonova.testing.worlds import Worlds  # noqa: PLC0415 - see above

    worlds = Worlds(kilonova_seed)
    request.node.stash[_WORLDS] = worlds
    yield worlds
    worlds.end()


@pytest.fixture
def kilonova_world(request: pytest.FixtureRequest, kilonova_world_factory: "Worlds") -> "SimulatedCloud":
    """A simulated cloud, in which nothing goes wrong that the test doesn't order, unless its mark says otherwise."""
    return kilonova_world_factory(**_marked(request, "kilonova_world"))


def _marked(request: pytest.FixtureRequest, name: str) -> dict[str, Any]:
    mark = request.node.get_closest_marker(name)
    return {} if mark is None else dict(mark.kwargs)


def _seeds(given: str) -> range:
    found = re.fullmatch(r"(\d+)(?:\.\.(\d+))?", given)
    if found is None or int(found[2] or found[1]) < int(found[1]):
        raise pytest.UsageError(f"--kilonova-seeds {given}: write a number, or a range such as 1..100")
    return range(int(found[1]), int(found[2] or found[1]) + 1)


def _story(item: pytest.Item, world: "SimulatedCloud") -> str:
    lines = world.timeline
    left_out = [f"... {len(lines) - TIMELINE_LINES} lines before"] if len(lines) > TIMELINE_LINES else []
    replay = f"Replay it with: pytest '{item.nodeid}' --kilonova-seeds {world.seed}"
    return "\n".join((replay, *left_out, *lines[-TIMELINE_LINES:]))
