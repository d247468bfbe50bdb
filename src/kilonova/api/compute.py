"""What the resources of the Compute API work with: made once in `app/wiring.py`, given to each."""

from dataclasses import dataclass, field

from kilonova.cells.hosts import Hosts
from kilonova.clients.identity import Identity
from kilonova.clients.image import Images
from kilonova.clients.network import Networks
from kilonova.clients.service_api import NoService, ServiceApi
from kilonova.clients.volume import NoVolumes, Volumes
from kilonova.database.database import Database
from kilonova.operations.quota import Quota
from kilonova.operations.servers import Servers
from kilonova.placement.placement import Placement
from kilonova.runtime.runtime import Runtime
from kilonova.scheduler.pci import Aliases
from kilonova.web.policy import Policy


@dataclass(frozen=True, kw_only=True)
class Compute:
    """The parts behind the API."""

    runtime: Runtime
    database: Database
    """The API database."""
    servers: Servers
    hosts: Hosts
    placement: Placement
    quota: Quota
    identity: Identity
    images: Images
    networks: Networks
    policy: Policy
    volumes: Volumes = field(default_factory=NoVolumes)
    image_api: ServiceApi = field(default_factory=NoService)
    """What the oldest routes about images pass on to; so too with networks and volumes."""
    network_api: ServiceApi = field(default_factory=NoService)
    volume_api: ServiceApi = field(default_factory=NoService)
    aliases: Aliases = field(default_factory=dict)
    """What flavors call PCI devices (`[pci] alias`)."""
    default_zone: str = "nova"
    deletes_at_once: bool = True
    """Whether a deleted server is gone, rather than kept for a while (`[compute] reclaim_window_s` is 0)."""
    offload_at_once: bool = True
    """Whether a shelved server leaves its host as part of being shelved (`[compute] shelved_offload_s` is 0)."""
    resize_to_same_host: bool = True
    """Whether a server may be resized on its own host (`[compute] allow_resize_to_same_host`)."""
    page_max: int = 1000
    """Most items of one page (`[api] max_limit`)."""
    link_prefix: str | None = None
    """What stands in links before the service's own path, e.g. `https://cloud.example.org`; the request's own scheme and
    host when None."""
    identity_url: str | None = None
    """Where tokens are had; told to those who come without (`WWW-Authenticate`)."""
