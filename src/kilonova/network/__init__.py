"""Neutron as the model: what a server's ports are to the compute service.

May import `engine` and below. Owns no table yet; the migration from nova-network will live here.
"""
