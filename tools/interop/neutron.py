"""Real Neutron on SQLite with no agents: a small mechanism driver binds every port at once.

Neutron's migrations can't run on SQLite (they alter constraints), so its tables are made from its models.
"""

from pathlib import Path

from tools.interop.services import Site, token_checks

REFUSING_HOST = "refuses"
"""Ports bound to a host whose name begins so fail to bind."""

_MAKE_TABLES = """
import sys
from sqlalchemy import create_engine
from neutron.db.migration.models import head
head.get_metadata().create_all(create_engine(sys.argv[1]))
"""


def start(site: Site, keystone: str) -> str:
    """Start Neutron; its URL."""
    (site.state / "neutron" / "lock").mkdir(parents=True)
    plugins = _plugins(site)
    server = site.config("neutron/neutron.conf", _config(site) + token_checks(site, keystone, "neutron"))
    ml2 = site.config("neutron/ml2_conf.ini", _ML2)
    make_tables = [site.environment.bin("python"), "-c", _MAKE_TABLES, site.database("neutron")]
    site.processes.run("neutron-setup", make_tables)
    env = {
        "OS_NEUTRON_CONFIG_DIR": str(server.parent),
        "OS_NEUTRON_CONFIG_FILES": f"{server.name};{ml2.name}",
        "PYTHONPATH": str(plugins),
    }
    return site.serve("neutron", "neutron.wsgi.api", env)


def _plugins(site: Site) -> Path:
    """A directory for `PYTHONPATH` with the mechanism driver and the metadata by which Neutron finds it."""
    directory = site.state / "neutron" / "plugins"
    metadata = directory / "interop_binding-1.dist-info"
    metadata.mkdir(parents=True)
    (directory / "interop_binding.py").write_text(Path(__file__).with_name("binding.py").read_text())
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: interop-binding\nVersion: 1\n")
    entry = "[neutron.ml2.mechanism_drivers]\ninterop = interop_binding:AtOnce\n"
    (metadata / "entry_points.txt").write_text(entry)
    return directory


def _config(site: Site) -> str:
    return f"""
[DEFAULT]
use_stderr = true
auth_strategy = keystone
core_plugin = ml2
service_plugins = router
transport_url = fake://
state_path = {site.state}/neutron
api_paste_config = {site.environment.etc}/neutron/api-paste.ini
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
[database]
connection = {site.database("neutron")}
[oslo_concurrency]
lock_path = {site.state}/neutron/lock
"""


_ML2 = """
[ml2]
type_drivers = local,flat,vlan,vxlan
tenant_network_types = local
mechanism_drivers = interop
extension_drivers = port_security
[ml2_type_flat]
flat_networks = *
[ml2_type_vlan]
network_vlan_ranges = physnet1:1:4094
[ml2_type_vxlan]
vni_ranges = 1:10000
"""
