"""Where the parts meet: every object of a cloud is made here, in the order in which they need each other."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

import msgspec
from starlette.types import ASGIApp

from kilonova.api.compute import Compute
from kilonova.api.service import ComputeService
from kilonova.app import hypervisor, roles
from kilonova.app.config import Config
from kilonova.app.foundation import Foundation
from kilonova.app.hypervisor import Shape
from kilonova.app.local_api import local_api
from kilonova.app.metadata import metadata_service
from kilonova.app.metrics import Metrics
from kilonova.app.notifications import publish
from kilonova.app.paths import METADATA, METRICS, OWN
from kilonova.app.policy import compute_policy
from kilonova.app.root import mounted
from kilonova.app.services import Services, placement_service
from kilonova.app.state import State
from kilonova.bus.local import LocalBus
from kilonova.clients.identity import Identity
from kilonova.clients.image import Images
from kilonova.clients.network import Networks
from kilonova.clients.volume import Volumes
from kilonova.drivers.driver import Driver
from kilonova.operations.host_questions import HostQuestions
from kilonova.operations.measures import Measures
from kilonova.operations.quota import Quota
from kilonova.operations.servers import Servers
from kilonova.operations.timers import Timer, reclaim, resize_confirmation, shelved_offload
from kilonova.operations.work import Parts
from kilonova.placement import tables as placement_tables
from kilonova.placement.placement import Placement
from kilonova.runtime.runtime import Runtime


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """A cloud that runs, but for the socket."""

    app: ASGIApp
    url: str
    """Where clients find it, without a slash at its end."""
    driver: str
    hypervisor: Driver | None
    """None where each host is a process of its own."""
    compute: Compute
    work: Parts
    notices: tuple[str, ...]
    """What the person who starts it should know, a sentence each."""
    close: Callable[[], Awaitable[None]]
    """Stop all roles and let go of everything; what is under way goes on at the next start."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What every role stands on: the services around Compute, and the databases."""

    services: Services
    identity: Identity
    images: Images
    networks: Networks
    work: Parts


async def ground(foundation: Foundation, shape: Shape, volumes: Volumes | None = None, *, alone: bool = True) -> Ground:
    """Open services and databases. `alone` says that no other process works on them. Raises `KilonovaError`."""
    services = Services(foundation)
    identity = await services.identity()
    images = await services.images(identity)
    networks = await services.networks(identity)
    placement = Placement(await foundation.database_with("placement", placement_tables.metadata))
    volumes = volumes or await services.volumes()
    work = await roles.parts_of(foundation, shape, networks, images, placement, volumes, alone=alone)
    return Ground(services=services, identity=identity, images=images, networks=networks, work=work)


def compute_of(foundation: Foundation, ground_: Ground, questions: HostQuestions) -> Compute:
    """What the Compute API works with."""
    config, work = foundation.config, ground_.work
    quota = Quota(work.database, msgspec.structs.asdict(config.quota))
    return Compute(
        runtime=foundation.runtime,
        database=work.database,
        servers=Servers(work, quota, questions),
        hosts=work.hosts,
        placement=work.placement,
        quota=quota,
        identity=ground_.identity,
        images=ground_.images,
        networks=ground_.networks,
        volumes=work.volumes,
        image_api=ground_.services.api("image"),
        network_api=ground_.services.api("network"),
        volume_api=ground_.services.api("volume"),
        policy=compute_policy(foundation),
        aliases=work.scheduler.aliases,
        page_max=config.api.max_limit,
        deletes_at_once=config.compute.reclaim_window_s == 0,
        offload_at_once=config.compute.shelved_offload_s == 0,
        resize_to_same_host=config.compute.allow_resize_to_same_host,
        link_prefix=config.api.link_prefix,
        identity_url=config.identity.url or f"{foundation.url}/identity/v3",
    )


def app_of(
    foundation: Foundation, ground_: Ground, compute: Compute, health: Mapping[str, ASGIApp] | None = None
) -> ASGIApp:
    """All that answers over HTTP, under one address; `health` are the pages of project health, by prefix."""
    config, runtime, work = foundation.config, foundation.runtime, ground_.work
    placement = placement_service(config, work.placement.database, ground_.identity, runtime, work.placement.fleet)
    answering: dict[str, ASGIApp] = {
        **ground_.services.answering,
        "placement": placement,
        "compute": ComputeService(compute, ground_.identity),
    }
    token = foundation.state.secret("metrics-token", runtime)
    unlisted: dict[str, ASGIApp] = {
        METADATA: metadata_service(foundation, compute.servers),
        OWN: local_api(compute.servers, work, ground_.identity, runtime),
        METRICS: Metrics(Measures(work), token),
        **(health or {}),
    }
    return mounted(foundation.url, answering, unlisted)


async def build(
    config: Config, state: State, runtime: Runtime, listening_url: str, volumes: Volumes | None = None
) -> Cloud:
    """Make a cloud on a state directory.

    Args:
        config: all of it.
        state: the open state directory; the cloud's databases and guests are in it.
        runtime: clock, ids, tasks and threads.
        listening_url: the address that is listened on; links begin with it unless `[api] link_prefix` is set.
        volumes: the block storage service, in place of the one that is configured.

    Raises:
        KilonovaError: what keeps the cloud from starting, in one sentence.
    """
    url = (config.api.link_prefix or listening_url).rstrip("/")
    async with AsyncExitStack() as parts:
        bus = LocalBus(silent=not config.bus.hints)
        foundation = Foundation(config=config, state=state, runtime=runtime, bus=bus, url=url, parts=parts)
        shape = hypervisor.shape(config.up, state)
        stands_on = await ground(foundation, shape, volumes)
        hosts = await roles.start(foundation, stands_on.work, shape, stands_on.images, timers(config))
        publish(foundation, stands_on.work)
        compute = compute_of(foundation, stands_on, hosts.questions)
        state.remember(driver=shape.driver, hosts=shape.hosts, cells=shape.cells)
        return Cloud(
            app=app_of(foundation, stands_on, compute, await _health(foundation)),
            url=url,
            driver=shape.driver,
            hypervisor=hosts.driver,
            compute=compute,
            work=stands_on.work,
            notices=(*shape.notices, *hosts.notices),
            close=parts.pop_all().aclose,
        )
    raise AssertionError("an exit stack of closers swallows no errors")


async def _health(foundation: Foundation) -> Mapping[str, ASGIApp]:
    """The pages of project health, by prefix, where they are shown to everybody."""
    if not foundation.config.health.public_read:
        return {}
    from kilonova.app.health import health_beside  # noqa: PLC0415 - few clouds show them

    return await health_beside(foundation)


def timers(config: Config) -> list[Timer]:
    """What begins by itself."""
    window_s, on_host_s = config.compute.resize_confirm_window_s, config.compute.shelved_offload_s
    chosen = [resize_confirmation(window_s)] if window_s else []
    if on_host_s >= 0:
        chosen.append(shelved_offload(on_host_s))
    if config.compute.reclaim_window_s:
        chosen.append(reclaim(config.compute.reclaim_window_s))
    return chosen
