"""Query and path parameters as data: what each means and holds. A name means the same wherever it stands."""

from kilonova.api.shapes import TEXT, words
from kilonova.kernel.schemas import Schema

_COUNT: Schema = {"type": "integer", "minimum": 0, "maximum": 10**9}
_TRUTH: Schema = {"type": "boolean"}
_MOMENT: Schema = {"type": "string", "format": "date-time"}

QUERY: dict[str, tuple[str, Schema]] = {
    "all_projects": ("Whether those of all projects are told, to administrators.", TEXT),
    "all_tenants": ("Whether those of all projects are told, to those whom policy lets.", _TRUTH),
    "changes-before": ("Only what last changed at this time or before; with deleted servers.", _MOMENT),
    "changes-since": ("Only what last changed at this time or after; with deleted servers.", _MOMENT),
    "config_drive": ("Only servers with a config drive, or without.", _TRUTH),
    "hidden": ("Taken, and looked at by nobody.", TEXT),
    "hypervisor_hostname_pattern": ("Only hypervisors whose name holds this.", TEXT),
    "ip": ("Only servers with an IPv4 address that this regular expression fits.", TEXT),
    "ip6": ("Only servers with an IPv6 address that this regular expression fits.", TEXT),
    "is_public": ("Public flavors, others, or both, for administrators.", words("true", "false", "none")),
    "limit": ("Most items of the page.", _COUNT),
    "locked": ("Only servers that are locked, or that are not.", _TRUTH),
    "marker": ("The page begins after the item with this id.", TEXT),
    "minDisk": ("Only flavors with at least this much disk, in GB.", _COUNT),
    "minRam": ("Only flavors with at least this much memory, in MB.", _COUNT),
    "not-tags": ("Only servers that don't have all of these tags, parted by commas.", TEXT),
    "not-tags-any": ("Only servers that have none of these tags, parted by commas.", TEXT),
    "offset": ("How many items are left out before the page.", _COUNT),
    "progress": ("Only servers that are this far, in percent.", _COUNT),
    "sort_dir": ("`asc` or `desc`; one for each `sort_key`.", words("asc", "desc")),
    "sort_key": ("What the list is sorted by.", TEXT),
    "tags": ("Only servers that have all of these tags, parted by commas.", TEXT),
    "tags-any": ("Only servers that have one of these tags, parted by commas.", TEXT),
    "with_servers": ("Whether the servers of each hypervisor are told.", _TRUTH),
}
"""Those that have more to say than: only items whose field of this name has this value."""


def query_parameter(name: str) -> Schema:
    """The OpenAPI parameter of a query's name."""
    text, schema = QUERY.get(name, (f"Only items whose {name.replace('_', ' ')} is this.", TEXT))
    return {"name": name, "in": "query", "description": text, "schema": schema}


def path_parameter(name: str) -> Schema:
    """The OpenAPI parameter of a `{name}` in a path."""
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
