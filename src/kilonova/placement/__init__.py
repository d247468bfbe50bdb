"""Placement: inventories, allocations, claims; a service of its own that knows no servers.

May import `web` and below. Owns the placement database (`tables.py`); `store.py` is the only module that writes it.
Start reading in `placement.py`, which is what the rest of the cloud calls; `claims.py` is the heart: a claim is one
transaction whose conditions (capacity, spread rule, consumer generation) are conditions of its writes. `api/` is the
public Placement API, one file per resource. `search/` answers which providers can give what is asked for, from a copy in
memory that `provider_changes` keeps fresh.
"""
