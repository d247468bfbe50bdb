"""The interop rig: real Keystone, Glance, Neutron and Cinder from PyPI, and Kilonova judged beside them.

`python -m tools.interop` (or `make interop`) installs the locked services into a cache, starts them on free loopback ports
with SQLite files, runs the interop tests and the contract suites against them, and stops everything. No broker, no
database server, no root. Start reading in `__main__.py`.
"""
