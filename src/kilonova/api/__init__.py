"""The Compute API v2.1: one file per resource.

May import `operations` and below. Writes only what has no operation: flavors, key pairs, aggregates, limits, server groups.
Code here knows the newest shape; older microversions are told in `objects/history`.
"""
