"""`cinder_serve.py --config-file FILE`: Cinder's API, scheduler and volume service in one process.

So they reach each other without a message broker. Runs in the environment of the real services; imports nothing of Kilonova.
"""

import eventlet

eventlet.monkey_patch()

import sys  # noqa: E402 - the standard library is patched first

from cinder import objects, rpc, service, version  # noqa: E402
from cinder.common import config  # noqa: E402, F401 - declares the options
from oslo_config import cfg  # noqa: E402
from oslo_log import log as logging  # noqa: E402


def main() -> None:
    """Serve until the process is ended."""
    objects.register_all()
    cfg.CONF(sys.argv[1:], project="cinder", version=version.version_string())
    logging.setup(cfg.CONF, "cinder")
    rpc.init(cfg.CONF)
    services = [
        service.Service.create(binary="cinder-scheduler"),
        service.Service.create(host="interop@files", service_name="files", binary="cinder-volume", coordination=True),
        service.WSGIService("osapi_volume"),
    ]
    for one in services:
        one.start()
    while True:
        eventlet.sleep(3600)


if __name__ == "__main__":
    main()
