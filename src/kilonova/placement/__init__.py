"""Placement: inventories, allocations, claims; a service of its own that knows no servers.

May import `web` and below. Owns the placement database; `store.py` is the only module that writes it.
"""
