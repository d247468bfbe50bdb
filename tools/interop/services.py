"""What the services share: where they listen, their accounts, how they are served."""

from dataclasses import dataclass
from pathlib import Path

from tools.interop.environment import Environment
from tools.interop.process import Processes, free_port


@dataclass(frozen=True)
class Site:
    """One run of the rig."""

    environment: Environment
    processes: Processes
    state: Path
    """A directory of this run only: configuration, databases, keys, images."""
    password: str
    """Of every account."""

    def config(self, name: str, text: str) -> Path:
        """Write one configuration file."""
        path = self.state / name
        path.write_text(text)
        return path

    def database(self, name: str) -> str:
        """The URL of a service's SQLite file."""
        return f"sqlite:///{self.state}/{name}.sqlite"

    def serve(self, name: str, module: str, env: dict[str, str]) -> str:
        """Serve a WSGI application on a free port and wait until it answers; its URL."""
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command = [self.environment.bin("python"), "-P", str(Path(__file__).with_name("serve.py")), module, str(port)]
        self.processes.start(name, command, {"PYTHONWARNINGS": "ignore", **env})
        self.processes.wait_for(name, f"{url}/")
        return url


def token_checks(site: Site, keystone: str, account: str) -> str:
    """The configuration with which a service asks Keystone about its callers."""
    return f"""
[keystone_authtoken]
www_authenticate_uri = {keystone}/v3
auth_url = {keystone}/v3
auth_type = password
username = {account}
password = {site.password}
project_name = service
user_domain_name = Default
project_domain_name = Default
service_token_roles_required = true
"""
