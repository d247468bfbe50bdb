"""What Kilonova asks of other services: identity, image, network. A Protocol each, and the client of the real one.

May import `runtime`, `objects`, `kernel`. The built-in services in `standalone` implement the same Protocols, and both
pass one contract suite.
"""
