"""The built-in network service: Networking API v2.0 for networks, subnets, ports, security groups, tags and quotas.

Purpose: one program is a whole cloud; the same service by which the clients' contract suite is judged. It keeps what
was asked for and refuses what cannot be; the data plane is the hypervisor driver's. May import `web`, `clients`,
`database` and below. Owns the network database (`tables.py`), written only by the modules in `store/`.

How to read it: `service.py` is what compute asks, `http.py` the API put together; `collection.py` answers every kind of
resource in the same way; each kind says in a file of its own what attributes it has; `store/` holds its transactions.
Pure modules: `values.py`, `attributes.py`, `addresses.py`.

Not there yet, and answered with a 404 that says so: routers, floating IPs, subnet pools, agents (`absent.py`).
"""
