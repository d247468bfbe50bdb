"""Real Glance on SQLite, with images in a directory."""

from tools.interop.services import Site, token_checks


def start(site: Site, keystone: str) -> str:
    """Start Glance; its URL."""
    directory = site.state / "glance"
    for name in ("images", "staging", "tasks"):
        (directory / name).mkdir(parents=True)
    config = site.config("glance/glance-api.conf", _config(site) + token_checks(site, keystone, "glance"))
    site.processes.run("glance-setup", [site.environment.bin("glance-manage"), "--config-file", str(config), "db_sync"])
    return site.serve("glance", "glance.wsgi.api", {"OS_GLANCE_CONFIG_DIR": str(directory)})


def _config(site: Site) -> str:
    return f"""
[DEFAULT]
use_stderr = true
enabled_backends = store:file
[database]
connection = {site.database("glance")}
[glance_store]
default_backend = store
[store]
filesystem_store_datadir = {site.state}/glance/images
[os_glance_staging_store]
filesystem_store_datadir = {site.state}/glance/staging
[os_glance_tasks_store]
filesystem_store_datadir = {site.state}/glance/tasks
[oslo_messaging_notifications]
driver = noop
[paste_deploy]
flavor = keystone
config_file = {site.environment.etc}/glance/glance-api-paste.ini
"""
