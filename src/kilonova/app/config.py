"""The configuration: one TOML file, a table for each part, a typed value for each key.

Every key has its default and its meaning here, those of the scheduler in its `options.py`, and nowhere else;
`docs/operate/configuration.md` is made from them.
How values come in is in `config_sources.py`.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from kilonova.scheduler.options import SchedulerOptions

SECRET = "secret"
"""Marks keys whose values `kilonova config show` hides."""

HEADERS = "headers"
"""`[identity] auth` that takes callers at their word."""

HostCount = Annotated[int, Meta(ge=0, le=10_000)]
CellCount = Annotated[int, Meta(ge=1, le=100)]


def _text(description: str) -> Meta:
    return Meta(description=description)


def _count(description: str, least: int = 0, most: int | None = None) -> Meta:
    return Meta(description=description, ge=least, le=most)


class Up(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How `kilonova up` starts a cloud."""

    state: Annotated[str, _text("State directory.")] = "~/.local/share/kilonova"
    listen: Annotated[str, _text("Address and port to answer on; port 0 takes a free one.")] = "127.0.0.1:8774"
    driver: Annotated[
        Literal["auto", "qemu", "fake"],
        _text(
            "Hypervisor. `auto` keeps what the state directory was made with, and begins with QEMU where there is one."
        ),
    ] = "auto"
    hosts: Annotated[
        HostCount | None, _text("Hypervisor hosts, spread over the cells; as before, or 1, when not set.")
    ] = None
    shared_disks: Annotated[
        bool, _text("Several QEMU hosts see each other's disks, as on shared storage; else each has its own.")
    ] = False
    agents_apart: Annotated[
        bool, _text("Each fake host's agent is a process of its own, as it always is with several QEMU hosts.")
    ] = False
    cells: Annotated[CellCount | None, _text("Cells beside cell0; as before, or 1, when not set.")] = None
    tls_cert: Annotated[str | None, _text("Certificate chain to serve HTTPS with, a PEM file.")] = None
    tls_key: Annotated[str | None, _text("Private key of `tls_cert`, a PEM file.")] = None
    insecure: Annotated[bool, _text("Allow plain HTTP on addresses that other machines reach.")] = False

    @property
    def path(self) -> Path:
        """The state directory, absolute."""
        return Path(self.state).expanduser().absolute()


class Identity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may do what: the built-in service, or a Keystone."""

    auth: Annotated[
        Literal["tokens", "headers"],
        _text(
            "How the Placement API knows its callers: by `tokens`, or, on loopback addresses only and for tests, by what "
            "the `headers` X-Auth-Token (USER:PROJECT), X-Roles, X-Project-Id and OpenStack-System-Scope say."
        ),
    ] = "tokens"
    url: Annotated[str | None, _text("Keystone's URL; the built-in service when not set.")] = None
    username: Annotated[str, _text("Service account at Keystone.")] = "nova"
    password: Annotated[
        str | None, Meta(description="Password of the service account.", extra_json_schema={SECRET: True})
    ] = None
    password_file: Annotated[str | None, _text("File that holds the password, in place of `password`.")] = None
    project_name: Annotated[str, _text("Project of the service account.")] = "service"
    user_domain_name: Annotated[str, _text("Domain of the service account.")] = "Default"
    project_domain_name: Annotated[str, _text("Domain of that project.")] = "Default"
    region: Annotated[str, _text("Region: in the built-in catalog, and of the endpoints used.")] = "RegionOne"
    interface: Annotated[str, _text("Which of the catalog's interfaces to use.")] = "public"
    ca_file: Annotated[str | None, _text("PEM file of the authority behind the services' certificates.")] = None
    token_lifetime_s: Annotated[int, _count("How long built-in tokens live, in seconds.", 60)] = 3600
    hash_time_cost: Annotated[int, _count("Argon2 passes over the memory, for built-in passwords.", 1, 100)] = 5
    hash_memory_kib: Annotated[int, _count("Argon2 memory in KiB, for built-in passwords.", 8, 1 << 22)] = 7 * 1024


class Image(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where images are: the built-in service, or a Glance."""

    url: Annotated[
        str | None,
        _text("Glance's URL, or `catalog` for the one in Keystone's catalog; the built-in service when not set."),
    ] = None
    max_size_gb: Annotated[int, _count("Largest image that the built-in service takes, in GB.", 1)] = 64


