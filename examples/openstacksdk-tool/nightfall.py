"""Stops the servers that nobody needs at night: those with `night=off` in their metadata."""

import openstack
from openstack.connection import Connection


def nightfall(cloud: Connection) -> list[str]:
    """Ask for the stop of every server that runs and needn't; their names."""
    stopped = []
    for server in cloud.compute.servers(details=True):
        if server.status == "ACTIVE" and server.metadata.get("night") == "off":
            cloud.compute.stop_server(server)
            stopped.append(server.name)
    return sorted(stopped)


def main() -> None:
    """Do it in the cloud that OS_CLOUD names, and print the names."""
    with openstack.connect() as cloud:
        for name in nightfall(cloud):
            print(name)


if __name__ == "__main__":
    main()
