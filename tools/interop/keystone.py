"""Real Keystone on SQLite with Fernet tokens, its accounts and its catalog."""

import json
import os
import urllib.request
from typing import Any

from tools.interop.services import Site

ACCOUNTS = {
    "nova": "service",
    "glance": "service",
    "neutron": "service",
    "cinder": "service",
    "demo": "demo",
    "other": "other",
}
"""User by user, the project each works in. `admin` comes with the bootstrap."""


def start(site: Site) -> str:
    """Start Keystone and make the accounts; its URL without a version."""
    keys = {kind: site.state / f"{kind}-keys" for kind in ("fernet", "credential")}
    for directory in keys.values():
        directory.mkdir(mode=0o700)
    config = site.config("keystone.conf", _config(site))
    manage = [site.environment.bin("keystone-manage"), "--config-file", str(config)]
    site.processes.run("keystone-setup", [*manage, "db_sync"])
    owner = ["--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid())]
    site.processes.run("keystone-setup", [*manage, "fernet_setup", *owner])
    site.processes.run("keystone-setup", [*manage, "credential_setup", *owner])
    site.processes.run("keystone-setup", [*manage, "bootstrap", "--bootstrap-password", site.password])
    url = site.serve("keystone", "keystone.wsgi.api", {"OS_KEYSTONE_CONFIG_FILES": str(config)})
    admin = Admin(url, site.password)
    admin.make_accounts()
    admin.make_endpoint("keystone", "identity", f"{url}/v3")
    return url


def _config(site: Site) -> str:
    return f"""
[DEFAULT]
use_stderr = true
[database]
connection = {site.database("keystone")}
[fernet_tokens]
key_repository = {site.state}/fernet-keys
[credential]
key_repository = {site.state}/credential-keys
[identity]
password_hash_rounds = 4
"""


class Admin:
    """The few administrative calls that the rig needs."""

    def __init__(self, url: str, password: str) -> None:
        """Log in as the bootstrap's administrator."""
        self._url = f"{url}/v3"
        self._password = password
        self._token = ""
        user = {"name": "admin", "domain": {"id": "default"}, "password": password}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        identity = {"methods": ["password"], "password": {"user": user}}
        answer = self._send("POST", "/auth/tokens", {"auth": {"identity": identity, "scope": scope}})
        self._token = answer.headers["X-Subject-Token"]

    def make_accounts(self) -> None:
        """Projects and users; service users get `admin` and `service`, people `member`."""
        roles = {role["name"]: role["id"] for role in self._get("/roles")["roles"]}
        projects = {
            name: self._make("project", {"name": name, "domain_id": "default"})
            for name in sorted(set(ACCOUNTS.values()))
        }
        for name, project in ACCOUNTS.items():
            user = self._make("user", {"name": name, "domain_id": "default", "password": self._password})
            for role in ("admin", "service") if project == "service" else ("member",):
                self._send("PUT", f"/projects/{projects[project]}/users/{user}/roles/{roles[role]}")

    def make_endpoint(self, name: str, kind: str, url: str) -> None:
        """Put a service into the catalog."""
        known = [service["id"] for service in self._get("/services")["services"] if service["type"] == kind]
        service = known[0] if known else self._make("service", {"name": name, "type": kind})
        for interface in ("public", "internal"):
            where = {"service_id": service, "interface": interface, "url": url, "region_id": self._region()}
            self._make("endpoint", where)

    def _region(self) -> str:
        regions = [region["id"] for region in self._get("/regions")["regions"]]
        return str(regions[0] if regions else self._make("region", {"id": "RegionOne"}))

    def _make(self, kind: str, document: dict[str, Any]) -> str:
        with self._send("POST", f"/{kind}s", {kind: document}) as answer:
            return str(json.load(answer)[kind]["id"])

    def _get(self, path: str) -> dict[str, Any]:
        with self._send("GET", path) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Content-Type": "application/json", "X-Auth-Token": self._token}
        return urllib.request.urlopen(urllib.request.Request(self._url + path, data, headers, method=method))
