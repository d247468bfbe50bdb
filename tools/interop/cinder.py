"""Real Cinder on SQLite; its volumes are files."""

from pathlib import Path

from tools.interop.process import free_port
from tools.interop.services import Site, token_checks


def directory(site: Site) -> Path:
    """Where the files are."""
    return site.state / "cinder" / "volumes"


def start(site: Site, keystone: str) -> str:
    """Start Cinder; its URL without a version."""
    for name in ("lock", "coordination", "volumes", "plugins"):
        (site.state / "cinder" / name).mkdir(parents=True)
    here, port = Path(__file__).parent, free_port()
    plugins = site.state / "cinder" / "plugins"
    (plugins / "volume_files.py").write_text((here / "volume_files.py").read_text())
    config = site.config("cinder/cinder.conf", _config(site, port) + token_checks(site, keystone, "cinder"))
    manage = [site.environment.bin("cinder-manage"), "--config-file", str(config), "db", "sync"]
    site.processes.run("cinder-setup", manage)
    serve = [site.environment.bin("python"), "-P", str(here / "cinder_serve.py"), "--config-file", str(config)]
    site.processes.start("cinder", serve, {"PYTHONPATH": str(plugins), "PYTHONWARNINGS": "ignore"})
    url = f"http://127.0.0.1:{port}"
    site.processes.wait_for("cinder", f"{url}/")
    return url


def _config(site: Site, port: int) -> str:
    etc = site.environment.etc / "cinder"
    return f"""
[DEFAULT]
use_stderr = true
auth_strategy = keystone
transport_url = fake://
state_path = {site.state}/cinder
api_paste_config = {etc}/api-paste.ini
resource_query_filters_file = {etc}/resource_filters.json
enabled_backends = files
osapi_volume_listen = 127.0.0.1
osapi_volume_listen_port = {port}
osapi_volume_workers = 1
my_ip = 127.0.0.1
scheduler_driver_init_wait_time = 1
[files]
volume_driver = volume_files.Files
volume_backend_name = files
interop_directory = {directory(site)}
[database]
connection = {site.database("cinder")}
[oslo_concurrency]
lock_path = {site.state}/cinder/lock
[coordination]
backend_url = file://{site.state}/cinder/coordination
"""
