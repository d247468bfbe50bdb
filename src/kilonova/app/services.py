"""The services around Compute: identity, images, networks, volumes. Each is built in, or a client of a real one."""

from pathlib import Path

from starlette.types import ASGIApp

from kilonova.app import clouds_yaml
from kilonova.app.config import HEADERS, Config
from kilonova.app.config import Identity as IdentityConfig
from kilonova.app.foundation import Foundation
from kilonova.app.paths import ENDPOINTS
from kilonova.clients.identity import Identity
from kilonova.clients.image import Images
from kilonova.clients.network import Networks
from kilonova.clients.service_api import InProcessApi, NoService, ServiceApi, SessionApi
from kilonova.clients.session import Credentials, ServiceSession
from kilonova.clients.volume import NoBlockStorage, NoVolumes, Volumes
from kilonova.database.database import Database
from kilonova.kernel.errors import Invalid
from kilonova.placement.api.service import PlacementService
from kilonova.placement.search.loader import LiveFleet
from kilonova.runtime.runtime import Runtime
from kilonova.web.believed import BelievedTokens, Believing
from kilonova.web.policy_file import policy_read
from kilonova.web.service import Tokens

CATALOG = "catalog"
"""In place of a URL: the endpoint in Keystone's catalog."""
NAMES = {"identity": "keystone", "compute": "nova", "placement": "placement", "image": "glance", "network": "neutron"}
"""What OpenStack's catalogs call the services, by their types."""


class NeedsKeystone(Invalid):
    """[{service}] url is set, and [identity] url is not: other services believe Keystone's tokens only."""

    code = "bad-config"


class NeedsPassword(Invalid):
    """[identity] url is set without a password: set password_file, or KILONOVA_IDENTITY_PASSWORD."""

    code = "bad-config"


class Services:
    """Makes each service on first demand, in the order that `wiring.build` asks."""

    def __init__(self, foundation: Foundation) -> None:
        """Raises `NeedsKeystone` or `NeedsPassword` for a configuration that can't work."""
        self._foundation = foundation
        self.answering: dict[str, ASGIApp] = {}
        """The built-in services by type, to be mounted."""
        self._session = _session(foundation)

    async def identity(self) -> Identity:
        """Who may do what."""
        foundation, config = self._foundation, self._foundation.config.identity
        if self._session is not None:
            from kilonova.clients.keystone import KeystoneIdentity  # noqa: PLC0415 - not in every cloud

            return KeystoneIdentity(self._session, foundation.runtime)
        from kilonova.standalone.identity import tables  # noqa: PLC0415 - not in every cloud
        from kilonova.standalone.identity.context import CatalogEntry  # noqa: PLC0415
        from kilonova.standalone.identity.passwords import HashCost  # noqa: PLC0415
        from kilonova.standalone.identity.service import open_identity  # noqa: PLC0415

        built_in = await open_identity(
            await foundation.database_with("identity", tables.metadata),
            foundation.runtime,
            url=f"{foundation.url}/identity",
            catalog=[CatalogEntry(kind, NAMES[kind], foundation.url + path) for kind, path in ENDPOINTS.items()],
            passwords=clouds_yaml.passwords(foundation.state, foundation.runtime),
            region=config.region,
            token_life_s=config.token_lifetime_s,
            hash_cost=HashCost(time_cost=config.hash_time_cost, memory_kib=config.hash_memory_kib),
        )
        self.answering["identity"] = built_in.service
        return built_in

    async def images(self, identity: Identity) -> Images:
        """What servers boot from."""
        foundation = self._foundation
        if foundation.config.image.url is not None:
            assert self._session is not None
            from kilonova.clients.glance import GlanceImages  # noqa: PLC0415 - not in every cloud

            return GlanceImages(self._session)
        from kilonova.standalone.image import tables  # noqa: PLC0415 - not in every cloud
        from kilonova.standalone.image.service import open_images  # noqa: PLC0415

        built_in = await open_images(
            await foundation.database_with("image", tables.metadata),
            foundation.runtime,
            identity,
            url=f"{foundation.url}/image",
            directory=foundation.state.folder("images"),
            size_max=foundation.config.image.max_size_gb << 30,
        )
        self.answering["image"] = built_in.service
        return built_in

    async def networks(self, identity: Identity) -> Networks:
        """What servers are connected by."""
        foundation = self._foundation
        if foundation.config.network.url is not None:
            assert self._session is not None
            from kilonova.clients.neutron import NeutronNetworks  # noqa: PLC0415 - not in every cloud

            return NeutronNetworks(self._session)
        from kilonova.standalone.network import tables  # noqa: PLC0415 - not in every cloud
        from kilonova.standalone.network.service import StandaloneNetworks  # noqa: PLC0415

        database = await foundation.database_with("network", tables.metadata)
        built_in = StandaloneNetworks(database, foundation.runtime, identity)
        self.answering["network"] = built_in.service
        return built_in

    async def volumes(self) -> Volumes:
        """What servers may be given beside their own disks. None of them is built in."""
        if self._foundation.config.volume.url is None:
            return NoVolumes()
        assert self._session is not None
        from kilonova.clients.cinder import CinderVolumes  # noqa: PLC0415 - not in every cloud

        return CinderVolumes(self._session)

    def api(self, kind: str) -> ServiceApi:
        """The API of the `image`, `network` or `volume` service, once that is made."""
        if kind in self.answering:
            return InProcessApi(self.answering[kind], kind)
        if self._session is None or (kind == "volume" and self._foundation.config.volume.url is None):
            return NoService(NoBlockStorage)
        return SessionApi(self._session, "block-storage" if kind == "volume" else kind)


def placement_service(
    config: Config, database: Database, tokens: Tokens, runtime: Runtime, fleet: LiveFleet | None = None
) -> ASGIApp:
    """The Placement API, whose callers are known by `tokens` unless `[identity] auth` says otherwise."""
    file = config.placement.policy_file
    rules = {} if file is None else policy_read(Path(file).expanduser())
    if config.identity.auth == HEADERS:
        return Believing(PlacementService(database, BelievedTokens(), runtime, rules, fleet))
    return PlacementService(database, tokens, runtime, rules, fleet)


def _session(foundation: Foundation) -> ServiceSession | None:
    """The way to other services; None when all are built in."""
    config = foundation.config
    if config.identity.url is None:
        for service in ("image", "network", "volume"):
            if getattr(config, service).url is not None:
                raise NeedsKeystone(service=service)
        return None
    session = ServiceSession(_credentials(config.identity), foundation.runtime, _endpoints(config))
    foundation.parts.push_async_callback(session.close)
    return session


def _credentials(config: IdentityConfig) -> Credentials:
    if config.url is None or config.password is None:
        raise NeedsPassword
    return Credentials(
        auth_url=config.url,
        username=config.username,
        password=config.password,
        user_domain_name=config.user_domain_name,
        project_name=config.project_name,
        project_domain_name=config.project_domain_name,
        region=config.region,
        interface=config.interface,
        ca_file=config.ca_file,
    )


def _endpoints(config: Config) -> dict[str, str]:
    """Endpoints that are configured rather than looked up."""
    given = {"image": config.image.url, "network": config.network.url, "block-storage": config.volume.url}
    return {kind: url for kind, url in given.items() if url is not None and url != CATALOG}