class Network(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where networks are: the built-in service, or a Neutron."""

    url: Annotated[
        str | None,
        _text("Neutron's URL, or `catalog` for the one in Keystone's catalog; the built-in service when not set."),
    ] = None


class Volume(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where volumes are: a Cinder, or nowhere."""

    url: Annotated[
        str | None,
        _text("Cinder's URL, or `catalog` for the one in Keystone's catalog; there are no volumes when not set."),
    ] = None
    directory: Annotated[
        str | None,
        _text("Directory of volumes that are files of this machine: guests are given no file outside it as a volume."),
    ] = None

    @property
    def files(self) -> Path | None:
        """That directory, absolute."""
        return None if self.directory is None else Path(self.directory).expanduser().absolute()


class Database(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the databases are: files of the state directory, or PostgreSQL."""

    url: Annotated[
        str | None,
        Meta(
            description="`postgresql://USER@HOST/DATABASE`, with a schema for each database; files when not set.",
            extra_json_schema={SECRET: True},
        ),
    ] = None
    urls: Annotated[
        tuple[str, ...],
        Meta(
            description="Databases that are elsewhere than `url` says, each as `NAME=URL`, e.g. `placement=postgresql://...`.",
            extra_json_schema={SECRET: True},
        ),
    ] = ()
    connections: Annotated[
        int, _count("Most connections of a process to each database, and one more for scans.", 1, 100)
    ] = 4


class Placement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Placement API."""

    policy_file: Annotated[
        str | None, _text("File of rules that take the place of Placement's defaults, as `policy.yaml` or JSON.")
    ] = None


class Api(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Compute API."""

    max_limit: Annotated[int, _count("Most items of one page.", 1, 100_000)] = 1000
    link_prefix: Annotated[
        str | None,
        _text("Where links and the catalog begin, e.g. `https://cloud.example`; as listened on when not set."),
    ] = None


class Quota(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Default limits of a project, Nova's own; -1 is no limit."""

    instances: Annotated[int, _count("Servers.", -1)] = 10
    cores: Annotated[int, _count("Virtual CPUs.", -1)] = 20
    ram: Annotated[int, _count("Memory of all servers, in MB.", -1)] = 51200
    key_pairs: Annotated[int, _count("Key pairs of a user.", -1)] = 100
    metadata_items: Annotated[int, _count("Metadata items of a server.", -1)] = 128
    server_groups: Annotated[int, _count("Server groups.", -1)] = 10
    server_group_members: Annotated[int, _count("Servers of a group.", -1)] = 10
    injected_files: Annotated[int, _count("Injected files (until 2.56).", -1)] = 5
    injected_file_content_bytes: Annotated[int, _count("Bytes of an injected file.", -1)] = 10240
    injected_file_path_bytes: Annotated[int, _count("Bytes of its path.", -1)] = 255


class Compute(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is done to servers, and by whom."""

    policy_file: Annotated[
        str | None,
        _text(
            "File of rules that take the place of the Compute API's defaults, as `policy.yaml` or JSON; read again when it "
            "changes."
        ),
    ] = None
    resize_confirm_window_s: Annotated[
        int, _count("After how many seconds a resize or migration is confirmed by itself; 0 for never.")
    ] = 0
    shelved_offload_s: Annotated[
        int, _count("How many seconds shelved servers stay on their hosts; 0 for none, -1 for ever.", -1)
    ] = 0
    reclaim_window_s: Annotated[
        int, _count("How many seconds deleted servers are kept and may be restored; 0 for deleting at once.")
    ] = 0
    allow_resize_to_same_host: Annotated[
        bool, _text("Whether a server may stay on its host when it is resized and no other host has room.")
    ] = True
    missing_guest_s: Annotated[
        int,
        _count("How many seconds a server's guest may be missing on its host before the server is put in ERROR.", 10),
    ] = 60
    unknown_guests: Annotated[
        Literal["report", "destroy"],
        _text("What is done with guests of this cloud that no record knows: `report` leaves them running."),
    ] = "report"


class Pci(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PCI devices that are given to servers."""

    alias: Annotated[
        tuple[str, ...],
        _text(
            "What flavors call devices: `NAME=VENDOR:PRODUCT` or `NAME=CUSTOM_CLASS`, with `+TRAIT` after it as wanted."
        ),
    ] = ()


class Fake(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fake hypervisor."""

    order_s: Annotated[float, Meta(description="How long each order to a guest takes, in seconds.", ge=0, le=3600)] = (
        0.0
    )
    numa_nodes: Annotated[
        int,
        _count("How many NUMA nodes each host tells of, with an even share of its CPUs and memory; 0 for none.", 0, 8),
    ] = 0
    dedicated_cpus: Annotated[
        int, _count("How many CPUs of each NUMA node are for servers that pin theirs.", 0, 64)
    ] = 0
    huge_pages: Annotated[int, _count("How many pages of 2 MiB are set aside in each NUMA node.", 0, 16_384)] = 0
    pci_devices: Annotated[
        tuple[str, ...],
        _text(
            "PCI devices of each host: `VENDOR:PRODUCT` or `CUSTOM_CLASS`, with `+TRAIT` and `*COUNT` after it as wanted."
        ),
    ] = ()


class Bus(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the roles of a cloud wake each other."""

    hints: Annotated[
        bool,
        _text(
            "Whether hints arrive. Without, each role finds its work by looking for it: a proof for testers, and slower."
        ),
    ] = True


class Notifications(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is told what happens; nobody unless `sink` is set."""

    sink: Annotated[
        Literal["none", "file", "webhook"], _text("Where notifications go: nowhere, to `file`, or to `url`.")
    ] = "none"
    file: Annotated[
        str | None,
        _text("File that gets a JSON document a line; `notifications.jsonl` in the state directory when not set."),
    ] = None
    max_bytes: Annotated[int, _count("Size at which the file is put aside, in bytes.", 10_000)] = 100_000_000
    backups: Annotated[int, _count("Full files that are kept.", 0, 1000)] = 5
    url: Annotated[str | None, _text("Where each notification is posted.")] = None
    secret: Annotated[
        str | None,
        Meta(
            description="What posts are signed with; `webhook-secret` in the state directory when not set.",
            extra_json_schema={SECRET: True},
        ),
    ] = None
    most_waiting: Annotated[
        int, _count("How many wait in each database while nobody takes them; older ones are dropped.", 100)
    ] = 1_000_000


class Health(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Project health: third-party CI and bugs."""

    public_read: Annotated[
        bool, _text("Whether `kilonova up` shows the pages below `/health`, to everybody who reaches its address.")
    ] = False
    github_secret: Annotated[
        str | None,
        Meta(
            description="What GitHub signs its webhooks with; `/health/hooks/github` takes none when not set.",
            extra_json_schema={SECRET: True},
        ),
    ] = None
    gerrit_token: Annotated[
        str | None,
        Meta(
            description="The token in the URL that Gerrit posts to; `/health/hooks/gerrit` takes nothing when not set.",
            extra_json_schema={SECRET: True},
        ),
    ] = None


class Metadata(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The metadata service, which guests ask through the network service's proxy."""

    listen: Annotated[
        str | None,
        _text("Address and port of its own, e.g. `127.0.0.1:8775`; without, it answers below `/metadata` only."),
    ] = None
    secret: Annotated[
        str | None,
        Meta(
            description=(
                "What the proxy signs servers' ids with, as Neutron's `metadata_proxy_shared_secret`; `metadata-secret` in the "
                "state directory when not set."
            ),
            extra_json_schema={SECRET: True},
        ),
    ] = None


class Log(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The log file, `log/kilonova.log` in the state directory."""

    level: Annotated[Literal["debug", "info", "warning", "error"], _text("Least level that is written.")] = "info"
    max_bytes: Annotated[int, _count("Size at which the file is rotated, in bytes.", 10_000)] = 10_000_000
    backups: Annotated[int, _count("Rotated files that are kept.", 0, 1000)] = 5


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it, one attribute for each table of the file."""

    up: Up = Up()
    identity: Identity = Identity()
    image: Image = Image()
    network: Network = Network()
    volume: Volume = Volume()
    database: Database = Database()
    placement: Placement = Placement()
    api: Api = Api()
    quota: Quota = Quota()
    compute: Compute = Compute()
    scheduler: SchedulerOptions = SchedulerOptions()
    pci: Pci = Pci()
    fake: Fake = Fake()
    bus: Bus = Bus()
    notifications: Notifications = Notifications()
    metadata: Metadata = Metadata()
    health: Health = Health()
    log: Log = Log()
