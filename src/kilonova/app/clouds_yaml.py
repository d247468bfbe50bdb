"""`clouds.yaml`: how clients log in to a cloud with the built-in identity service."""

import json
from pathlib import Path

from kilonova.app.config import Config
from kilonova.app.paths import PATHS
from kilonova.app.state import State, write_private
from kilonova.runtime.runtime import Runtime

FILE = "clouds.yaml"
ACCOUNTS = {"kilonova-admin": "admin", "kilonova": "kilonova"}
"""Clouds by the account that logs in, which is also the name of its project."""


def passwords(state: State, runtime: Runtime) -> dict[str, str]:
    """The generated password of each account."""
    return {account: state.secret(f"{account}-password", runtime) for account in ACCOUNTS.values()}


def write(state: State, config: Config, url: str, runtime: Runtime) -> None:
    """Write the file for the cloud that answers at `url`; with a Keystone outside there is nothing to write."""
    file = state.path / FILE
    if config.identity.url is not None:
        file.unlink(missing_ok=True)
        return
    lines = ["clouds:"]
    for cloud, account in ACCOUNTS.items():
        auth = {
            "auth_url": url + PATHS["identity"],
            "username": account,
            "password": passwords(state, runtime)[account],
            "project_name": account,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        }
        lines += [f"  {cloud}:", "    auth:"]
        lines += [f"      {name}: {json.dumps(value)}" for name, value in auth.items()]
        lines += [f"    region_name: {json.dumps(config.identity.region)}", "    identity_api_version: 3"]
        if config.up.tls_cert is not None and is_own_authority(Path(config.up.tls_cert).expanduser()):
            lines.append(f"    cacert: {json.dumps(str(Path(config.up.tls_cert).expanduser().absolute()))}")
    write_private(file, ("\n".join(lines) + "\n").encode())


def is_own_authority(cert: Path) -> bool:
    """Whether the certificate stands alone, without a chain: then nobody but itself vouches for it."""
    return cert.read_text(encoding="ascii", errors="replace").count("BEGIN CERTIFICATE") == 1
