"""The Compute API v2.1: one file per resource.

Start reading in `service.py`, which lists the resources. Each has `routes(compute)` and its handlers; one that owns tables
of the API database has its transactions in `<resource>_store.py`. A handler reads the query (`query.py`) and the body
(`body.py`, `fields.py`) up to the newest shape, asks policy (`policies.py`), and tells the newest shape down to the caller's
microversion. Code here knows the newest shape only; how it came to be is in `objects/history`.

May import `operations` and below. Writes only what has no operation: flavors, key pairs, aggregates, limits, server groups.
"""
