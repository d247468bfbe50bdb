"""The role on each hypervisor host, and the cell's gateway that it talks to.

May import `operations` and below. Owns nothing durable: the hypervisor holds the guests. An agent has no database and no
user's token; it pulls its hosts' steps from the gateway and reports what came of them.
"""
